import { beforeEach, expect, test, vi } from 'vitest';
import { call, Offline, Refused, retryAfter, speak } from './api';
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
