import { beforeEach, expect, test, vi } from 'vitest';
import { renewAnswers } from './answered';
import { setSetting, store, type Store } from './db';
import { exclusive } from './locks';
import { onClick, onPush } from './notify';
import { waiting } from './queue';
import { freshPhone } from './testing/phone';
import { PERSON, type ServerDouble } from './testing/server';
import type { PushHead } from './types';

interface Shown {
  title: string;
  options: NotificationOptions & { actions?: { action: string }[]; requireInteraction?: boolean };
  callsBefore: number;
}
let server: ServerDouble;
let phone: Store;
let shown: Shown[];
let opened: string[];
let pages: { visibilityState: string; postMessage: (message: unknown) => void; focus: () => Promise<void> }[];

beforeEach(async () => {
  ({ server, phone } = await freshPhone());
  shown = [];
  opened = [];
  pages = [];
  vi.stubGlobal('navigator', {});
  vi.stubGlobal('self', {
    location: { origin: 'http://localhost' },
    registration: {
      showNotification: (title: string, options: Shown['options']) => {
        shown.push({ title, options, callsBefore: server.calls.length });
        return Promise.resolve();
      },
    },
    clients: {
      matchAll: () => Promise.resolve(pages),
      openWindow: (path: string) => Promise.resolve(opened.push(path)),
    },
  });
});

function head(part: Partial<PushHead> = {}): PushHead {
  const ids = { delivery: 'd1', alert: 'a1', recipient: 'r1', incident: 'i1', person: PERSON };
  const tokens = { receipt_token: 'rt', answer_token: 'at' };
  const times = { sent_at: new Date().toISOString(), expires_at: new Date(Date.now() + 3600_000).toISOString() };
  return { ...ids, level: 'red', drill: false, critical: true, locale: 'zh', ...tokens, ...times, ...part };
}
function message(part: Partial<PushHead> = {}): string {
  const notification = {
    title: '红色 检票系统故障',
    body: '立即到位',
    tag: 'a1',
    actions: [{ action: 'received', title: '收到' }],
  };
  return JSON.stringify({ web_push: 8030, notification, tocsin: head(part) });
}
const asked = () => server.calls.map(({ method, path }) => `${method} ${path.replace(/[0-9a-f-]{36}/g, '*')}`);

test('C17 an alert is shown before anything is asked of the network; then its receipt, then catching up', async () => {
  await onPush(message());
  expect(shown).toMatchObject([{ title: '红色 检票系统故障', callsBefore: 0 }]);
  expect(shown[0]!.options).toMatchObject({ tag: 'a1', requireInteraction: true, silent: false, body: '立即到位' });
  expect(asked()).toEqual(['POST /api/v1/tokens/receipts/*', 'POST /api/v1/changes']);
  expect(server.calls[0]!.body).toMatchObject({ kind: 'delivered', token: 'rt' });
});

test('a test push, which is about no alert, is shown, receipted, and opens the settings', async () => {
  await onPush(message({ alert: null, recipient: null, incident: null }));
  expect(shown).toMatchObject([{ title: '红色 检票系统故障' }]);
  expect(asked()[0]).toBe('POST /api/v1/tokens/receipts/*');
  await onClick('', head({ alert: null, recipient: null }));
  expect(opened).toEqual(['/#/me']);
  expect(server.batches()).toEqual([]);
});

test.each([
  ['nothing', null],
  ['no JSON', 'hello'],
  ['null', 'null'],
  ['a number', '7'],
  ['no title', JSON.stringify({ tocsin: head() })],
  ['a title that is not text', JSON.stringify({ notification: { title: 5 }, tocsin: head() })],
])('a push of %s still shows something', async (_, text) => {
  await onPush(text);
  expect(shown).toMatchObject([{ title: '警钟', options: { body: '有新的消息，请打开警钟查看。' } }]);
});

test('C11 a late push for somebody who signed out, or for another person, shows nothing of its content', async () => {
  await onPush(message({ person: 'somebody else', locale: 'en' }));
  expect(shown).toMatchObject([{ title: 'Tocsin' }]);
  expect(JSON.stringify(shown)).not.toContain('检票');
  await setSetting('person', null);
  await onPush(message());
  expect(JSON.stringify(shown)).not.toContain('检票');
});

test('P11 an alert that is over says so, quietly and without buttons', async () => {
  await onPush(message({ expires_at: new Date(Date.now() - 1000).toISOString() }));
  const row = { space: `me:${PERSON}`, type: 'alert', id: 'a1', version: 1, doc: { status: 'ended' } };
  await phone.write(['rows'], (tx) => tx.objectStore('rows').put(row));
  await onPush(message());
  for (const { title, options } of shown) {
    expect(title).toBe('【已结束】红色 检票系统故障');
    expect(options).toMatchObject({ actions: [], silent: true, requireInteraction: false });
  }
});

test('the receipt of a push whose connection is gone waits in the queue', async () => {
  server.interrupts.push(
    () => 'no network',
    () => 'no network',
  );
  await onPush(message());
  expect(await waiting(store()!)).toMatchObject([{ body: { kind: 'delivered', channel: 'push' }, priority: 0 }]);
});

test('an answer button with a network: recorded, sent, said so', async () => {
  await onClick('on_my_way', head());
  expect(asked()).toEqual(['POST /api/v1/batch']);
  expect(server.batches()[0]!.items).toMatchObject([{ body: { kind: 'on_my_way' } }]);
  expect(shown).toMatchObject([{ title: '已答复：出发', options: { body: '已送达指挥部。', tag: 'a1' } }]);
});

test('an answer button without a network: kept, said so, sent later', async () => {
  server.interrupts.push(() => 'no network');
  await onClick('received', head());
  expect(shown).toMatchObject([{ options: { body: '已保存在本机，联网后自动发出。' } }]);
  expect(await waiting(store()!)).toMatchObject([
    { body: { kind: 'received' }, effects: [{ type: 'recipient', id: 'r1', doc: { answer: 'received' } }] },
  ]);
});

test('a sleeping page that holds the sender does not keep the person waiting for a word', async () => {
  const release: (() => void)[] = [];
  void exclusive(`tocsin-flush-${PERSON}`, () => new Promise<void>((resolve) => release.push(resolve)));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const done = onClick('received', head());
  await vi.waitFor(async () => expect(await waiting(phone)).toHaveLength(1));
  await vi.advanceTimersByTimeAsync(500);
  expect(shown).toMatchObject([{ title: '已答复：收到', options: { body: '已保存在本机，联网后自动发出。' } }]);
  await vi.advanceTimersByTimeAsync(12_000);
  await done;
  vi.useRealTimers();
  expect(shown).toHaveLength(1);
  release[0]?.();
});

test.each([
  ['the queue', PERSON, '已保存在本机，联网后自动发出。'],
  ["the message's token", 'somebody else', '正在发出，尚未送达。'],
])(
  'an answer through %s to a slow server: told at once how it stands, and anew when it has arrived',
  async (_, person, yet) => {
    let reply: (() => void) | undefined;
    server.interrupts.push(() => new Promise((resolve) => (reply = () => resolve(null))));
    const done = onClick('received', head({ person }));
    await vi.waitFor(() => expect(shown).toMatchObject([{ title: '已答复：收到', options: { body: yet, tag: 'a1' } }]));
    reply!();
    await done;
    expect(shown).toMatchObject([{}, { title: '已答复：收到', options: { body: '已送达指挥部。', tag: 'a1' } }]);
  },
);

test('what was told to be kept is told anew once any page or worker has sent it; other notifications stay as they are', async () => {
  server.interrupts.push(() => 'no network');
  await onClick('received', head());
  const other = { data: head({ alert: 'a2' }) };
  const standing = [other, shown[0]!.options];
  const registration = Object.assign((self as unknown as { registration: object }).registration, {
    getNotifications: () => Promise.resolve(standing),
  });
  const renew = (ids: string[]) =>
    renewAnswers(
      registration as never,
      ids.map((id) => ({ id })),
    );
  await renew(['another']);
  expect(shown).toHaveLength(1);
  const [kept] = await waiting(phone);
  await renew([kept!.id]);
  expect(shown[1]).toMatchObject({
    title: '已答复：收到',
    options: { body: '已送达指挥部。', tag: 'a1', icon: shown[0]!.options.icon! },
  });
  expect((shown[1]!.options.data as { waits?: unknown }).waits).toBeUndefined();
});

test('an answer button after the session ended: the one-purpose token carries the same fact', async () => {
  server.person = null;
  await onClick('cannot', head());
  expect(asked()).toEqual(['POST /api/v1/batch', 'POST /api/v1/tokens/answers/*']);
  const { path, body } = server.calls[1]!;
  expect(body).toMatchObject({ token: 'at', kind: 'cannot' });
  expect(path.endsWith(server.batches()[0]!.items[0]!.id)).toBe(true);
  expect(await waiting(store()!)).toEqual([]);
});

test('an expired token leaves the answer in the queue until somebody signs in', async () => {
  server.person = null;
  server.interrupts.push(
    () => null,
    () => server.problem(401, 'token_expired'),
  );
  await onClick('cannot', head());
  expect(await waiting(store()!)).toHaveLength(1);
  expect(shown).toMatchObject([{ options: { body: '已保存在本机，联网后自动发出。' } }]);
});

test("an answer to another person's alert is never recorded in this person's name", async () => {
  await onClick('received', head({ person: 'somebody else' }));
  expect(asked()).toEqual(['POST /api/v1/tokens/answers/*']);
  expect(await waiting(store()!)).toEqual([]);
});

test('signed out and no network: the answer is not lost silently', async () => {
  await setSetting('person', null);
  server.interrupts.push(() => 'no network');
  await onClick('received', head());
  expect(shown).toMatchObject([{ options: { body: '未能发出，请打开警钟登录后再答复。' } }]);
});

test('a tap opens the alert in the page that is there, or in a new one', async () => {
  await onClick('', head());
  expect(opened).toEqual(['/#/alerts/a1']);
  const messages: unknown[] = [];
  pages = [{ visibilityState: 'hidden', postMessage: (one) => messages.push(one), focus: () => Promise.resolve() }];
  await onClick('', head());
  expect(messages).toEqual([{ open: '/#/alerts/a1' }]);
  expect(opened).toHaveLength(1);
  expect([...server.facts.values()].filter((fact) => fact.includes('"opened"'))).toHaveLength(2);
});

test('an action or data that nobody knows opens the app and answers nothing', async () => {
  await onClick('launch', { alert: 5 });
  expect(opened).toEqual(['/#/now']);
  expect(server.calls).toEqual([]);
});
