import { expect, test } from 'vitest';
import { events } from './stream';

async function read(...parts: string[]): Promise<unknown[]> {
  const bytes = new TextEncoder().encode(parts.join('\u0000'));
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      // Cut where the parts meet, even inside a Chinese character.
      let from = 0;
      for (let at = 0; at <= bytes.length; at++) {
        if (at === bytes.length || bytes[at] === 0) {
          controller.enqueue(bytes.slice(from, at));
          from = at + 1;
        }
      }
      controller.close();
    },
  });
  const seen: unknown[] = [];
  for await (const event of events(body)) seen.push(event);
  return seen;
}

test('events, heartbeats and lines cut anywhere', async () => {
  expect(
    await read('event: po', 'ke\ndata: {"spaces"', ':{}}\n', '\n:', '\n\nevent: bye\r\ndata: x\r', '\n\r\n'),
  ).toEqual([
    { name: 'poke', data: '{"spaces":{}}' },
    { name: 'beat', data: '' },
    { name: 'bye', data: 'x' },
  ]);
});

test('an event without data says nothing; several data lines are one', async () => {
  expect(await read('event: poke\n\ndata: a\ndata: b\n\n')).toEqual([{ name: 'message', data: 'a\nb' }]);
});
