import { beforeEach, expect, test, vi } from 'vitest';

const HERE = 'https://tocsin.example';
let kept: Map<string, Map<string, Response>>;
const PAGE = '<script src="/assets/a-1.js"></script>';
let fetched: string[];
let network: (path: string) => Response;
const load = () => import('./shell');
let shell: Awaited<ReturnType<typeof load>>;

const pathOf = (what: RequestInfo) => new URL(typeof what === 'string' ? what : what.url, HERE).pathname;
function cache(name: string) {
  const files = kept.get(name) ?? kept.set(name, new Map()).get(name)!;
  return {
    match: (what: RequestInfo) => Promise.resolve(files.get(pathOf(what))?.clone()),
    put: (what: RequestInfo, response: Response) => Promise.resolve(void files.set(pathOf(what), response)),
    keys: () => Promise.resolve([...files.keys()]),
    delete: (path: string) => Promise.resolve(files.delete(path)),
  };
}
function asked(path: string, mode = 'no-cors', method = 'GET'): Request {
  return { url: HERE + path, mode, method } as Request;
}
async function build(version: string, files: string[]): Promise<void> {
  vi.stubGlobal('__BUILD__', { version, files });
  vi.resetModules();
  shell = await load();
}

beforeEach(async () => {
  kept = new Map();
  fetched = [];
  network = (path) => new Response(path === '/index.html' ? PAGE : `network ${path}`);
  vi.stubGlobal('self', { location: { origin: HERE } });
  vi.stubGlobal('caches', {
    open: (name: string) => Promise.resolve(cache(name)),
    keys: () => Promise.resolve([...kept.keys()]),
    delete: (name: string) => Promise.resolve(kept.delete(name)),
    match: (what: RequestInfo) =>
      Promise.resolve(
        [...kept.values()]
          .map((files) => files.get(pathOf(what)))
          .find(Boolean)
          ?.clone(),
      ),
  });
  vi.stubGlobal('fetch', (what: RequestInfo) => {
    fetched.push(pathOf(what));
    return Promise.resolve(network(pathOf(what)));
  });
  await build('one', ['/index.html', '/assets/a-1.js', '/icons/icon.svg']);
});

const text = async (answer: Promise<Response> | null) => (await answer)?.text();

test('after installation every file and every navigation to the app is answered without a network', async () => {
  await shell.layIn();
  fetched = [];
  network = () => {
    throw new TypeError('no network');
  };
  expect(await text(shell.answer(asked('/', 'navigate')))).toBe(PAGE);
  expect(await text(shell.answer(asked('/assets/a-1.js')))).toBe('network /assets/a-1.js');
  expect(await text(shell.answer(asked('/docs', 'navigate')))).toBe(PAGE);
  expect(fetched).toEqual(['/docs']);
});

test('a file that does not come keeps the new version from being installed', async () => {
  network = (path) => new Response('', { status: path === '/assets/a-1.js' ? 502 : 200 });
  await expect(shell.layIn()).rejects.toThrow('/assets/a-1.js: 502');
});

test('the API, other sites, writes and the worker itself are left alone', () => {
  expect(shell.answer(asked('/api/v1/me'))).toBeNull();
  expect(shell.answer(asked('/sw.js'))).toBeNull();
  expect(shell.answer(asked('/', 'navigate', 'POST'))).toBeNull();
  expect(
    shell.answer({ url: 'https://elsewhere.example/assets/a-1.js', mode: 'cors', method: 'GET' } as Request),
  ).toBeNull();
});

test('a new build takes over unchanged hashed files, and old chunks stay for two more releases', async () => {
  await shell.layIn();
  for (const version of ['two', 'three', 'four']) {
    fetched = [];
    await build(version, ['/index.html', '/assets/a-1.js', `/assets/${version}.js`]);
    await shell.layIn();
    await shell.clearOut();
    expect(fetched).toEqual(['/index.html', `/assets/${version}.js`]);
  }
  expect([...kept.keys()]).toEqual(['tocsin-shell-two', 'tocsin-shell-three', 'tocsin-shell-four']);
  expect(await text(shell.answer(asked('/assets/two.js')))).toBe('network /assets/two.js');
});

test('a photo is fetched once; a refusal or a portal page in its place is not kept', async () => {
  network = () => new Response('<html>', { headers: { 'Content-Type': 'text/html' } });
  await shell.answer(asked('/api/v1/photos/p1/thumbnail'));
  network = () => new Response('picture', { headers: { 'Content-Type': 'image/jpeg' } });
  await shell.answer(asked('/api/v1/photos/p1/thumbnail'));
  expect(await text(shell.answer(asked('/api/v1/photos/p1/thumbnail')))).toBe('picture');
  expect(fetched).toHaveLength(2);
});

test.each([
  ["a portal's page in place of the app's", '/index.html', '<html>Welcome to the café</html>'],
  ['the page of another build, whose files are not here', '/index.html', '<script src="/assets/b-2.js"></script>'],
  ["a portal's page in place of a script", '/assets/a-1.js', '<html>Welcome to the café</html>'],
])('%s is never laid in', async (_, at, page) => {
  const usual = network;
  const headers = { 'Content-Type': 'text/html; charset=utf-8' };
  network = (path) => (path === at ? new Response(page, { headers }) : usual(path));
  await expect(shell.layIn()).rejects.toThrow(at);
});

test('a photo that stands still is given up, and no more than two hold a connection at a time', async () => {
  vi.useFakeTimers();
  let drip: (byte: number) => void;
  vi.stubGlobal('fetch', (what: RequestInfo, { signal }: RequestInit) => {
    fetched.push(pathOf(what));
    if (pathOf(what).endsWith('/p1')) {
      return Promise.resolve(
        new Response(
          new ReadableStream({
            start: (controller) => {
              drip = (byte) => controller.enqueue(new Uint8Array([byte]));
              signal!.addEventListener('abort', () => controller.error(signal!.reason));
            },
          }),
        ),
      );
    }
    return new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason as Error)));
  });
  const photos = ['p1', 'p2', 'p3'].map((id) => shell.answer(asked(`/api/v1/photos/${id}`))!.catch(() => 'given up'));
  await vi.advanceTimersByTimeAsync(9_000);
  expect(fetched).toHaveLength(2);
  drip!(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(await photos[1]).toBe('given up');
  expect(fetched).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(9_000);
  expect(await Promise.all(photos)).toEqual(['given up', 'given up', 'given up']);
  vi.useRealTimers();
});
