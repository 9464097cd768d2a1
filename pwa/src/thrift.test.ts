import { afterEach, expect, test, vi } from 'vitest';
import { chooseSaver, saving } from './thrift';

afterEach(() => chooseSaver('auto'));

test.each([
  [{}, false],
  [{ connection: { effectiveType: '4g', saveData: false } }, false],
  [{ connection: { effectiveType: '3g' } }, true],
  [{ connection: { effectiveType: '4g', saveData: true } }, true],
])('a link of %o is spared: %s', (browser, spared) => {
  vi.stubGlobal('navigator', browser);
  expect(saving()).toBe(spared);
});

test('what the person chose stands above the link', () => {
  vi.stubGlobal('navigator', { connection: { effectiveType: '2g' } });
  chooseSaver('off');
  expect(saving()).toBe(false);
  vi.stubGlobal('navigator', {});
  chooseSaver('on');
  expect(saving()).toBe(true);
});
