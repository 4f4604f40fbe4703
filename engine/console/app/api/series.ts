// History of some pins, decimated by the server, followed by the live points of this page.
import { useEffect, useRef } from 'preact/hooks';
import { useSignal, type Signal } from '@preact/signals';
import { serverNow } from '../live/clock.ts';
import { asNumber, onValue } from '../live/store.ts';
import { pinName } from '../live/messages.ts';
import { ask, Problem } from './client.ts';
import { query } from './query.ts';
import { D } from './devices.ts';
import type { History } from './types.ts';

export type Range = '5m' | '1h' | '6h' | '1d' | '1w' | '1M' | '1y';
export const RANGES: Record<Range, number> = { '5m': 300_000, '1h': 3_600_000, '6h': 21_600_000, '1d': 86_400_000, '1w': 604_800_000, '1M': 2_678_400_000, '1y': 31_536_000_000 };
/** Points of one pin that a chart holds, history and live together; the oldest go first. */
const POINTS = 4_000;

export interface Points { at_ms: number[]; last: number[] }
export interface Series { points: Map<string, Points>; stamp: Signal<number>; problem: Signal<Problem | null>; busy: Signal<boolean>; again: () => void }

/** Follow these pins over the last `range`. Asks again after a gap of the link, when `fresh` becomes true. */
export function useSeries(device: number, pins: string[], range: Range, points: number, fresh: boolean): Series {
  const held = useRef(new Map<string, Points>());
  const stamp = useSignal(0);
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(true);
  const key = pins.join(',');
  const load = async (stop: AbortSignal) => {
    busy.value = true;
    const to = Math.round(serverNow());
    try {
      const found = await ask<History>(`${D(device)}/history${query({ pins: key, from_ms: to - RANGES[range], to_ms: to, points })}`, { signal: stop });
      held.current = new Map(found.series.map((one) => [one.pin, { at_ms: one.at_ms, last: one.last }]));
      problem.value = null;
      stamp.value++;
    } catch (error) {
      if (stop.aborted) return;
      problem.value = error instanceof Problem ? error : new Problem(0, 'CONSOLE', String(error));
    }
    busy.value = false;
  };
  useEffect(() => {
    if (!key || !fresh) return;
    const stop = new AbortController();
    void load(stop.signal);
    return () => stop.abort();
  }, [device, key, range, points, fresh]);
  useEffect(() => onValue((from, pin, reading) => {
    if (from !== device || !key.split(',').includes(pinName(pin))) return;
    const n = asNumber(reading.value);
    if (n === null) return;
    const name = pinName(pin);
    const line = held.current.get(name) ?? { at_ms: [], last: [] };
    held.current.set(name, line);
    const end = line.at_ms.at(-1) ?? 0;
    if (reading.at_ms <= end) return;
    line.at_ms.push(reading.at_ms);
    line.last.push(n);
    const oldest = serverNow() - RANGES[range];
    let gone = Math.max(0, line.at_ms.length - POINTS);
    while (gone < line.at_ms.length && line.at_ms[gone]! < oldest) gone++;
    if (gone > 0) { line.at_ms.splice(0, gone); line.last.splice(0, gone); }
    stamp.value++;
  }), [device, key, range]);
  return { points: held.current, stamp, problem, busy, again: () => void load(new AbortController().signal) };
}
