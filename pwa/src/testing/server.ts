/** A server double for unit tests: speaks batch, changes, me, sessions and uploads, and can be told to misbehave. */

import type { BatchItem, BatchResult, FeedRow, Me } from '../types';

export type Reply = Response | 'no network' | 'no answer';
interface Space {
  version: number;
  rows: Map<string, FeedRow>;
  minimum: number;
}
export interface Call {
  method: string;
  path: string;
  body: Record<string, unknown>;
  headers: Headers;
  raw: ArrayBuffer | null;
}

export const PERSON = '01900000-0000-7000-8000-0000000000aa';
export const DEVICE = '01900000-0000-7000-8000-0000000000dd';

export class ServerDouble {
  epoch = 'epoch-1';
  person: string | null = PERSON;
  calls: Call[] = [];
  facts = new Map<string, string>();
  spaces = new Map<string, Space>();
  allowed: Set<string> | null = null;
  pageSize = 500;
  /** No call arrives. */
  away = false;
  /** What the next calls get instead of an answer, in order. */
  interrupts: ((call: Call) => Reply | null | Promise<Reply | null>)[] = [];
  /** Judges a new fact; null applies it. */
  judge: (item: BatchItem) => Partial<BatchResult> | null = () => null;
  /** The pieces of each photo that have arrived. */
  uploads = new Map<string, Uint8Array[]>();
  /** Whether it takes the first bytes with the first request, as a server of before does not. */
  takesBytesAtOnce = true;

  /** Puts a row into a space at its next version. */
  row(space: string, type: string, id: string, doc: Record<string, unknown> | null): void {
    const here = this.space(space);
    here.version += 1;
    here.rows.set(`${type}/${id}`, { type, id, version: here.version, op: doc ? 'put' : 'del', doc });
  }

  space(id: string): Space {
    let here = this.spaces.get(id);
    if (!here) this.spaces.set(id, (here = { version: 0, rows: new Map(), minimum: 0 }));
    return here;
  }

  batches(): { items: BatchItem[]; person: string; epoch: string; device: string }[] {
    return this.calls.filter((call) => call.path === '/api/v1/batch').map((call) => call.body as never);
  }

  fetch = async (input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> => {
    const raw = init.body instanceof ArrayBuffer ? init.body : null;
    const call: Call = {
      method: init.method ?? 'GET',
      path: input as string,
      body: typeof init.body === 'string' ? (JSON.parse(init.body) as Record<string, unknown>) : {},
      headers: new Headers(init.headers),
      raw,
    };
    this.calls.push(call);
    if (this.away) throw new TypeError('Failed to fetch');
    const interrupt = this.interrupts.shift();
    const reply = (await interrupt?.(call)) ?? this.answer(call);
    if (reply === 'no network') throw new TypeError('Failed to fetch');
    if (reply === 'no answer') {
      return await new Promise((_, reject) => {
        init.signal?.addEventListener('abort', () => reject(new DOMException('', 'AbortError')));
      });
    }
    return reply;
  };

  json(body: unknown, status = 200, headers: Record<string, string> = {}): Response {
    const type = status < 400 ? 'application/json' : 'application/problem+json';
    const all = { 'Content-Type': type, 'X-Tocsin-Time': new Date().toISOString(), ...headers };
    return new Response(JSON.stringify(body), { status, headers: all });
  }

  problem(
    status: number,
    code: string,
    more: Record<string, unknown> = {},
    headers: Record<string, string> = {},
  ): Response {
    return this.json({ type: 'about:blank', title: code, status, code, ...more }, status, headers);
  }

  empty(status: number, headers: Record<string, string> = {}): Response {
    return new Response(null, { status, headers: { 'X-Tocsin-Time': new Date().toISOString(), ...headers } });
  }

  portal(): Response {
    return new Response('<html>Welcome to the café</html>', { headers: { 'Content-Type': 'text/html' } });
  }

  me(person = PERSON): Me {
    return {
      person: { id: person, name: '李明', username: 'liming', role: 'responder', locale: 'zh' },
      organisation: { id: 'o', name: { zh: '景区', en: 'Park' }, timezone: 'Asia/Shanghai', demo: true },
      memberships: [],
      device: { id: DEVICE, name: 'test', subscribed: true },
      epoch: this.epoch,
      schema: 1,
      vapid_public_key: 'BEl62iUYgUivxIkv69yViEuiBIa',
      spaces: [...this.spaces.keys()],
      rights: [],
    };
  }

  private answer(call: Call): Response {
    const path = call.path.replace('/api/v1', '');
    if (path === '/sessions' || path === '/sessions/enrolments') {
      this.person ??= PERSON;
      return this.json(this.me(this.person));
    }
    if (path.startsWith('/tokens/')) return this.json({});
    if (this.person === null) return this.problem(401, 'sign_in_first');
    if (path === '/sessions/current') {
      this.person = null;
      return this.empty(204);
    }
    if (path === '/me') return this.json(this.me(this.person));
    if (path === '/batch') return this.batch(call.body as never);
    if (path === '/changes') return this.changes(call.body as never);
    if (path.startsWith('/uploads')) return this.upload(call, path);
    return this.json({});
  }

  private batch(body: { person: string; device: string; epoch: string; items: BatchItem[] }): Response {
    if (body.person !== this.person) return this.problem(409, 'wrong_person');
    if (body.device !== DEVICE) return this.problem(403, 'device_wrong');
    if (body.epoch !== this.epoch) return this.problem(409, 'epoch_changed', { epoch: this.epoch });
    if (body.items.length > 50) return this.problem(413, 'batch_too_large');
    const results = body.items.map((item): BatchResult => {
      const print = JSON.stringify([item.path, item.body]);
      const known = this.facts.get(item.id);
      if (known === print) return { id: item.id, status: 'duplicate', http: 200 };
      if (known !== undefined) return { id: item.id, status: 'refused', http: 409, code: 'id_reused' };
      const judged = this.judge(item);
      if (judged) return { id: item.id, status: 'refused', http: 422, ...judged };
      this.facts.set(item.id, print);
      return { id: item.id, status: 'applied', http: 201 };
    });
    return this.json({ server_time: new Date().toISOString(), epoch: this.epoch, results });
  }

  private changes(body: { epoch: string; cursors: Record<string, number> }): Response {
    // As the real one: another epoch makes every cursor worthless, and the answer names the new one.
    const cursors = body.epoch === this.epoch ? body.cursors : {};
    const allowed = [...this.spaces.keys()].filter((id) => this.allowed?.has(id) ?? true);
    const spaces = allowed.map((id) => {
      const { rows, version, minimum } = this.space(id);
      const from = cursors[id] ?? 0;
      const reset = from > 0 && from < minimum;
      const newer = [...rows.values()].filter((row) => row.version > (reset ? 0 : from));
      newer.sort((a, b) => a.version - b.version);
      const page = newer.slice(0, this.pageSize);
      const more = newer.length > page.length;
      return { id, to: more ? page.at(-1)!.version : version, more, reset, rows: page };
    });
    const drop = Object.keys(cursors).filter((id) => !allowed.includes(id));
    return this.json({ epoch: this.epoch, server_time: new Date().toISOString(), spaces, drop });
  }

  private upload(call: Call, path: string): Response {
    const id = path.split('/')[2] ?? atob(/^id (\S+?),/.exec(call.headers.get('Upload-Metadata')!)![1]!);
    const begins = call.method === 'POST';
    if (begins && !this.uploads.has(id)) this.uploads.set(id, []);
    const kept = this.uploads.get(id);
    if (!kept) return this.problem(410, 'upload_gone');
    let offset = kept.reduce((sum, part) => sum + part.length, 0);
    if (call.method === 'PATCH' && Number(call.headers.get('Upload-Offset')) !== offset) {
      return this.problem(409, 'offset_wrong', {}, { 'Upload-Offset': String(offset) });
    }
    if (call.raw && (call.method === 'PATCH' || (offset === 0 && this.takesBytesAtOnce))) {
      kept.push(new Uint8Array(call.raw));
      offset += call.raw.byteLength;
    }
    const headers = { 'Upload-Offset': String(offset), ...(begins ? { Location: `/api/v1/uploads/${id}` } : {}) };
    return this.empty(begins ? 201 : call.method === 'HEAD' ? 200 : 204, headers);
  }
}
