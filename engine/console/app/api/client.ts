// Asks the server. One place that knows cookies, the CSRF field and the shape of errors.
import { signal } from '@preact/signals';
import { forgetEarly, takeEarly } from '../early.ts';
import { EYES, eyes, isAllowed, isOwn, onViewLost } from '../eyes.ts';
import { setServerTime } from '../live/clock.ts';
import { t } from '../words/words.ts';

/** The server's answer to a request that failed: problem+json. `status` 0: no answer came. */
export class Problem extends Error {
  constructor(
    readonly status: number, readonly code: string, message: string,
    readonly field: string | null = null, readonly request: string | null = null, readonly retry_s: number | null = null,
  ) { super(message); }
  /** All of it as text, to hand to somebody who can help. */
  details(): string {
    return [`${this.status} ${this.code}`, this.message, this.field && `field: ${this.field}`, this.request && `request: ${this.request}`].filter(Boolean).join('\n');
  }
}

/** The session's CSRF token; empty without a session. */
export const csrf = signal('');
/** Called when the server says that the session is over. */
export const onSignedOut: { call: () => void } = { call: () => {} };

export interface Answer<T> { body: T; etag: string | null }
export interface AskOptions { method?: string; body?: unknown; etag?: string; signal?: AbortSignal; text?: boolean }

const BASE = '/api/v1';
/** The server's code for "nobody is signed in (any more)". */
const SIGN_IN_FIRST = 'E0602';
/** Its code for "your role does not allow it". */
export const FORBIDDEN = 'E0603';
/** Of this page: a view as a role changes nothing. */
export const VIEWING = 'VIEWING';
/** Longest wait for an answer, ms. */
const ANSWER_MS = 30_000;

async function problem(response: Response): Promise<Problem> {
  const text = await response.text().catch(() => '');
  let parts: Record<string, unknown> = {};
  try { parts = JSON.parse(text) as Record<string, unknown>; } catch { /* not JSON: the status says enough */ }
  const word = (name: string) => (typeof parts[name] === 'string' ? (parts[name] as string) : null);
  const retry = Number(response.headers.get('retry-after'));
  return new Problem(
    response.status, word('code') ?? `HTTP ${response.status}`, word('detail') ?? word('title') ?? response.statusText,
    word('field'), word('request') ?? response.headers.get('x-request-id'), Number.isFinite(retry) && retry > 0 ? retry : null,
  );
}

/** What changes something and is under way: its answer may bring another session. */
let changing: Promise<unknown> = Promise.resolve();
/** When nothing that changes something is under way any more. */
export const settled = (): Promise<unknown> => changing;

/** Ask a path below `/api/v1`; throws a `Problem` for everything but success. */
export function askWhole<T>(path: string, options: AskOptions = {}): Promise<Answer<T>> {
  const asked = askOnce<T>(path, options);
  if ((options.method ?? (options.body === undefined ? 'GET' : 'POST')) !== 'GET') changing = Promise.allSettled([changing, asked]);
  return asked;
}

async function askOnce<T>(path: string, options: AskOptions): Promise<Answer<T>> {
  const headers: Record<string, string> = { accept: 'application/json' };
  const method = options.method ?? (options.body === undefined ? 'GET' : 'POST');
  if (options.body !== undefined) headers['content-type'] = 'application/json';
  if (method !== 'GET' && csrf.peek()) headers['x-linchpin-csrf'] = csrf.peek();
  if (options.etag) headers['if-match'] = options.etag;
  if (eyes.peek() && !isAllowed(method, path)) throw new Problem(403, VIEWING, t('viewas.readonly'));
  if (eyes.peek() && !isOwn(path)) headers[EYES] = eyes.peek();
  if (method !== 'GET') forgetEarly();
  const late = AbortSignal.timeout(ANSWER_MS);
  const response = await ((method === 'GET' && !eyes.peek() ? takeEarly(path) : null) ?? fetch(`${BASE}${path}`, {
    method, headers, credentials: 'same-origin', cache: 'no-store',
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
    signal: options.signal ? AbortSignal.any([options.signal, late]) : late,
  })).catch((error: unknown) => {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, 'OFFLINE', error instanceof Error ? error.message : String(error));
  });
  const date = Date.parse(response.headers.get('date') ?? '');
  if (Number.isFinite(date)) setServerTime(date + 500, 2_000);
  // A session that was proven again has another token.
  const renewed = response.headers.get('x-linchpin-csrf');
  if (renewed) csrf.value = renewed;
  if (!response.ok) {
    const found = await problem(response);
    if (found.field === EYES && headers[EYES] === eyes.peek()) onViewLost.call();
    // A wrong password at a step-up is a 401 too: it does not end the session.
    if (found.code === SIGN_IN_FIRST && csrf.peek() && path !== '/session' && path !== '/me') onSignedOut.call();
    throw found;
  }
  const body = response.status === 204 ? undefined : options.text ? await response.text() : await response.json();
  return { body: body as T, etag: response.headers.get('etag') };
}

export const ask = async <T>(path: string, options?: AskOptions): Promise<T> => (await askWhole<T>(path, options)).body;
export const put = <T = void>(path: string, body: unknown, etag?: string): Promise<T> => ask<T>(path, { method: 'PUT', body, etag });
export const patch = <T = void>(path: string, body: unknown): Promise<T> => ask<T>(path, { method: 'PATCH', body });
export const post = <T = void>(path: string, body: unknown = {}): Promise<T> => ask<T>(path, { body });
export const remove = (path: string): Promise<void> => ask(path, { method: 'DELETE' });
