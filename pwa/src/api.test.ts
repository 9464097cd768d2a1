import { beforeEach, expect, test, vi } from 'vitest';
import { call, giveUpOverdue, Offline, Refused, retryAfter, speak } from './api';
import { hear, type Connection } from './changes';
import { DEVICE, ServerDouble } from './testing/server';

let server: ServerDouble;
beforeEach(() => {
  server = new ServerDouble();
  vi.stubGlobal('fetch', server.fetch);
});

test('an answer comes back as JSON, with the headers a write needs', async () => {
  speak('en');
  await call('POST', '/batch', { body: { person: server.person, device: DEVICE, epoch: server.epoch, items: [] } });
  const { headers, path } = server.calls[0]!;
  expect(path).toBe('/api/v1/batch');
  expect(headers.get('X-Tocsin')).toBe('1');
  expect(headers.get('Accept-Language')).toBe('en');
});

test.each([
  ['a lost network', () => 'no network' as const],
  ['a captive portal that answers 200 with its page', () => new ServerDouble().portal()],
  [
    'a portal that answers JSON of its own',
    () => new Response('{}', { headers: { 'Content-Type': 'application/json' } }),
  ],
  ['a portal that answers 403 with a page', () => new Response('<html>', { status: 403 })],
  ['a portal that answers 401 with a page', () => new Response('<html>', { status: 401 })],
  [
    'half an answer',
    () => new Response('{"a":', { headers: { 'Content-Type': 'application/json', 'X-Tocsin-Time': 'x' } }),
  ],
])('%s is Offline', async (_, reply) => {
  server.interrupts.push(reply);
  await expect(call('GET', '/me')).rejects.toBeInstanceOf(Offline);
});

test('a refusal carries code, fields and waiting time', async () => {
  const errors = [{ path: 'text', code: 'too_long', message: '过长' }];
  server.interrupts.push(() => server.problem(422, 'invalid', { detail: '内容过长', errors }, { 'Retry-After': '7' }));
  const refused = await call('GET', '/me').catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(Refused);
  expect(refused).toMatchObject({ status: 422, code: 'invalid', detail: '内容过长', errors, retryAfter: 7 });
});

test("a proxy's 502 page is a failing server, not a lost network", async () => {
  server.interrupts.push(() => new Response('<html>', { status: 502, headers: { 'Retry-After': '3' } }));
  await expect(call('GET', '/me')).rejects.toMatchObject({ name: 'Refused', status: 502, retryAfter: 3 });
});

test('a server that does not answer in time is Offline', async () => {
  vi.stubGlobal('fetch', (_: string, init: RequestInit) => {
    return new Promise((_, reject) =>
      init.signal!.addEventListener('abort', () => reject(new DOMException('', 'AbortError'))),
    );
  });
  await expect(call('GET', '/me', { timeoutMs: 20 })).rejects.toBeInstanceOf(Offline);
});

test('a server that stalls in the middle of its answer is Offline', async () => {
  const headers = { 'Content-Type': 'application/json', 'X-Tocsin-Time': new Date().toISOString() };
  vi.stubGlobal('fetch', () =>
    Promise.resolve(new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array([123])) }), { headers })),
  );
  await expect(call('GET', '/me', { timeoutMs: 20 })).rejects.toBeInstanceOf(Offline);
});

test('Retry-After may be seconds or a date', () => {
  expect(retryAfter('12')).toBe(12);
  expect(retryAfter(new Date(Date.now() + 5_000).toUTCString())).toBeGreaterThan(3);
  expect(retryAfter('soon')).toBeNull();
  expect(retryAfter(null)).toBeNull();
});

/** A server that answers when told to, else never. */
function holding(): { answer: () => void } {
  const held: (() => void)[] = [];
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    return new Promise((resolve, reject) => {
      held.push(() => resolve(server.fetch(path, init)));
      init.signal!.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
    });
  });
  return { answer: () => held.splice(0).forEach((one) => one()) };
}

test('a server that says nothing for four seconds is called silent while it is still waited for, and not once it answers', async () => {
  vi.useFakeTimers();
  const told: Partial<Connection>[] = [];
  const stop = hear(({ connection }) => connection && told.push(connection));
  const { answer } = holding();
  const asking = call('GET', '/me');
  await vi.advanceTimersByTimeAsync(3_900);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(200);
  expect(told).toEqual([{ online: false, serverSilent: true }]);
  answer();
  await asking;
  expect(told[1]).toMatchObject({ online: true, serverSilent: false, lastContact: Date.now() });
  stop();
  vi.useRealTimers();
});

test('what takes long to send is given the time of a slow link before the server is called silent', async () => {
  vi.useFakeTimers();
  let silent = false;
  const stop = hear(({ connection }) => (silent ||= connection?.serverSilent ?? false));
  const { answer } = holding();
  const asking = call('PATCH', '/uploads/1', {
    raw: { data: new ArrayBuffer(256 * 1024), headers: {} },
    timeoutMs: 90_000,
  });
  asking.catch(() => undefined);
  await vi.advanceTimersByTimeAsync(36_000);
  expect(silent).toBe(false);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(silent).toBe(true);
  answer();
  stop();
  vi.useRealTimers();
});

test('what is overdue can be given up at once, what is not goes on; both kinds of time-out say so', async () => {
  vi.useFakeTimers();
  holding();
  const old = call('GET', '/me').catch((error: unknown) => error);
  await vi.advanceTimersByTimeAsync(5_000);
  const young = call('GET', '/plans').catch((error: unknown) => error);
  giveUpOverdue();
  expect(await old).toMatchObject({ name: 'Offline', timedOut: true });
  let ended = false;
  void young.then(() => (ended = true));
  await vi.advanceTimersByTimeAsync(19_000);
  expect(ended).toBe(false);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await young).toMatchObject({ name: 'Offline', timedOut: true });
  vi.useRealTimers();
});
