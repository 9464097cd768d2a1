import { beforeEach, expect, test } from 'vitest';
import type { Store } from '../db';
import { waiting } from '../queue';
import { freshPhone, restart } from '../testing/phone';
import { count, counted, keepCounted } from './tallies';

let phone: Store;
beforeEach(async () => {
  const fresh = await freshPhone();
  phone = fresh.phone;
  // Without a network, so that what waits is still here to be looked at.
  fresh.server.away = true;
});

test('what was tapped at a gate survives the end of the app, and becomes one fact with nothing left to count twice', async () => {
  await keepCounted('in', 'west', 3);
  await keepCounted('out', 'west', 1);
  phone = await restart();
  expect(await counted()).toEqual({ place: 'west', in: 3, out: 1 });
  await count('west', 'in', 3, 'i1');
  phone = await restart();
  expect(await counted()).toEqual({ place: 'west', in: 0, out: 1 });
  expect(await waiting(phone)).toMatchObject([{ body: { place: 'west', kind: 'in', count: 3, incident: 'i1' } }]);
  await keepCounted('out', 'west', 0);
  expect(await counted()).toEqual({ place: null, in: 0, out: 0 });
});
