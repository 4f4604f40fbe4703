// The link to the server: who hears of it when it does not come about.
import assert from 'node:assert/strict';
import test from 'node:test';

class Made {
  static readonly OPEN = 1;
  static all: Made[] = [];
  readyState = 0;
  sent = 0;
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  constructor(readonly url: URL) { Made.all.push(this); }
  send(): void { this.sent++; }
  close(): void { this.readyState = 3; }
}
Object.assign(globalThis, {
  WebSocket: Made,
  location: { href: 'http://127.0.0.1:8080/devices' },
  addEventListener: () => {},
  cancelAnimationFrame: () => {},
  // The page's clock: nothing waits for it here.
  setInterval: () => 0,
  document: { addEventListener: () => {}, hidden: false },
});
const { connect, disconnect, hurry, link, onUnopened } = await import('../../app/live/socket.ts');

test('a link that was not let in is reported, one that ended is not', (context) => {
  // Also when it fails: a link that is wanted tries for ever.
  context.after(disconnect);
  let reported = 0;
  onUnopened.call = () => { reported++; };
  connect();
  const [refused] = Made.all;
  assert.equal(refused!.url.href, 'ws://127.0.0.1:8080/api/v1/live');
  refused!.onclose!();
  assert.deepEqual([reported, link.value], [1, 'down'], 'the server did not upgrade it');
  hurry();
  const opened = Made.all[1]!;
  opened.readyState = Made.OPEN;
  opened.onopen!();
  assert.deepEqual([link.value, opened.sent], ['live', 1]);
  opened.onclose!();
  assert.deepEqual([reported, link.value], [1, 'down'], 'it was open: it comes back by itself');
  hurry();
  Made.all[2]!.onclose!();
  assert.equal(reported, 2, 'and this time it was not let in');
  // Who leaves hears nothing more.
  hurry();
  disconnect();
  assert.deepEqual([Made.all[3]!.onclose, reported, link.value], [null, 2, 'idle']);
});
