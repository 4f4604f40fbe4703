// The messages of a live socket, as `protocol/src/live` has them. Times are milliseconds of the server's clock.

/** A value: a number where its text says exactly that number, else text, else bytes; `null` is a pin without a value. */
export type Value = number | string | Uint8Array | null;

/** `V7`, `D3`, `A0`, as a number: kind in the high byte, index in the low byte. */
export type PinNumber = number;

export type What = 'values' | 'presence' | 'events' | 'attempts' | 'frames';
export type Selection =
  | { devices: number[] }
  | { query: { org: number; below: boolean; text: string; sort: string; first: number; count: number } }
  | { subtree: { org: number; below: boolean } };

export type Ask =
  | { kind: 'hello'; build: string }
  | { kind: 'watch'; set: number; what: What[]; select: Selection; pins: 'all' | PinNumber[]; every: PinNumber[] }
  | { kind: 'unwatch'; set: number }
  | { kind: 'write'; request: number; device: number; pin: PinNumber; value: Value };

export type ValueRow = { device: number; pin: PinNumber; at_ms: number; value: Value };
export type PresenceState = 'offline' | 'online' | 'never';
export type PresenceRow = { device: number; state: PresenceState; since_ms: number; code: number };
export type EventKind = 'info' | 'warning' | 'critical' | 'content' | 'system';
export type Outcome = 'delivered' | 'kept' | 'refused';
export type Direction = 'in' | 'out';

export type Report =
  | { kind: 'hello'; server_ms: number; build: string; rights: number }
  | { kind: 'tick'; server_ms: number }
  | { kind: 'snapshot'; set: number; total: number; devices: number[] }
  | { kind: 'values'; rows: ValueRow[] }
  | { kind: 'presence'; rows: PresenceRow[] }
  | { kind: 'event'; device: number; event: number; at_ms: number; level: EventKind; code: string; text: string }
  | { kind: 'wrote'; request: number; outcome: Outcome; code: number }
  | { kind: 'property'; device: number; pin: PinNumber; name: string; value: Value }
  | { kind: 'attempt'; at_ms: number; address: string; code: number; count: number }
  | { kind: 'frame'; device: number; at_ms: number; direction: Direction; command: number; message: number; body: Uint8Array }
  | { kind: 'skipped'; set: number; count: number }
  | { kind: 'changed'; set: number }
  | { kind: 'refused'; set: number; code: number }
  | { kind: 'revoked'; code: number }
  | { kind: 'bye'; code: number; retry_ms: number };

export const WHAT: What[] = ['values', 'presence', 'events', 'attempts', 'frames'];
export const STATES: PresenceState[] = ['offline', 'online', 'never'];
export const LEVELS: EventKind[] = ['info', 'warning', 'critical', 'content', 'system'];
export const OUTCOMES: Outcome[] = ['delivered', 'kept', 'refused'];
export const DIRECTIONS: Direction[] = ['in', 'out'];

const LETTERS = 'VDA';

/** `V7` as its number; `null` for text that names no pin. */
export function pinNumber(name: string): PinNumber | null {
  const parts = /^([VDA])(\d{1,3})$/.exec(name);
  const index = Number(parts?.[2]);
  return parts && index < 256 ? (LETTERS.indexOf(parts[1]!) << 8) | index : null;
}

/** A pin's number as `V7`. */
export const pinName = (pin: PinNumber): string => `${LETTERS[pin >> 8] ?? '?'}${pin & 255}`;
