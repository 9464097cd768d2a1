import { beforeEach, expect, test } from 'vitest';
import { lastAlert, type AlertHead } from './heads';
import { pull } from './pull';
import type { Store } from './db';
import { freshPhone } from './testing/phone';
import { PERSON, type ServerDouble } from './testing/server';

let server: ServerDouble;
let phone: Store;
let heads: (AlertHead | null)[];
beforeEach(async () => {
  ({ server, phone } = await freshPhone());
  heads = [];
  return lastAlert.subscribe((head) => heads.push(head));
});

const alert = (id: string, part: Record<string, unknown> = {}) => ({
  ...{ id, title: { zh: '集合', en: 'Gather' }, level: { colour: 'red' }, critical: true, status: 'open' },
  ...{ issued_at: new Date().toISOString(), ...part },
});

test('an alert sounds once when it reaches this phone, by whichever way', async () => {
  server.row(`me:${PERSON}`, 'alert', 'a1', alert('a1'));
  await pull(phone);
  server.row(`me:${PERSON}`, 'alert', 'a1', alert('a1', { title: { zh: '改', en: 'x' } }));
  await pull(phone);
  expect(heads.slice(1)).toEqual([{ alert: 'a1', title: { zh: '集合', en: 'Gather' }, level: 'red', critical: true }]);
});

test('what is over, old, or for others does not sound', async () => {
  server.row(`me:${PERSON}`, 'alert', 'a1', alert('a1', { status: 'ended' }));
  server.row(`me:${PERSON}`, 'alert', 'a2', alert('a2', { issued_at: new Date(Date.now() - 3600_000).toISOString() }));
  server.row('incident:i:command', 'alert', 'a3', alert('a3'));
  await pull(phone);
  expect(heads.slice(1)).toEqual([]);
});
