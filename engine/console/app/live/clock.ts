// The server's time. The browser's clock is never used for an age: it may be wrong, and it may jump.
import { signal } from '@preact/signals';

let base = 0;
let since = 0;

/** The server's time now, ms; advances with the page's monotonic clock. */
export const serverNow = (): number => (base === 0 ? Date.now() : base + performance.now() - since);

/** Updated once a second, for what shows ages. */
export const now = signal(Date.now());

/** How far the browser's clock is off, ms; 0 until the server has said its time. */
export const clockError = signal(0);

/** Take a time that the server has just said. `slack_ms`: how inexact it may be. */
export function setServerTime(server_ms: number, slack_ms = 0): void {
  const guess = serverNow();
  if (base !== 0 && slack_ms > 0 && Math.abs(guess - server_ms) <= slack_ms) return;
  base = server_ms;
  since = performance.now();
  clockError.value = Date.now() - server_ms;
  now.value = server_ms;
}

setInterval(() => { if (!document.hidden) now.value = serverNow(); }, 1000);
document.addEventListener('visibilitychange', () => { now.value = serverNow(); });
