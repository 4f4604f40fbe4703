// `linchpin.live.1`: one message a WebSocket frame, little-endian; the first byte is the kind. Strings and values carry
// their length in 16 bits. `tests/fixtures` of the protocol crate holds messages with their bytes, for both languages.
import type { Ask, PinNumber, Report, Selection, Value, What } from './messages.ts';
import { DIRECTIONS, LEVELS, OUTCOMES, STATES, WHAT } from './messages.ts';

/** A frame that is not a message. */
export class CodecFault extends Error {}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const toUtf8 = new TextEncoder();
const at = <T>(list: readonly T[], index: number): T => {
  const found = list[index];
  if (found === undefined) throw new CodecFault(`no meaning ${index}`);
  return found;
};

class Reader {
  private place = 0;
  private readonly view: DataView;
  constructor(private readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  private take(count: number): number {
    const from = this.place;
    if (from + count > this.bytes.length) throw new CodecFault(`${this.bytes.length} bytes, ${from + count} are needed`);
    this.place += count;
    return from;
  }
  u8(): number { return this.view.getUint8(this.take(1)); }
  u16(): number { return this.view.getUint16(this.take(2), true); }
  u32(): number { return this.view.getUint32(this.take(4), true); }
  u64(): number { const from = this.take(8); return this.view.getUint32(from, true) + this.view.getUint32(from + 4, true) * 2 ** 32; }
  f64(): number { return this.view.getFloat64(this.take(8), true); }
  raw(): Uint8Array { const count = this.u16(); const from = this.take(count); return this.bytes.slice(from, from + count); }
  text(): string {
    try { return utf8.decode(this.raw()); } catch (error) { throw error instanceof CodecFault ? error : new CodecFault('text is not UTF-8'); }
  }
  pin(): PinNumber { const pin = this.u16(); if (pin >= 0x300) throw new CodecFault(`no pin ${pin}`); return pin; }
  value(): Value {
    const tag = this.u8();
    if (tag === 0) return null;
    if (tag === 1) return this.f64();
    if (tag !== 2) throw new CodecFault(`no value ${tag}`);
    const bytes = this.raw();
    try { return utf8.decode(bytes); } catch { return bytes; }
  }
  list<T>(read: () => T): T[] { const count = this.u16(); const rows: T[] = []; for (let n = 0; n < count; n++) rows.push(read()); return rows; }
  end(): void { if (this.place !== this.bytes.length) throw new CodecFault(`${this.bytes.length - this.place} bytes too many`); }
}

class Writer {
  private bytes = new Uint8Array(64);
  private view = new DataView(this.bytes.buffer);
  private used = 0;
  // May replace the view: call it before the view is read.
  private room(count: number): number {
    const from = this.used;
    if (from + count > this.bytes.length) {
      const more = new Uint8Array(Math.max(this.bytes.length * 2, from + count));
      more.set(this.bytes);
      this.bytes = more;
      this.view = new DataView(more.buffer);
    }
    this.used += count;
    return from;
  }
  u8(n: number): this { const from = this.room(1); this.view.setUint8(from, n); return this; }
  u16(n: number): this { const from = this.room(2); this.view.setUint16(from, n, true); return this; }
  u32(n: number): this { const from = this.room(4); this.view.setUint32(from, n, true); return this; }
  u64(n: number): this { return this.u32(n % 2 ** 32).u32(Math.floor(n / 2 ** 32)); }
  f64(n: number): this { const from = this.room(8); this.view.setFloat64(from, n, true); return this; }
  raw(bytes: Uint8Array): this {
    if (bytes.length > 0xffff) throw new CodecFault(`${bytes.length} bytes do not fit`);
    this.u16(bytes.length);
    const from = this.room(bytes.length);
    this.bytes.set(bytes, from);
    return this;
  }
  text(text: string): this { return this.raw(toUtf8.encode(text)); }
  value(value: Value): this {
    if (value === null) return this.u8(0);
    if (typeof value === 'number') return this.u8(1).f64(value);
    return this.u8(2).raw(typeof value === 'string' ? toUtf8.encode(value) : value);
  }
  list<T>(rows: T[], write: (row: T) => void): this { this.u16(rows.length); rows.forEach(write); return this; }
  done(): Uint8Array<ArrayBuffer> { return this.bytes.slice(0, this.used); }
}

const bits = (what: What[]): number => what.reduce((sum, name) => sum | (1 << WHAT.indexOf(name)), 0);
const named = (sum: number): What[] => {
  if (sum >> WHAT.length) throw new CodecFault(`no subjects ${sum}`);
  return WHAT.filter((_, n) => sum & (1 << n));
};
const yes = (n: number): boolean => { if (n > 1) throw new CodecFault(`${n} is neither yes nor no`); return n === 1; };

function writeSelection(w: Writer, select: Selection): void {
  if ('devices' in select) { w.u8(0).list(select.devices, (id) => w.u32(id)); return; }
  if ('query' in select) {
    const q = select.query;
    w.u8(1).u32(q.org).u8(Number(q.below)).text(q.text).text(q.sort).u32(q.first).u16(q.count);
    return;
  }
  w.u8(2).u32(select.subtree.org).u8(Number(select.subtree.below));
}

function readSelection(r: Reader): Selection {
  switch (r.u8()) {
    case 0: return { devices: r.list(() => r.u32()) };
    case 1: return { query: { org: r.u32(), below: yes(r.u8()), text: r.text(), sort: r.text(), first: r.u32(), count: r.u16() } };
    case 2: return { subtree: { org: r.u32(), below: yes(r.u8()) } };
    default: throw new CodecFault('no such selection');
  }
}

/** What the page asks, as bytes. */
export function encodeAsk(ask: Ask): Uint8Array<ArrayBuffer> {
  const w = new Writer();
  switch (ask.kind) {
    case 'hello': w.u8(0x01).text(ask.build); break;
    case 'watch':
      w.u8(0x02).u16(ask.set).u8(bits(ask.what));
      writeSelection(w, ask.select);
      if (ask.pins === 'all') w.u8(1);
      else w.u8(0).list(ask.pins, (pin) => w.u16(pin));
      w.list(ask.every, (pin) => w.u16(pin));
      break;
    case 'unwatch': w.u8(0x03).u16(ask.set); break;
    case 'write': w.u8(0x04).u32(ask.request).u32(ask.device).u16(ask.pin).value(ask.value); break;
  }
  return w.done();
}

/** What a page asked: for the tests' server. */
export function decodeAsk(bytes: Uint8Array): Ask {
  const r = new Reader(bytes);
  const ask = readAsk(r);
  r.end();
  return ask;
}

function readAsk(r: Reader): Ask {
  switch (r.u8()) {
    case 0x01: return { kind: 'hello', build: r.text() };
    case 0x02: return {
      kind: 'watch', set: r.u16(), what: named(r.u8()), select: readSelection(r),
      pins: yes(r.u8()) ? 'all' : r.list(() => r.pin()), every: r.list(() => r.pin()),
    };
    case 0x03: return { kind: 'unwatch', set: r.u16() };
    case 0x04: return { kind: 'write', request: r.u32(), device: r.u32(), pin: r.pin(), value: r.value() };
    default: throw new CodecFault('no such ask');
  }
}

/** What the server reports. Throws `CodecFault` for anything that is not exactly one message. */
export function decodeReport(bytes: Uint8Array): Report {
  const r = new Reader(bytes);
  const report = readReport(r);
  r.end();
  return report;
}

function readReport(r: Reader): Report {
  switch (r.u8()) {
    case 0x81: return { kind: 'hello', server_ms: r.u64(), build: r.text(), rights: r.u32() };
    case 0x82: return { kind: 'tick', server_ms: r.u64() };
    case 0x83: return { kind: 'snapshot', set: r.u16(), total: r.u32(), devices: r.list(() => r.u32()) };
    case 0x84: return { kind: 'values', rows: r.list(() => ({ device: r.u32(), pin: r.pin(), at_ms: r.u64(), value: r.value() })) };
    case 0x85: return { kind: 'presence', rows: r.list(() => ({ device: r.u32(), state: at(STATES, r.u8()), since_ms: r.u64(), code: r.u16() })) };
    case 0x86: return { kind: 'event', device: r.u32(), event: r.u64(), at_ms: r.u64(), level: at(LEVELS, r.u8()), code: r.text(), text: r.text() };
    case 0x87: return { kind: 'wrote', request: r.u32(), outcome: at(OUTCOMES, r.u8()), code: r.u16() };
    case 0x88: return { kind: 'property', device: r.u32(), pin: r.pin(), name: r.text(), value: r.value() };
    case 0x89: return { kind: 'attempt', at_ms: r.u64(), address: r.text(), code: r.u16(), count: r.u32() };
    case 0x8a: return { kind: 'frame', device: r.u32(), at_ms: r.u64(), direction: at(DIRECTIONS, r.u8()), command: r.u8(), message: r.u16(), body: r.raw() };
    case 0x8b: return { kind: 'skipped', set: r.u16(), count: r.u32() };
    case 0x8c: return { kind: 'changed', set: r.u16() };
    case 0x8d: return { kind: 'refused', set: r.u16(), code: r.u16() };
    case 0x8e: return { kind: 'revoked', code: r.u16() };
    case 0x8f: return { kind: 'bye', code: r.u16(), retry_ms: r.u32() };
    default: throw new CodecFault('no such report');
  }
}

/** A report as bytes: for the tests' server. */
export function encodeReport(report: Report): Uint8Array<ArrayBuffer> {
  const w = new Writer();
  switch (report.kind) {
    case 'hello': w.u8(0x81).u64(report.server_ms).text(report.build).u32(report.rights); break;
    case 'tick': w.u8(0x82).u64(report.server_ms); break;
    case 'snapshot': w.u8(0x83).u16(report.set).u32(report.total).list(report.devices, (id) => w.u32(id)); break;
    case 'values': w.u8(0x84).list(report.rows, (row) => w.u32(row.device).u16(row.pin).u64(row.at_ms).value(row.value)); break;
    case 'presence': w.u8(0x85).list(report.rows, (row) => w.u32(row.device).u8(STATES.indexOf(row.state)).u64(row.since_ms).u16(row.code)); break;
    case 'event': w.u8(0x86).u32(report.device).u64(report.event).u64(report.at_ms).u8(LEVELS.indexOf(report.level)).text(report.code).text(report.text); break;
    case 'wrote': w.u8(0x87).u32(report.request).u8(OUTCOMES.indexOf(report.outcome)).u16(report.code); break;
    case 'property': w.u8(0x88).u32(report.device).u16(report.pin).text(report.name).value(report.value); break;
    case 'attempt': w.u8(0x89).u64(report.at_ms).text(report.address).u16(report.code).u32(report.count); break;
    case 'frame': w.u8(0x8a).u32(report.device).u64(report.at_ms).u8(DIRECTIONS.indexOf(report.direction)).u8(report.command).u16(report.message).raw(report.body); break;
    case 'skipped': w.u8(0x8b).u16(report.set).u32(report.count); break;
    case 'changed': w.u8(0x8c).u16(report.set); break;
    case 'refused': w.u8(0x8d).u16(report.set).u16(report.code); break;
    case 'revoked': w.u8(0x8e).u16(report.code); break;
    case 'bye': w.u8(0x8f).u16(report.code).u32(report.retry_ms); break;
  }
  return w.done();
}
