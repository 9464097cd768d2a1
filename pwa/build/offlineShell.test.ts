/** The list the service worker keeps names every file once, and its version changes with any of them. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { described } from './offlineShell';

let out: string;

beforeEach(async () => {
  out = await mkdtemp(join(tmpdir(), 'shell-'));
  await mkdir(join(out, 'assets'));
  await writeFile(join(out, 'index.html'), '<p>1</p>');
  await writeFile(join(out, 'assets', 'main.js'), '1');
});

afterEach(() => rm(out, { recursive: true }));

it('leaves out the worker itself and the compressed copies', async () => {
  await writeFile(join(out, 'sw.js'), '');
  await writeFile(join(out, 'index.html.br'), '');
  expect((await described(out)).files).toEqual(['/assets/main.js', '/index.html']);
});

it('changes the version when a file changes under the same name', async () => {
  const before = await described(out);
  await writeFile(join(out, 'index.html'), '<p>2</p>');
  const after = await described(out);
  expect(after.files).toEqual(before.files);
  expect(after.version).not.toEqual(before.version);
});
