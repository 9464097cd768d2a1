/** The app's own files in the worker's caches: laid in at installation, served from there, old ones kept for a while. */

// Named once: the build writes the whole list wherever the name stands.
const { version, files } = __BUILD__;
const PREFIX = 'tocsin-shell-';
const NAME = `${PREFIX}${version}`;
const PHOTOS = 'tocsin-photos';
const KEPT_RELEASES = 3;
const KEPT_PHOTOS = 300;
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
      await cache.put(path, response);
    }),
  );
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
  const response = await fetch(request);
  if (response.ok && response.headers.get('Content-Type')?.startsWith('image/')) {
    await cache.put(request.url, response.clone());
    const keys = await cache.keys();
    await Promise.all(keys.slice(0, Math.max(0, keys.length - KEPT_PHOTOS)).map((key) => cache.delete(key)));
  }
  return response;
}
