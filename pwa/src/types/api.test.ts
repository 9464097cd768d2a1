import { readFileSync } from 'node:fs';
import openapi, { astToString } from 'openapi-typescript';
import { expect, test } from 'vitest';

test('the types are those of the kept OpenAPI document', async () => {
  const ast = await openapi(new URL('../../openapi.json', import.meta.url), { defaultNonNullable: false });
  const kept = readFileSync(new URL('./api.ts', import.meta.url), 'utf8');
  const body = (text: string): string => text.slice(text.indexOf('export interface paths')).trim();
  expect(body(kept), 'run make api').toBe(body(astToString(ast)));
});
