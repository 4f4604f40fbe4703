// `linchpin.live.json.1` as the Rust codec writes it, for the comparison with the golden file only: the console itself
// speaks the binary encoding.
import { pinName, pinNumber, type Ask, type Report, type Value } from '../../app/live/messages.ts';

type Json = Record<string, any>;
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'base64'));
const value = (one: Value) => (one instanceof Uint8Array ? { base64: base64(one) } : one);
const unvalue = (one: any): Value => (one !== null && typeof one === 'object' ? bytes(one.base64) : one);

export function toJson(message: Ask | Report): Json {
  const m = message as Json;
  switch (message.kind) {
    case 'watch': { const { select, ...rest } = m; return { ...rest, ...select, pins: m.pins === 'all' ? 'all' : m.pins.map(pinName), every: m.every.map(pinName) }; }
    case 'write': case 'property': return { ...m, pin: pinName(m.pin), value: value(m.value) };
    case 'values': return { kind: 'values', rows: m.rows.map((row: Json) => ({ ...row, pin: pinName(row.pin), value: value(row.value) })) };
    case 'frame': return { ...m, body: base64(m.body) };
    default: return { ...m };
  }
}

export function fromJson(json: Json): Ask | Report {
  switch (json.kind) {
    case 'watch': { const { devices, query, subtree, ...rest } = json; return { ...rest, select: devices ? { devices } : query ? { query } : { subtree }, pins: json.pins === 'all' ? 'all' : json.pins.map(pinNumber), every: json.every.map(pinNumber) } as Ask; }
    case 'write': case 'property': return { ...json, pin: pinNumber(json.pin), value: unvalue(json.value) } as Ask;
    case 'values': return { kind: 'values', rows: json.rows.map((row: Json) => ({ ...row, pin: pinNumber(row.pin), value: unvalue(row.value) })) };
    case 'frame': return { ...json, body: bytes(json.body) } as unknown as Report;
    default: return json as unknown as Ask;
  }
}
