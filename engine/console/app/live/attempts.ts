// Log-ins that failed, as the server reports them: the waiting room and the line above the list.
import { signal } from '@preact/signals';
import { grant } from '../session.ts';
import type { Report } from './messages.ts';
import { watch, type Watch } from './socket.ts';

export type Attempt = Extract<Report, { kind: 'attempt' }>;
/** Addresses that are retained; the oldest attempt gives way. */
const ADDRESSES = 64;

/** One entry an address and reason, the newest first. */
export const attempts = signal<Attempt[]>([]);
let watched: Watch | null = null;
let users = 0;

/** Watch while at least one part of the page needs it; answers what ends it. */
export function watchAttempts(): () => void {
  users++;
  watched ??= watch({
    what: ['attempts'], select: { subtree: { org: grant.peek()?.org ?? 0, below: true } },
    onReport: (report) => {
      if (report.kind !== 'attempt') return;
      const others = attempts.peek().filter((one) => one.address !== report.address || one.code !== report.code);
      attempts.value = [report, ...others].slice(0, ADDRESSES);
    },
  });
  return () => {
    users--;
    if (users === 0) { watched?.close(); watched = null; attempts.value = []; }
  };
}
