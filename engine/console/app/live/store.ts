// What live sockets have reported: one signal a pin and a device, so that one value redraws one cell.
import { batch, signal, type Signal } from '@preact/signals';
import type { PinNumber, PresenceState, Report, Value } from './messages.ts';

/** A value with the server's time of its arrival. `at_ms` 0: never. */
export interface Reading { value: Value; at_ms: number }
/** Whether a device is there, since when, and why it ended last (0: no reason). */
export interface Presence { state: PresenceState; since_ms: number; code: number }
/** Properties that the device has set with `setProperty`. */
export type Properties = Record<string, string>;

const readings = new Map<number, Map<PinNumber, Signal<Reading>>>();
const presences = new Map<number, Signal<Presence | null>>();
const properties = new Map<string, Signal<Properties>>();

/** Called with every value, for charts and terminals. */
export type Listener = (device: number, pin: PinNumber, reading: Reading) => void;
const listeners = new Set<Listener>();
export function onValue(listener: Listener): () => void {
  listeners.add(listener);
  return () => { listeners.delete(listener); };
}

/** The latest value of a pin. */
export function reading(device: number, pin: PinNumber): Signal<Reading> {
  let pins = readings.get(device);
  if (!pins) readings.set(device, (pins = new Map()));
  let found = pins.get(pin);
  if (!found) pins.set(pin, (found = signal({ value: null, at_ms: 0 })));
  return found;
}

/** Pins of a device that anything is known of. */
export const pinsOf = (device: number): PinNumber[] => [...(readings.get(device)?.entries() ?? [])].filter(([, r]) => r.peek().at_ms > 0).map(([pin]) => pin).sort((a, b) => a - b);

/** Grows when a pin is seen for the first time. */
export const pinsSeen = signal(0);

export function presence(device: number): Signal<Presence | null> {
  let found = presences.get(device);
  if (!found) presences.set(device, (found = signal(null)));
  return found;
}

export function propertiesOf(device: number, pin: PinNumber): Signal<Properties> {
  const key = `${device}.${pin}`;
  let found = properties.get(key);
  if (!found) properties.set(key, (found = signal({})));
  return found;
}

/** Forget everything: another person has signed in. */
export function forget(): void {
  readings.clear();
  presences.clear();
  properties.clear();
}

/** Take a value. An older one does not replace a newer one. */
export function putValue(device: number, pin: PinNumber, value: Value, at_ms: number): void {
  const cell = reading(device, pin);
  const before = cell.peek();
  if (at_ms < before.at_ms) return;
  const next = { value, at_ms };
  cell.value = next;
  if (before.at_ms === 0) pinsSeen.value++;
  for (const listener of listeners) listener(device, pin, next);
}

export function putPresence(device: number, state: PresenceState, since_ms: number, code = 0): void {
  presence(device).value = { state, since_ms, code };
}

export function putProperty(device: number, pin: PinNumber, name: string, value: Value): void {
  const cell = propertiesOf(device, pin);
  cell.value = { ...cell.peek(), [name]: asText(value) };
}

/** Take what a report says of devices. */
export function apply(report: Report): void {
  if (report.kind === 'values') batch(() => { for (const row of report.rows) putValue(row.device, row.pin, row.value, row.at_ms); });
  else if (report.kind === 'presence') for (const row of report.rows) putPresence(row.device, row.state, row.since_ms, row.code);
  else if (report.kind === 'property') putProperty(report.device, report.pin, report.name, report.value);
}

/** A value as text: what is shown of any value of a device. Parts are joined by a comma, bytes become hexadecimal. */
export function asText(value: Value): string {
  if (value === null) return '';
  if (value instanceof Uint8Array) return [...value].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return String(value).replaceAll('\0', ', ');
}

/** A value as a number; `null` for anything that is none. */
export function asNumber(value: Value): number | null {
  if (typeof value === 'number') return value;
  if (typeof value !== 'string' || !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(value)) return null;
  const number = Number(value);
  return Number.isFinite(number) ? number : null;
}
