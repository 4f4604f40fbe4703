// Where the live socket is. A browser's socket sends no fields of ours: in a view as a role it opens by a ticket, and the
// ticket says through whose eyes it looks.
import { eyes } from '../eyes.ts';

/** Asks for a ticket that has the eyes of the view. */
export const askTicket = { call: (): Promise<string> => Promise.reject(new Error('nobody asks for tickets')) };

/** `open` is called at once without a view, else with the ticket, if there is one. */
export function liveAddress(open: (url: URL) => void, failed: () => void): void {
  const url = new URL('/api/v1/live', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  if (!eyes.peek()) { open(url); return; }
  void askTicket.call().then((ticket) => { url.searchParams.set('ticket', ticket); open(url); }, failed);
}
