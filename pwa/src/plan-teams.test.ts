import { expect, test } from 'vitest';

import { missingTeams } from './plan-teams';
import type { Team } from './types';

const words = (zh: string) => ({ zh, en: zh });
const team = (kind: string, active = true): Team => ({ id: kind, kind, title: words(kind), active });
const rules = {
  teams: [
    { key: 'lead', kind: 'leadership', title: words('应急领导小组') },
    { key: 'first_aid', kind: 'medical', title: words('医疗救护组') },
    { key: 'doctors', kind: 'medical', title: words('医生') },
    { key: 'gates', kind: 'security', title: words('安保组') },
    { key: 'police', kind: 'police', title: words('公安'), external: true },
  ],
};

test('a kind nobody here has is named once, by the plan’s first team of it; others’ teams are not asked for', () => {
  expect(missingTeams(rules, [team('leadership'), team('security', false)]).map((one) => one.title.zh)).toEqual([
    '医疗救护组',
    '安保组',
  ]);
  expect(missingTeams(rules, [team('leadership'), team('security'), team('medical')])).toEqual([]);
  expect(missingTeams({}, [])).toEqual([]);
});
