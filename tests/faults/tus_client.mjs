/* The public tus-js-client against our server: `node tus_client.mjs PWA ENDPOINT COOKIE METADATA FILE WITH_FIRST`; says what became of it. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [pwa, endpoint, cookie, metadata, file, withFirst] = process.argv.slice(2);
const tus = createRequire(join(pwa, 'package.json'))('tus-js-client');
const offsets = [];
const upload = new tus.Upload(readFileSync(file), {
  endpoint,
  uploadDataDuringCreation: withFirst === 'yes',
  metadata: JSON.parse(metadata),
  headers: { Cookie: cookie, 'X-Tocsin': '1', Origin: new URL(endpoint).origin },
  chunkSize: 20_000,
  retryDelays: [0, 300, 1_000, 1_000, 3_000, 3_000, 5_000, 5_000, 10_000],
  onChunkComplete: (size, accepted) => {
    offsets.push(accepted);
    process.stdout.write(`${JSON.stringify({ accepted })}\n`);
  },
  onError: (error) => {
    process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`);
    process.exitCode = 1;
  },
  onSuccess: () => process.stdout.write(`${JSON.stringify({ done: true, url: upload.url, offsets })}\n`),
});
upload.start();
