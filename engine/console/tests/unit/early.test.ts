// What is asked before the rest of the code is there.
import assert from 'node:assert/strict';
import test from 'node:test';

const asked: string[] = [];
const storage = new Map<string, string>();
const links: { rel: string; href: string; as?: string }[] = [];
const metas: Record<string, string> = { 'device-part': '/assets/a.js /assets/b.js', 'devices-part': '/assets/c.js', 'more-style': '/assets/more.css' };
const place = { pathname: '/sign-in' };
let answer: unknown = {};
let status = 200;
Object.assign(globalThis, {
  localStorage: { getItem: (key: string) => storage.get(key) ?? null },
  location: place,
  addEventListener: () => {},
  // A timer that goes on would hold the test.
  setInterval: () => 0,
  document: {
    addEventListener: () => {},
    querySelector: (what: string) => ({ content: metas[/"(.+)"/.exec(what)![1]!] }),
    createElement: () => ({}),
    head: { append: (link: { rel: string; href: string }) => links.push(link) },
  },
  fetch: (path: string) => { asked.push(path); return Promise.resolve(new Response(JSON.stringify(answer), { status })); },
});
const { begin, fleetPath, takeEarly } = await import('../../app/early.ts');
const { fleetQuery } = await import('../../app/screens/fleet.ts');
const { ask, post } = await import('../../app/api/client.ts');

async function visit(pathname: string, hint: string | null): Promise<string[]> {
  asked.length = 0;
  links.length = 0;
  place.pathname = pathname;
  storage.clear();
  if (hint !== null) storage.set('linchpin.signed-in', hint);
  begin();
  await new Promise((done) => setTimeout(done, 0));
  return asked.map((path) => path.replace('/api/v1', ''));
}

test('who has not signed in here asks nothing early', async () => {
  assert.deepEqual(await visit('/devices/7', null), []);
  assert.deepEqual(links, []);
});

test('a device is asked for with its values, then its template', async () => {
  answer = { org: 3, template: 'TMPLx' };
  assert.deepEqual(await visit('/devices/7', '3'), ['/me', '/orgs/3/devices/7/values', '/orgs/3/devices/7', '/orgs/3/devices/7/template']);
  assert.deepEqual(links.map((link) => `${link.rel} ${link.href}`), ['modulepreload /assets/a.js', 'modulepreload /assets/b.js', 'preload /assets/more.css']);
  status = 404;
  assert.deepEqual((await visit('/devices/7', '3')).length, 3, 'no template of a device that is not there');
  status = 200;
});

test('the list asks what the screen asks', async () => {
  assert.deepEqual(await visit('/devices', '3'), ['/me', fleetQuery('/orgs/3', null)]);
  assert.equal(fleetPath('/orgs/3'), fleetQuery('/orgs/3', null));
  assert.deepEqual(await visit('/devices', '1000000'), ['/me', '/orgs/1000000/devices?below=true&limit=10000']);
  // Of an older build: signed in, but nobody knows where.
  assert.deepEqual(await visit('/devices', '0'), ['/me']);
  assert.deepEqual(await visit('/devices/7/wire', '3'), ['/me']);
});

test('an early answer is used once, and not when it is old', async (context) => {
  await visit('/devices', '3');
  assert.notEqual(takeEarly('/me'), null);
  assert.equal(takeEarly('/me'), null);
  const now = performance.now();
  context.mock.method(performance, 'now', () => now + 10_001);
  assert.equal(takeEarly(fleetPath('/orgs/3')), null);
  assert.equal(takeEarly('/other'), null);
});

test('what was answered before a sign-in is not shown after it', async () => {
  status = 401;
  await visit('/devices', '3');
  status = 200;
  answer = { csrf: 'x' };
  await post('/session', {});
  answer = { total: 1 };
  assert.deepEqual(await ask(fleetPath('/orgs/3')), { total: 1 });
});
