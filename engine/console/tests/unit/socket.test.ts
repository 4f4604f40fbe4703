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
const { connect, disconnect, hurry, link, onUnopened, renew, write } = await import('../../app/live/socket.ts');
const { askTicket } = await import('../../app/live/address.ts');
const { eyes } = await import('../../app/eyes.ts');

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

test('in a view the socket has the eyes of its ticket, and writes nothing', async (context) => {
  context.after(() => { disconnect(); eyes.value = ''; });
  const given: ((ticket: string) => void)[] = [];
  askTicket.call = () => new Promise((give) => { given.push(give); });
  const begun = Made.all.length;
  connect();
  const own = Made.all[begun]!;
  own.readyState = Made.OPEN;
  own.onopen!();
  eyes.value = '1/3';
  renew();
  assert.deepEqual([own.readyState, link.value], [3, 'connecting'], 'what the person sees is not shown any more');
  // Another view before the first ticket came: the ticket of the first is not used.
  eyes.value = '1/4';
  renew();
  given[0]!('first');
  given[1]!('second');
  await new Promise((done) => setTimeout(done, 0));
  const made = Made.all.slice(begun + 1);
  assert.deepEqual(made.map((one) => one.url.href), ['ws://127.0.0.1:8080/api/v1/live?ticket=second']);
  made[0]!.readyState = Made.OPEN;
  made[0]!.onopen!();
  const sent = made[0]!.sent;
  assert.deepEqual(await write(1, 0, 7), { outcome: 'refused', code: 0 });
  assert.equal(made[0]!.sent, sent, 'the server is not asked');
  eyes.value = '';
  renew();
  assert.equal(Made.all.at(-1)!.url.search, '', 'the own eyes need no ticket');
});
