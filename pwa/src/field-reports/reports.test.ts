/** A report that raises an incident is one deed: both are kept, in their order, or neither. */
import { beforeEach, expect, it, vi } from 'vitest';
import { besides, chainOf, draftReport, emptyDraft, keepReport, onlyIncident, send } from './reports';
import type { Report } from '../types';
import type { Store } from '../db';
import { waiting } from '../queue';
import { all } from '../rows';
import { freshPhone } from '../testing/phone';

let phone: Store;
beforeEach(async () => {
  ({ phone } = await freshPhone());
});

it('keeps incident and report by one transaction, the report naming the incident, and drops the draft with it', async () => {
  const draft = { ...emptyDraft(), type: 'fault', plan: 'p', text: 'no tickets' };
  await keepReport(draft);
  const writes = vi.spyOn(IDBDatabase.prototype, 'transaction');
  const id = await send(draft, 'Fault');
  const strict = writes.mock.calls.filter(([, mode, how]) => mode === 'readwrite' && how?.durability === 'strict');
  expect(strict).toHaveLength(1);
  const [incident, report] = await waiting(phone);
  expect(incident?.path).toBe(`/api/v1/incidents/${incident?.id}`);
  expect(report).toMatchObject({ id, path: `/api/v1/reports/${id}`, body: { incident: incident?.id } });
  expect(await all('incident')).toMatchObject([{ id: incident?.id, title: 'Fault', status: 'reported' }]);
  expect(await draftReport()).toBeUndefined();
});

it('shows both versions when two phones followed the same report without a network', () => {
  const report = (id: string, previous: string | null, occurred_at: string) =>
    ({ id, previous, occurred_at }) as Report;
  const [first, one, other, last] = [
    report('r1', null, '10:00'),
    report('r2', 'r1', '10:05'),
    report('r3', 'r1', '10:06'),
    report('r4', 'r3', '10:09'),
  ] as const;
  const all = [last, other, report('x', null, '10:01'), one, first];
  for (const opened of [first, one, other, last]) expect(chainOf(opened, all)).toEqual([first, one, other, last]);
  expect([first, one, other, last].map((each) => besides(each, all))).toEqual([[], [other], [one], []]);
});

it('puts a report to the only incident that runs, and to none when several do', async () => {
  expect(await onlyIncident()).toBeNull();
  await send({ ...emptyDraft(), type: 'fault' }, 'Fault');
  const [first] = await all('incident');
  expect(await onlyIncident()).toBe(first?.id);
  await send({ ...emptyDraft(), type: 'crowd' }, 'Crowd');
  expect(await onlyIncident()).toBeNull();
});
