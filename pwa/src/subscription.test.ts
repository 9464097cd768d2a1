import { beforeEach, expect, test, vi } from 'vitest';
import { unsubscribe } from './push';
import { fit, PushSilent, sameKey } from './subscription';
import { freshPhone } from './testing/phone';
import { DEVICE, PERSON, type ServerDouble } from './testing/server';

const KEY = btoa('k'.repeat(65)).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
const OLD = btoa('o'.repeat(65)).replace(/=+$/, '');
const to = { person: PERSON, device: DEVICE, key: KEY };
let server: ServerDouble;
let current: PushSubscription | null;
let made: number;

const subscribed = (key: string, endpoint: string): PushSubscription =>
  ({
    endpoint,
    options: {
      applicationServerKey: Uint8Array.from(atob(key.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0))
        .buffer,
    },
    toJSON: () => ({ endpoint, keys: { p256dh: 'p', auth: 'a' }, expirationTime: null }),
    unsubscribe: () => {
      current = null;
      return Promise.resolve(true);
    },
  }) as unknown as PushSubscription;

const registration = {
  pushManager: {
    getSubscription: () => Promise.resolve(current),
    subscribe: () => Promise.resolve((current = subscribed(KEY, `https://push.example/${++made}`))),
  },
} as unknown as ServiceWorkerRegistration;

const told = () => server.calls.filter((call) => call.path === `/api/v1/devices/${DEVICE}/subscription`);

beforeEach(async () => {
  ({ server } = await freshPhone());
  current = null;
  made = 0;
});

test('a new subscription is told to the server once', async () => {
  await fit(registration, to);
  await fit(registration, to);
  expect(told()).toHaveLength(1);
  expect(told()[0]!.body).toEqual({
    endpoint: 'https://push.example/1',
    keys: { p256dh: 'p', auth: 'a' },
    vapid_public_key: KEY,
  });
});

test('asked for twice at once, by the app and by a tap, it is made once', async () => {
  const both = await Promise.all([fit(registration, to), fit(registration, to, true)]);
  expect(both.map((one) => one.endpoint)).toEqual(['https://push.example/1', 'https://push.example/1']);
  expect(made).toBe(1);
});

test('a subscription bound to another key is replaced', async () => {
  current = subscribed(OLD, 'https://push.example/old');
  expect(sameKey(current, KEY)).toBe(false);
  expect((await fit(registration, to)).endpoint).toBe('https://push.example/1');
});

test('it is told again when another person signs in, and after a day', async () => {
  await fit(registration, to);
  await fit(registration, { ...to, person: 'other' });
  expect(told()).toHaveLength(2);
  vi.useFakeTimers({ now: Date.now() + 25 * 3600_000, toFake: ['Date'] });
  await fit(registration, { ...to, person: 'other' });
  vi.useRealTimers();
  expect(told()).toHaveLength(3);
});

test('what the server did not hear is told again', async () => {
  server.interrupts.push(() => 'no network');
  await expect(fit(registration, to)).rejects.toThrow();
  await fit(registration, to);
  expect(told()).toHaveLength(2);
});

test('a push service that never answers ends in PushSilent, not in a hanging screen', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const silent = {
    pushManager: { getSubscription: () => Promise.resolve(null), subscribe: () => new Promise(() => undefined) },
  };
  const outcome = fit(silent as unknown as ServiceWorkerRegistration, to).catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(15_000);
  vi.useRealTimers();
  expect(await outcome).toBeInstanceOf(PushSilent);
});

test('signing out ends it on both sides, and on the phone even when the server cannot be told', async () => {
  vi.stubGlobal('PushManager', class {});
  vi.stubGlobal('Notification', { permission: 'granted' });
  vi.stubGlobal('navigator', { serviceWorker: { getRegistration: () => Promise.resolve(registration) } });
  const ended = () => told().filter((call) => call.method === 'DELETE').length;
  await fit(registration, to);
  await unsubscribe(DEVICE);
  expect([current, ended()]).toEqual([null, 1]);
  await fit(registration, to);
  server.interrupts.push(() => 'no network');
  await expect(unsubscribe(DEVICE)).rejects.toThrow();
  expect(current).toBeNull();
  vi.unstubAllGlobals();
});
