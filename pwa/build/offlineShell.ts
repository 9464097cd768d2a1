/** After the app is bundled: builds the service worker with the list of files it keeps, and compresses every file once. */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { extname, join, relative, resolve, sep } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';

import { build, type Plugin, type ResolvedConfig } from 'vite';

const WORKER = 'sw.js';
const COMPRESSED = ['.gz', '.br'];
const WORTH_COMPRESSING = new Set(['.html', '.js', '.css', '.svg', '.json', '.webmanifest', '.txt']);

/** `worker` is the service worker's source, relative to the project; it sees the list as `__BUILD__`. */
export function offlineShell({ worker }: { worker: string }): Plugin {
  let config: ResolvedConfig;
  let failed = false;
  return {
    name: 'tocsin:offline-shell',
    apply: 'build',
    configResolved(resolved) {
      config = resolved;
    },
    buildEnd(error) {
      failed = error !== undefined;
    },
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        if (failed || config.mode === 'test') return;
        const out = resolve(config.root, config.build.outDir);
        await buildWorker(config, resolve(config.root, worker), out);
        await compress(out);
      },
    },
  };
}

async function buildWorker(config: ResolvedConfig, input: string, out: string): Promise<void> {
  await build({
    configFile: false,
    root: config.root,
    mode: config.mode,
    logLevel: 'warn',
    publicDir: false,
    define: { __BUILD__: JSON.stringify(await described(out)) },
    build: {
      outDir: out,
      emptyOutDir: false,
      target: config.build.target,
      rolldownOptions: { input, output: { format: 'iife', entryFileNames: WORKER } },
    },
  });
}

/** Every built file as the path the browser asks for, and a version that changes when any of them does. */
export async function described(out: string): Promise<{ version: string; files: string[] }> {
  const files = (await filesBelow(out)).filter((path) => path !== WORKER && !COMPRESSED.includes(extname(path)));
  const digest = createHash('sha256');
  for (const path of files)
    digest
      .update(path)
      .update('\0')
      .update(await readFile(join(out, path)));
  return { version: digest.digest('hex').slice(0, 16), files: files.map((path) => `/${path}`) };
}

async function compress(out: string): Promise<void> {
  for (const path of await filesBelow(out)) {
    if (!WORTH_COMPRESSING.has(extname(path))) continue;
    const plain = await readFile(join(out, path));
    await writeFile(join(out, `${path}.gz`), await promisify(gzip)(plain, { level: 9 }));
    const best = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
    await writeFile(join(out, `${path}.br`), await promisify(brotliCompress)(plain, best));
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}
