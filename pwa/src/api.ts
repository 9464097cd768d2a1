/** The only fetch: every question to the server ends in its answer, in `Offline`, or in `Refused`. */

import { announce, type Connection } from './changes';
import { learn, skew } from './clock';
import { API } from './queue';
import type { FieldError, Problem } from './types';

const TIMEOUT_MS = 20_000;
/** After how long without an answer a person is told so, longer for what is large on a slow link. */
const SILENT_MS = 4_000;
const SLOW_BYTES_A_MS = 8;

/** No answer of the server's own came back: no network, a time-out, a captive portal's page, a proxy's error page. */
export class Offline extends Error {
  override name = 'Offline';
  constructor(
    message: string,
    /** The connection stood, or seemed to, and nothing came within the time. */
    readonly timedOut = false,
  ) {
    super(message);
  }
}

/** A request that was not answered when it should have been; it may still be. */
const overdue = new Set<AbortController>();

/** The server said no. */
export class Refused extends Error {
  override name = 'Refused';
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    readonly errors: FieldError[],
    /** Seconds the server asks to wait, null when it does not say. */
    readonly retryAfter: number | null,
    /** The whole problem document, for the fields that only some refusals carry. */
    readonly problem: Record<string, unknown>,
  ) {
    super(`${status} ${code}: ${detail || title}`);
  }
}

export interface Ask {
  body?: unknown;
  /** For what is not JSON: photos. */
  raw?: { data: ArrayBuffer; headers: Record<string, string> };
  headers?: Record<string, string>;
  timeoutMs?: number;
  /** Lets the request outlive the page, for a last flush on leaving. */
  keepalive?: boolean;
}

let language = 'zh';
/** In which language the server words its refusals. */
export function speak(locale: string): void {
  language = locale;
}

/** What is known of the connection once the server has answered. */
export function contact(): Partial<Connection> {
  return { online: true, serverSilent: false, nextTry: null, lastContact: Date.now(), skew: skew() };
}

/** Ends what has waited too long for its answer: whoever asked asks again, on a connection that is alive. */
export function giveUpOverdue(): void {
  for (const request of overdue) request.abort();
}

/** Asks and returns the JSON answer (null for an empty one). Raises `Offline` or `Refused`. */
export async function call<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
  const response = await send(method, path, ask);
  if (response.status === 204) return null as T;
  return (await readJson(response)) as T;
}

/** Asks where the answer is in the headers (tus). Raises `Offline` or `Refused`. */
export async function callForHeaders(method: string, path: string, ask: Ask = {}): Promise<Headers> {
  return (await send(method, path, ask)).headers;
}

/** Opens the event stream; resolves with its body once the server has answered. Raises `Offline` or `Refused`. */
export async function openStream(path: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  let response: Response;
  try {
    response = await fetch(urlOf(path), {
      headers: { Accept: 'text/event-stream' },
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal,
    });
  } catch (error) {
    throw new Offline(String(error));
  }
  if (!response.ok) throw await refusal(response);
  if (!isType(response, 'text/event-stream') || !response.body) throw new Offline('not the event stream');
  return response.body;
}

async function send(method: string, path: string, ask: Ask): Promise<Response> {
  const headers: Record<string, string> = {
    Accept: 'application/json, application/problem+json',
    'Accept-Language': language,
    ...ask.headers,
  };
  if (method !== 'GET' && method !== 'HEAD') headers['X-Tocsin'] = '1';
  let body: BodyInit | null = null;
  if (ask.raw) {
    body = ask.raw.data;
    Object.assign(headers, ask.raw.headers);
  } else if (ask.body !== undefined) {
    body = JSON.stringify(ask.body);
    headers['Content-Type'] = 'application/json';
  }
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), ask.timeoutMs ?? TIMEOUT_MS);
  const patience = setTimeout(() => silent(stop), SILENT_MS + sizeOf(body) / SLOW_BYTES_A_MS);
  const sentAt = Date.now();
  try {
    const response = await fetch(urlOf(path), {
      method,
      headers,
      body,
      credentials: 'same-origin',
      cache: 'no-store',
      // A portal redirects to its own page; the API never redirects.
      redirect: 'error',
      keepalive: ask.keepalive ?? false,
      signal: stop.signal,
    });
    const time = response.headers.get('X-Tocsin-Time');
    if (time) {
      learn(time, sentAt, Date.now());
      clearTimeout(patience);
      if (overdue.delete(stop)) {
        announce({ person: null, connection: contact() });
      }
    }
    // Whoever answers without the server's mark is not the server, whatever the status says.
    else if (response.ok) throw new Offline("an answer without the server's mark");
    if (!response.ok) throw await refusal(response);
    return await whole(response, stop.signal);
  } catch (error) {
    if (error instanceof Refused || error instanceof Offline) throw error;
    throw new Offline(String(error), stop.signal.aborted);
  } finally {
    clearTimeout(timer);
    clearTimeout(patience);
    overdue.delete(stop);
  }
}

/** Says that the server is silent while its answer is still waited for: a person need not wait for the time-out. */
function silent(request: AbortController): void {
  overdue.add(request);
  if (typeof navigator !== 'undefined' && navigator.onLine === false) return;
  announce({ person: null, connection: { online: false, serverSilent: true } });
}

function sizeOf(body: BodyInit | null): number {
  return typeof body === 'string' ? body.length : body instanceof ArrayBuffer ? body.byteLength : 0;
}

/** Reads the body before the time-out is disarmed, so that a server which stalls half-way counts as no answer. */
async function whole(response: Response, signal: AbortSignal): Promise<Response> {
  if (response.status === 204 || !response.body) return response;
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(new Offline('timed out', true)), { once: true });
  });
  const text = await Promise.race([response.text(), aborted]);
  return new Response(text, { status: response.status, headers: response.headers });
}

async function readJson(response: Response): Promise<unknown> {
  if (!isType(response, 'application/json')) throw new Offline('an answer that is not JSON');
  try {
    return await response.json();
  } catch {
    throw new Offline('an answer that is not whole');
  }
}

/** The server's refusal; a 4xx page that is not its problem document comes from something in between. */
async function refusal(response: Response): Promise<Refused | Offline> {
  const after = retryAfter(response.headers.get('Retry-After'));
  if (isType(response, 'application/problem+json') || isType(response, 'application/json')) {
    const problem = (await response.json().catch(() => null)) as (Problem & Record<string, unknown>) | null;
    if (problem && typeof problem.code === 'string') {
      const { code, title = '', detail = '', errors = [] } = problem;
      problem['epoch'] ??= response.headers.get('X-Tocsin-Epoch') ?? undefined;
      return new Refused(response.status, code, title, detail, errors, after, problem);
    }
  }
  // The answer to HEAD has no body; what carries the server's mark is the server's own.
  const marked = response.headers.has('X-Tocsin-Time');
  if (marked || response.status >= 500 || response.status === 413 || response.status === 429) {
    return new Refused(response.status, `http_${response.status}`, '', '', [], after, {});
  }
  return new Offline(`a ${response.status} that is not the server's`);
}

/** Seconds from a Retry-After header, which holds seconds or a date. */
export function retryAfter(header: string | null): number | null {
  if (!header) return null;
  const seconds = Number(header);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, (at - Date.now()) / 1000);
}

function isType(response: Response, type: string): boolean {
  return (response.headers.get('Content-Type') ?? '').split(';')[0]!.trim().toLowerCase() === type;
}

function urlOf(path: string): string {
  return path.startsWith('/api/') ? path : API + path;
}
