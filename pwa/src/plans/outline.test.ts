/** The line of limits shows the clocks of a plan, also those its orders, tiers, ledger, reports and review imply. */
import { expect, it } from 'vitest';
import { speak } from '../i18n/locale.svelte';
import { plannedLimits } from './outline';

const span = (seconds: number) => ({ kind: 'span', seconds });
const named = (key: string, more: object) => ({ key, title: { zh: key, en: key }, ...more });
const RULES = {
  authority: { decides: 'leaders' },
  teams: [named('it', {}), named('leaders', {}), named('firm', { external: true })],
  limits: [
    named('restore', { owner: 'it', length: span(900), starts: ['incident.reported'], ends: ['order.fix.done'] }),
  ],
  orders: [
    named('fix', { team: 'it', within: span(1800) }),
    named('sell', { team: 'it', within: span(600) }),
    named('tell', { team: 'it' }),
    named('help', { team: 'firm', within: span(600) }),
  ],
  manual: {
    by: 'it',
    tiers: [named('first', { after: span(1800) })],
    back_entry: [named('forms', { owner: 'it', due: { kind: 'end_of_day' } })],
  },
  reports: [
    named('authority', { owner: 'leaders', within: span(3600), starts: 'head.informed' }),
    named('log', { owner: 'it' }),
  ],
  review: { owner: 'it', due: span(172_800) },
};

it('shows each clock once, the shortest first, with who owns it', async () => {
  await speak('zh');
  const found = plannedLimits(RULES);
  expect(found.map((one) => [one.key, one.seconds, one.owner])).toEqual([
    ['order-sell', 600, 'it'],
    ['restore', 900, 'it'],
    ['tier-first', 1800, 'it'],
    ['report-authority', 3600, 'leaders'],
    ['review-', 172_800, 'it'],
    ['back-entry-forms', null, 'it'],
  ]);
});

it('calls a clock of a second what it is', async () => {
  await speak('zh');
  const [one] = plannedLimits({ limits: [named('paper', { length: span(1) })] });
  expect(one?.length).toBe('立即');
});

it('names what starts a clock: a fact of every plan, or what a rule of this plan makes', async () => {
  await speak('en');
  const scales = [{ key: 'crowd', levels: [named('red', {})] }];
  const starts = ['plan.warned', 'order.fix.issued', 'level.crowd.red'];
  const [one] = plannedLimits({
    scales,
    teams: RULES.teams,
    orders: [named('fix', { team: 'it' })],
    limits: [named('count', { length: span(60), starts, then: [{ alert: ['it', 'leaders'] }] })],
  });
  expect(one?.from).toBe('warning issued / order given: fix / level set: red');
  expect(one?.then).toEqual(['tell it, leaders']);
});
