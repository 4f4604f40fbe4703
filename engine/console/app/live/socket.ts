// One live socket for the whole page. It watches what is on the screen, reconnects by itself, and says how it is.
import { batch, signal, type Signal } from '@preact/signals';
import { liveAddress } from './address.ts';
import { decodeReport, encodeAsk } from './codec.ts';
import { serverNow, setServerTime } from './clock.ts';
import { Drawing } from './drawing.ts';
import { eyes } from '../eyes.ts';
import type { Ask, Outcome, PinNumber, Report, Selection, Value, What } from './messages.ts';
import { apply } from './store.ts';

/** `late`: nothing for 12 s. `down`: there is no socket. `revoked`: the rights ended; sign in again. */
export type LinkState = 'idle' | 'connecting' | 'live' | 'late' | 'down' | 'revoked';

/** Longest silence of a live socket, ms: two of the server's ticks and a bit. */
const SILENCE_MS = 12_000;
const FIRST_RETRY_MS = 500;
/** About how long a page waits that was sent away only for a new grant, ms. */
const AT_ONCE_MS = 100;
const LAST_RETRY_MS = 30_000;
/** A hidden page watches nothing after this time, ms. */
const HIDDEN_MS = 60_000;
/** Longest wait for the answer to a write, ms. */
const WRITE_MS = 10_000;
/** Largest number of a set. */
const SETS = 0xffff;

export const link = signal<LinkState>('idle');
/** When the link was last live, server's ms. */
export const lastHeard = signal(0);
/** Another build is on the server. */
export const newBuild = signal(false);
/** Changes with the person's rights. */
export const rights = signal(0);

export interface Written { outcome: Outcome; code: number }
export interface WatchOptions {
  what: What[];
  select: Selection;
  pins?: 'all' | PinNumber[];
  every?: PinNumber[];
  onReport?: (report: Report) => void;
}
export interface Watch {
  /** False from the loss of the link to the next whole snapshot: what is shown is old. */
  fresh: Signal<boolean>;
  /** Devices that a query found, in its order. */
  members: Signal<{ total: number; devices: number[] }>;
  /** The code with which the server refused, or 0. */
  refused: Signal<number>;
  close(): void;
}
interface Set extends Watch { number: number; options: WatchOptions }

const sets = new Map<number, Set>();
const writes = new Map<number, { answer: (written: Written) => void; timer: ReturnType<typeof setTimeout> }>();
const all = new globalThis.Set<(report: Report) => void>();
let socket: WebSocket | null = null;
let wanted = false;
let asleep = false;
let retry_ms = FIRST_RETRY_MS;
let nextSet = 1;
let nextRequest = 1;
let retryTimer: ReturnType<typeof setTimeout> | undefined;
let silenceTimer: ReturnType<typeof setTimeout> | undefined;
let hiddenTimer: ReturnType<typeof setTimeout> | undefined;

function send(ask: Ask): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(encodeAsk(ask));
}

function sendWatch(set: Set): void {
  const { what, select, pins = [], every = [] } = set.options;
  send({ kind: 'watch', set: set.number, what, select, pins, every });
}

function stale(): void {
  batch(() => { for (const set of sets.values()) set.fresh.value = false; });
}

/** When something came last, by the page's own clock, ms. One timer waits for silence, however much comes. */
let heardAt = 0;
function listen(): void {
  silenceTimer = setTimeout(() => {
    if (performance.now() - heardAt < SILENCE_MS) { listen(); return; }
    link.value = 'late';
    stale();
    drop();
    again();
  }, Math.max(0, heardAt + SILENCE_MS - performance.now()));
}

function heard(): void {
  heardAt = performance.now();
  if (silenceTimer === undefined) listen();
  lastHeard.value = serverNow();
  if (link.value !== 'live') link.value = 'live';
}

/** The socket that is wanted last: what was asked for an earlier one is not used. */
let serial = 0;
/** End the socket without waiting for its close. */
function drop(): void {
  const old = socket;
  socket = null;
  serial++;
  clearTimeout(silenceTimer);
  silenceTimer = undefined;
  drawing.forget();
  if (old) {
    old.onopen = old.onmessage = old.onclose = old.onerror = null;
    old.close();
  }
  for (const [request, write] of writes) {
    clearTimeout(write.timer);
    writes.delete(request);
    write.answer({ outcome: 'refused', code: 0 });
  }
}

function again(): void {
  clearTimeout(retryTimer);
  if (!wanted || link.value === 'revoked') return;
  retryTimer = setTimeout(open, retry_ms * (0.5 + Math.random()));
  retry_ms = Math.min(retry_ms * 2, LAST_RETRY_MS);
}

function onReport(report: Report): void {
  switch (report.kind) {
    case 'hello':
      setServerTime(report.server_ms);
      rights.value = report.rights;
      retry_ms = FIRST_RETRY_MS;
      if (report.build !== 'none' && report.build !== __BUILD__) newBuild.value = true;
      return;
    case 'tick': setServerTime(report.server_ms, 250); return;
    case 'snapshot': {
      const set = sets.get(report.set);
      if (!set) return;
      set.members.value = { total: report.total, devices: report.devices };
      set.fresh.value = true;
      break;
    }
    case 'refused': { const set = sets.get(report.set); if (set) set.refused.value = report.code; return; }
    case 'wrote': {
      const write = writes.get(report.request);
      if (!write) return;
      clearTimeout(write.timer);
      writes.delete(report.request);
      write.answer({ outcome: report.outcome, code: report.code });
      return;
    }
    case 'revoked':
      link.value = 'revoked';
      stale();
      drop();
      for (const listener of all) listener(report);
      return;
    // At once where the rights have changed, spread a little: a whole organization may come.
    case 'bye': retry_ms = report.retry_ms === 0 ? AT_ONCE_MS : Math.max(report.retry_ms, FIRST_RETRY_MS); return;
  }
  apply(report);
  for (const set of sets.values()) set.options.onReport?.(report);
  for (const listener of all) listener(report);
}

const drawing = new Drawing((reports) => batch(() => reports.forEach(onReport)));

/** Called when a link was not let in: a page does not hear why, and the session may have ended between two links. */
export const onUnopened = { call: (): void => {} };

function open(): void {
  drop();
  clearTimeout(retryTimer);
  if (!wanted || asleep) return;
  if (link.value !== 'late' && link.value !== 'down') link.value = 'connecting';
  const mine = serial;
  liveAddress((url) => { if (mine === serial && wanted) dial(url); }, () => {
    if (mine !== serial) return;
    if (link.value !== 'late') link.value = 'down';
    again();
  });
}

function dial(url: URL): void {
  const made = new WebSocket(url, 'linchpin.live.1');
  socket = made;
  made.binaryType = 'arraybuffer';
  let opened = false;
  made.onopen = () => {
    opened = true;
    send({ kind: 'hello', build: __BUILD__ });
    for (const set of sets.values()) sendWatch(set);
    heard();
  };
  made.onmessage = (message: MessageEvent<ArrayBuffer>) => {
    heard();
    let report: Report;
    try { report = decodeReport(new Uint8Array(message.data)); } catch (error) {
      // A stream that cannot be read is not guessed at: begin again with a snapshot.
      console.warn(String(error));
      made.close();
      return;
    }
    if (report.kind === 'values') { drawing.add(report); return; }
    drawing.now();
    batch(() => onReport(report));
  };
  made.onclose = () => {
    drawing.now();
    if (link.value !== 'late') link.value = 'down';
    stale();
    drop();
    again();
    if (!opened) onUnopened.call();
  };
}

/** Begin; the session's cookie must be there. */
export function connect(): void {
  if (wanted && link.value !== 'revoked') return;
  wanted = true;
  link.value = 'connecting';
  retry_ms = FIRST_RETRY_MS;
  open();
}

/** End, at sign-out. */
export function disconnect(): void {
  wanted = false;
  clearTimeout(retryTimer);
  drop();
  link.value = 'idle';
}

/** Connect again, for another view of the same person: what the old socket saw is not shown any more. */
export function renew(): void {
  if (!wanted) return;
  stale();
  link.value = 'connecting';
  retry_ms = FIRST_RETRY_MS;
  open();
}

/** Connect now instead of at the next retry. */
export function hurry(): void {
  if (!wanted || socket?.readyState === WebSocket.OPEN) return;
  retry_ms = FIRST_RETRY_MS;
  open();
}

/** Watch something until `close`. After a reconnection its snapshot comes again. */
export function watch(options: WatchOptions): Watch {
  while (sets.has(nextSet)) nextSet = (nextSet % SETS) + 1;
  const number = nextSet;
  nextSet = (nextSet % SETS) + 1;
  const set: Set = {
    number, options, fresh: signal(false), members: signal({ total: 0, devices: [] }), refused: signal(0),
    close() { if (sets.delete(number)) send({ kind: 'unwatch', set: number }); },
  };
  sets.set(number, set);
  sendWatch(set);
  return set;
}

/** Write a value to a device. Without a link, and in a view as a role, it is refused at once: nothing is retained in the page. */
export function write(device: number, pin: PinNumber, value: Value): Promise<Written> {
  if (eyes.peek() || socket?.readyState !== WebSocket.OPEN) return Promise.resolve({ outcome: 'refused', code: 0 });
  const request = nextRequest++;
  return new Promise((answer) => {
    const timer = setTimeout(() => { writes.delete(request); answer({ outcome: 'refused', code: 0 }); }, WRITE_MS);
    writes.set(request, { answer, timer });
    send({ kind: 'write', request, device, pin, value });
  });
}

/** Every report, for what is not about one watch. */
export function onAny(listener: (report: Report) => void): () => void {
  all.add(listener);
  return () => { all.delete(listener); };
}

addEventListener('online', hurry);
document.addEventListener('visibilitychange', () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) {
    hiddenTimer = setTimeout(() => { asleep = true; for (const set of sets.values()) send({ kind: 'unwatch', set: set.number }); stale(); }, HIDDEN_MS);
    return;
  }
  if (asleep) {
    asleep = false;
    if (socket?.readyState === WebSocket.OPEN) for (const set of sets.values()) sendWatch(set);
  }
  hurry();
});
