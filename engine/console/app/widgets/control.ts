// A control's five states. What it shows is what the device has reported, never what was wished: a write is pending until
// its value comes back, retained while the device is away, or refused, and then the old value shows again.
import { useRef } from 'preact/hooks';
import { useComputed, useSignal, useSignalEffect, type Signal } from '@preact/signals';
import type { PinNumber, Value } from '../live/messages.ts';
import { link, write } from '../live/socket.ts';
import { asNumber, asText, presence, reading, type Reading } from '../live/store.ts';

export type ControlState = 'unknown' | 'known' | 'pending' | 'kept' | 'refused';
export interface Control {
  state: Signal<ControlState>;
  reading: Signal<Reading>;
  /** The value on its way, while there is one. */
  wish: Signal<Value>;
  code: Signal<number>;
  send: (value: Value) => void;
}

/** Longest time that a control waits for its value to come back, ms. */
const ECHO_MS = 10_000;
/** "Since" of a device that is away is exact to a second, ms. */
const SINCE_MS = 1_000;
/** How long the reason of a refusal stays, ms. */
const REFUSED_MS = 8_000;

const same = (a: Value, b: Value): boolean => { const x = asNumber(a); const y = asNumber(b); return x !== null && y !== null ? x === y : asText(a) === asText(b); };

export function useControl(device: number, pin: PinNumber): Control {
  const cell = reading(device, pin);
  const phase = useSignal<'pending' | 'kept' | 'refused' | null>(null);
  const wished = useSignal<Value>(null);
  const there = presence(device);
  const code = useSignal(0);
  const serial = useRef(0);
  // The server has said that it retains what was set here.
  const held = useSignal(false);
  useSignalEffect(() => { if (there.value?.state === 'online') held.value = false; });
  // A value from after the device went was set for it by somebody: it has not said it, and gets it when it comes back.
  const isAway = () => there.value?.state === 'offline' && (held.value || cell.value.at_ms > there.value.since_ms + SINCE_MS);
  const state = useComputed<ControlState>(() => phase.value ?? (cell.value.at_ms === 0 ? 'unknown' : isAway() ? 'kept' : 'known'));
  const wish = useComputed<Value>(() => (phase.value === null ? cell.value.value : wished.value));
  // The device's own word ends the waiting.
  useSignalEffect(() => {
    const now = cell.value;
    if ((phase.peek() === 'pending' || phase.peek() === 'kept') && same(now.value, wished.peek())) phase.value = null;
  });
  const later = (mine: number, ms: number) => setTimeout(() => { if (serial.current === mine) phase.value = null; }, ms);
  const refuse = (mine: number, why: number) => { phase.value = 'refused'; code.value = why; later(mine, REFUSED_MS); };
  const send = (value: Value) => {
    const mine = ++serial.current;
    wished.value = value;
    if (link.peek() !== 'live') { refuse(mine, 0); return; }
    phase.value = 'pending';
    void write(device, pin, value).then((written) => {
      if (serial.current !== mine) return;
      held.value = written.outcome === 'kept';
      if (written.outcome === 'refused') refuse(mine, written.code);
      else if (same(cell.peek().value, value)) phase.value = null;
      else if (written.outcome === 'kept') phase.value = 'kept';
      else later(mine, ECHO_MS);
    });
  };
  return { state, reading: cell, wish, code, send };
}
