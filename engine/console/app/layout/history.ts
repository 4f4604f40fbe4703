// Undo and redo of a layout's edits: whole layouts, which share what did not change.
import type { Layout } from './layout.ts';

export interface History { past: Layout[]; now: Layout; future: Layout[] }

/** Steps that can be taken back. */
const STEPS = 100;

export const begin = (layout: Layout): History => ({ past: [], now: layout, future: [] });
export const step = (history: History, next: Layout): History =>
  next === history.now ? history : { past: [...history.past.slice(1 - STEPS), history.now], now: next, future: [] };
export function undo(history: History): History {
  const before = history.past.at(-1);
  return before ? { past: history.past.slice(0, -1), now: before, future: [history.now, ...history.future] } : history;
}
export function redo(history: History): History {
  const [after, ...rest] = history.future;
  return after ? { past: [...history.past, history.now], now: after, future: rest } : history;
}
