/** The app's own files in the worker's caches: laid in at installation, served from there, old ones kept for a while. */

// Named once: the build writes the whole list wherever the name stands.
const { version, files } = __BUILD__;
const PREFIX = 'tocsin-shell-';
const NAME = `${PREFIX}${version}`;
const PHOTOS = 'tocsin-photos';
const KEPT_RELEASES = 3;
const KEPT_PHOTOS = 300;
/** How long a photo may stand still on its way, and take in all. */
const PHOTO_IDLE_MS = 10_000;
const PHOTO_MOST_MS = 90_000;
/** Photos fetched at a time: browsers hold six connections to a server, and what people report goes first. */
const PHOTOS_AT_ONCE = 2;
const SHELL = '/index.html';
const FILES = new Set(files);

/** Fetches every file of this build; what an earlier build already has under the same hashed name is taken over. */
export async function layIn(): Promise<void> {
  const cache = await caches.open(NAME);
  await Promise.all(
    files.map(async (path) => {
      const hashed = path.startsWith('/assets/');
      const known = hashed ? await caches.match(path) : undefined;
      const response = known ?? (await fetch(path, { cache: hashed ? 'default' : 'no-cache', redirect: 'error' }));
      if (!response.ok) throw new Error(`${path}: ${response.status}`);
      if (!(await isOurs(path, response))) throw new Error(`${path}: another's page`);
      await cache.put(path, response);
    }),
  );
}

/** Not the page of a portal or a proxy, nor the shell of another build, whose files this one does not have. */
async function isOurs(path: string, response: Response): Promise<boolean> {
  if (path !== SHELL) return path.endsWith('.html') || !/^text\/html/i.test(response.headers.get('Content-Type') ?? '');
  const named = (await response.clone().text()).match(/\/assets\/[\w.-]+/g) ?? [];
  return named.length > 0 && named.every((file) => FILES.has(file));
}

/** Old chunks stay for a few releases, for tabs that still run them. */
export async function clearOut(): Promise<void> {
  const shells = (await caches.keys()).filter((name) => name.startsWith(PREFIX) && name !== NAME);
  await Promise.all(
    shells.slice(0, Math.max(0, shells.length - (KEPT_RELEASES - 1))).map((name) => caches.delete(name)),
  );
}

/** The answer to a page's request, or null when the network should have it untouched. */
export function answer(request: Request): Promise<Response> | null {
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== self.location.origin) return null;
  if (/^\/api\/v1\/(photos|floor-plans)\//.test(url.pathname)) return photo(request);
  if (url.pathname.startsWith('/api/')) return null;
  if (request.mode === 'navigate') {
    return url.pathname === '/' || url.pathname === SHELL ? file(SHELL, request) : network(request);
  }
  if (FILES.has(url.pathname) || url.pathname.startsWith('/assets/')) return file(url.pathname, request);
  return null;
}

async function file(path: string, request: Request): Promise<Response> {
  const own = await (await caches.open(NAME)).match(path);
  return own ?? (await caches.match(path)) ?? (await fetch(request));
}

async function network(request: Request): Promise<Response> {
  try {
    return await fetch(request);
  } catch (error) {
    const shell = await caches.match(SHELL);
    if (shell) return shell;
    throw error;
  }
}

/** A photo never changes, so the first copy is kept; who signs out takes the whole cache along. */
async function photo(request: Request): Promise<Response> {
  const cache = await caches.open(PHOTOS);
  const kept = await cache.match(request.url);
  if (kept) return kept;
  const response = await inTurn(() => fetchWhole(request));
  if (response.ok && response.headers.get('Content-Type')?.startsWith('image/')) {
    await cache.put(request.url, response.clone());
    const keys = await cache.keys();
    await Promise.all(keys.slice(0, Math.max(0, keys.length - KEPT_PHOTOS)).map((key) => cache.delete(key)));
  }
  return response;
}

let fetching = 0;
const turns: (() => void)[] = [];
async function inTurn<T>(work: () => Promise<T>): Promise<T> {
  if (fetching >= PHOTOS_AT_ONCE) await new Promise<void>((resolve) => turns.push(resolve));
  else fetching += 1;
  try {
    return await work();
  } finally {
    const next = turns.shift();
    if (next) next();
    else fetching -= 1;
  }
}

/** An image has no time-out of its own: one that stands still would hold its connection, and be waited for, for minutes. */
async function fetchWhole(request: Request): Promise<Response> {
  const stop = new AbortController();
  const end = () => stop.abort();
  const most = setTimeout(end, PHOTO_MOST_MS);
  let idle = setTimeout(end, PHOTO_IDLE_MS);
  try {
    const response = await fetch(request, { signal: stop.signal });
    const reader = response.body?.getReader();
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      parts.push(part.value);
      clearTimeout(idle);
      idle = setTimeout(end, PHOTO_IDLE_MS);
    }
    const { status, statusText, headers } = response;
    return new Response(response.body ? new Blob(parts) : null, { status, statusText, headers });
  } finally {
    clearTimeout(most);
    clearTimeout(idle);
  }
}
