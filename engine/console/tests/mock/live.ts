// A live socket of the tests' server: RFC 6455 by hand (no package), `linchpin.live.1` by the console's own codec.
import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { decodeAsk, encodeReport } from '../../app/live/codec.ts';
import { pinName, pinNumber, type Ask, type Report, type ValueRow } from '../../app/live/messages.ts';
import { devices, type MockDevice } from './fleet.ts';

type WatchAsk = Extract<Ask, { kind: 'watch' }>;
const FLUSH_MS = 100;
const TICK_MS = 5_000;

export interface Behaviour { silent: boolean; refuse: number; offline: Set<number>; build: string; echo: boolean }
/** What tests make the server do. */
export const behaviour: Behaviour = { silent: false, refuse: 0, offline: new Set(), build: 'none', echo: true };
/** Log-ins that failed, as the waiting room shows them. */
export const attempts: Extract<Report, { kind: 'attempt' }>[] = [];

const value = (text: string) => (/^-?(0|[1-9]\d{0,11})(\.\d{0,3}[1-9])?$/.test(text) ? Number(text) : text);

export class LiveSocket {
  static all = new Set<LiveSocket>();
  private watches = new Map<number, WatchAsk>();
  private dirty = new Map<string, ValueRow>();
  private left: Buffer = Buffer.alloc(0);
  private timers: NodeJS.Timeout[];

  /** `sees`: what a view as a role shows; such a socket writes nothing. */
  constructor(private readonly socket: Duplex, request: IncomingMessage, private readonly sees?: (device: MockDevice) => boolean) {
    const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\nSec-WebSocket-Protocol: linchpin.live.1\r\n\r\n`);
    LiveSocket.all.add(this);
    this.timers = [setInterval(() => this.flush(), FLUSH_MS), setInterval(() => this.report({ kind: 'tick', server_ms: Date.now() }), TICK_MS)];
    socket.on('data', (bytes: Buffer) => this.received(bytes));
    socket.on('close', () => this.end());
    socket.on('error', () => this.end());
    this.report({ kind: 'hello', server_ms: Date.now(), build: behaviour.build, rights: 1 });
  }

  end(): void {
    LiveSocket.all.delete(this);
    this.timers.forEach(clearInterval);
    this.socket.destroy();
  }

  report(report: Report): void {
    if (behaviour.silent) return;
    const body = encodeReport(report);
    const head = body.length < 126 ? Buffer.from([0x82, body.length]) : body.length < 65_536 ? Buffer.from([0x82, 126, body.length >> 8, body.length & 255]) : null;
    if (!head) throw new Error('a report is larger than a frame');
    this.socket.write(Buffer.concat([head, body]));
  }

  private received(bytes: Buffer): void {
    this.left = Buffer.concat([this.left, bytes]);
    while (this.left.length >= 6) {
      let size = this.left[1]! & 127;
      let at = 2;
      if (size === 126) { size = this.left.readUInt16BE(2); at = 4; }
      if (this.left.length < at + 4 + size) return;
      const mask = this.left.subarray(at, at + 4);
      const body = Buffer.from(this.left.subarray(at + 4, at + 4 + size)).map((byte, n) => byte ^ mask[n % 4]!);
      const kind = this.left[0]! & 15;
      this.left = this.left.subarray(at + 4 + size);
      if (kind === 8) { this.end(); return; }
      if (kind === 2) this.asked(decodeAsk(body));
    }
  }

  private asked(ask: Ask): void {
    if (ask.kind === 'watch') this.watch(ask);
    else if (ask.kind === 'unwatch') this.watches.delete(ask.set);
    else if (ask.kind === 'write') this.write(ask);
  }

  private watch(ask: WatchAsk): void {
    this.watches.set(ask.set, ask);
    const found = 'devices' in ask.select ? ask.select.devices.map((id) => devices.get(id)).filter((one): one is MockDevice => one !== undefined && (this.sees?.(one) ?? true)) : [];
    if (ask.what.includes('presence') && found.length) this.report({ kind: 'presence', rows: found.map((one) => ({ device: one.id, state: one.online === null ? 'never' : one.online ? 'online' : 'offline', since_ms: Math.round(one.since_ms), code: one.trouble ?? 0 })) });
    if (ask.what.includes('values')) {
      const rows = found.flatMap((one) => [...one.values].filter(([pin]) => ask.pins === 'all' || ask.pins.includes(pinNumber(pin)!)).map(([pin, held]) => ({ device: one.id, pin: pinNumber(pin)!, at_ms: Math.round(held.at_ms), value: value(held.text) })));
      for (let n = 0; n < rows.length; n += 500) this.report({ kind: 'values', rows: rows.slice(n, n + 500) });
      for (const one of found) for (const [pin, held] of one.properties) for (const [name, text] of Object.entries(held)) this.report({ kind: 'property', device: one.id, pin: pinNumber(pin)!, name, value: text });
    }
    if (ask.what.includes('attempts')) for (const one of attempts) this.report(one);
    this.report({ kind: 'snapshot', set: ask.set, total: found.length, devices: found.map((one) => one.id) });
  }

  private write(ask: Extract<Ask, { kind: 'write' }>): void {
    const device = devices.get(ask.device);
    if (this.sees) { this.report({ kind: 'wrote', request: ask.request, outcome: 'refused', code: 603 }); return; }
    if (!device || behaviour.refuse) { this.report({ kind: 'wrote', request: ask.request, outcome: 'refused', code: behaviour.refuse || 404 }); return; }
    const isHere = device.online === true && !behaviour.offline.has(device.id);
    this.report({ kind: 'wrote', request: ask.request, outcome: isHere ? 'delivered' : 'kept', code: 0 });
    if (!isHere || !behaviour.echo) return;
    setTimeout(() => setValue(device, pinName(ask.pin), String(ask.value)), 60);
  }

  /** One dirty bit a pin: a newer value replaces an older one that has not gone out. */
  mark(device: MockDevice, pin: string, text: string, at_ms: number): void {
    if (this.sees && !this.sees(device)) return;
    const index = pinNumber(pin)!;
    for (const watch of this.watches.values()) {
      if (!watch.what.includes('values') || !('devices' in watch.select) || !watch.select.devices.includes(device.id)) continue;
      if (watch.pins !== 'all' && !watch.pins.includes(index)) continue;
      this.dirty.set(`${device.id}.${pin}`, { device: device.id, pin: index, at_ms: Math.round(at_ms), value: value(text) });
      return;
    }
  }

  wants(device: number, what: 'presence' | 'frames' | 'events' | 'attempts'): boolean {
    return [...this.watches.values()].some((watch) => watch.what.includes(what) && (what === 'attempts' || !('devices' in watch.select) || watch.select.devices.includes(device)));
  }

  private flush(): void {
    if (this.dirty.size === 0) return;
    const rows = [...this.dirty.values()];
    this.dirty.clear();
    for (let n = 0; n < rows.length; n += 500) this.report({ kind: 'values', rows: rows.slice(n, n + 500) });
  }
}

/** A device has written a value. */
export function setValue(device: MockDevice, pin: string, text: string, at_ms = Date.now()): void {
  device.values.set(pin, { text, at_ms });
  for (const socket of LiveSocket.all) {
    socket.mark(device, pin, text, at_ms);
    if (socket.wants(device.id, 'frames')) socket.report({ kind: 'frame', device: device.id, at_ms: Math.round(at_ms), direction: 'in', command: 20, message: Math.floor(at_ms) & 0xffff, body: new TextEncoder().encode(`vw\0${pin.slice(1)}\0${text}`) });
  }
}

export function setPresence(device: MockDevice, online: boolean, code = 0): void {
  device.online = online;
  device.since_ms = Date.now();
  if (!online) { device.seen_ms = Date.now(); device.trouble = code || null; }
  for (const socket of LiveSocket.all) if (socket.wants(device.id, 'presence')) socket.report({ kind: 'presence', rows: [{ device: device.id, state: online ? 'online' : 'offline', since_ms: Math.round(device.since_ms), code }] });
}

export function attempt(address: string, code: number): void {
  const before = attempts.find((one) => one.address === address && one.code === code);
  const next = { kind: 'attempt' as const, at_ms: Date.now(), address, code, count: (before?.count ?? 0) + 1 };
  if (before) attempts.splice(attempts.indexOf(before), 1);
  attempts.push(next);
  for (const socket of LiveSocket.all) if (socket.wants(0, 'attempts')) socket.report(next);
}

export function toAll(report: Report): void {
  for (const socket of LiveSocket.all) socket.report(report);
}

let storming: NodeJS.Timeout | undefined;
/** Values of so many devices every 100 ms, to every page, whatever it watches; 0 ends it. */
export function storm(rows: number): void {
  clearInterval(storming);
  if (rows === 0) return;
  const all = [...devices.keys()];
  let at = 0;
  let n = 0;
  storming = setInterval(() => {
    n++;
    for (let left = rows; left > 0; left -= 500) {
      const batch = Array.from({ length: Math.min(500, left) }, () => { at = (at + 1) % all.length; return { device: all[at]!, pin: 0, at_ms: Date.now(), value: (n * 7 + at) % 100 }; });
      toAll({ kind: 'values', rows: batch });
    }
  }, FLUSH_MS);
}
