/** Reads server-sent events from a response body, heartbeats included, so that a silent connection can be told from an idle one. */

export interface StreamEvent {
  /** `beat` for a heartbeat comment. */
  name: string;
  data: string;
}

/** Yields each event as it arrives; ends with the stream. */
export async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  let name = 'message';
  let data: string[] = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += decoder.decode(value, { stream: true });
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') {
          if (data.length) yield { name, data: data.join('\n') };
          name = 'message';
          data = [];
        } else if (line.startsWith(':')) {
          yield { name: 'beat', data: '' };
        } else {
          const colon = line.indexOf(':');
          const field = colon < 0 ? line : line.slice(0, colon);
          const content = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
          if (field === 'event') name = content;
          else if (field === 'data') data.push(content);
        }
      }
    }
  } finally {
    reader.releaseLock();
  }
}
