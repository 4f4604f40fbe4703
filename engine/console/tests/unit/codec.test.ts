import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { CodecFault, decodeAsk, decodeReport, encodeAsk, encodeReport } from '../../app/live/codec.ts';
import type { Ask, Report } from '../../app/live/messages.ts';
import { pinName, pinNumber } from '../../app/live/messages.ts';
import { fromJson, toJson } from './live-json.ts';

declare const __CONSOLE__: string;
interface Golden { side: 'ask' | 'report'; hex: string; json: Record<string, unknown> }
/** The same file that the Rust codec is tested with. */
const golden = JSON.parse(readFileSync(join(__CONSOLE__, '../../protocol/tests/fixtures/live.json'), 'utf8')) as Golden[];
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('golden messages have these bytes, and these bytes are these messages', () => {
  assert.ok(golden.length >= 25);
  for (const one of golden) {
    const bytes = Uint8Array.from(Buffer.from(one.hex, 'hex'));
    const message = one.side === 'ask' ? decodeAsk(bytes) : decodeReport(bytes);
    assert.deepEqual(toJson(message), one.json, one.hex);
    const again = fromJson(one.json);
    assert.equal(hex(one.side === 'ask' ? encodeAsk(again as Ask) : encodeReport(again as Report)), one.hex);
  }
});

test('every kind of message is in the golden file', () => {
  const kinds = new Set(golden.map((one) => `${one.side} ${String(one.json.kind)}`));
  assert.equal(kinds.size, 19, [...kinds].join());
});

test('a message that is cut or has bytes too many is a fault, never another message', () => {
  for (const one of golden) {
    const bytes = Uint8Array.from(Buffer.from(one.hex, 'hex'));
    const decode = one.side === 'ask' ? decodeAsk : decodeReport;
    for (let end = 0; end < bytes.length; end++) assert.throws(() => decode(bytes.slice(0, end)), CodecFault, `${one.hex} cut at ${end}`);
    assert.throws(() => decode(Uint8Array.from([...bytes, 0])), CodecFault);
  }
  assert.throws(() => decodeReport(Uint8Array.from([0x70])), CodecFault);
});

test('many rows fit: the writer grows', () => {
  const rows = Array.from({ length: 2_000 }, (_, n) => ({ device: n + 1, pin: n % 256, at_ms: 1_795_940_130_960 + n, value: n % 3 === 0 ? `text ${n}` : n / 7 }));
  const report: Report = { kind: 'values', rows };
  assert.deepEqual(decodeReport(encodeReport(report)), report);
});

test('pins have names', () => {
  assert.equal(pinNumber('V255'), 255);
  assert.equal(pinNumber('D3'), 0x103);
  assert.equal(pinName(0x200), 'A0');
  for (const bad of ['V256', 'X1', '', 'v1', 'V']) assert.equal(pinNumber(bad), null);
});
