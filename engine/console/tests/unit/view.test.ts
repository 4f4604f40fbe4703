// A view as a role: what is asked with its eyes, and what is not asked at all.
import assert from 'node:assert/strict';
import test from 'node:test';

interface Asked { path: string; method: string; eyes: string | null }
const asked: Asked[] = [];
let answer = (): Response => new Response('{}');
Object.assign(globalThis, {
  localStorage: { getItem: () => null },
  location: { pathname: '/devices' },
  // A timer that goes on would hold the test.
  setInterval: () => 0,
  document: { addEventListener: () => {} },
  fetch: (path: string, options: RequestInit) => {
    asked.push({ path: path.replace('/api/v1', ''), method: options.method ?? 'GET', eyes: new Headers(options.headers).get('x-linchpin-view-as') });
    return Promise.resolve(answer());
  },
});
// Older Node.js has none; the sentences go by its languages.
if (typeof navigator === 'undefined') Object.assign(globalThis, { navigator: { language: 'en', languages: ['en'] } });
const { eyes, isAllowed, isOwn, onViewLost } = await import('../../app/eyes.ts');
const { ask, patch, post, Problem, put, remove, VIEWING } = await import('../../app/api/client.ts');

test('what reads has the eyes of the role, what is the person\'s own has not', async (context) => {
  context.after(() => { eyes.value = ''; asked.length = 0; });
  await ask('/orgs/1/devices');
  eyes.value = '1/3';
  for (const path of ['/orgs/1/devices', '/me', '/me/keys', '/session', '/metrics']) await ask(path);
  assert.deepEqual(asked.map((one) => one.eyes), [null, '1/3', null, null, null, '1/3']);
  assert.deepEqual([isOwn('/me?x=1'), isOwn('/messages'), isOwn('/sessions')], [true, false, false]);
});

test('nothing is changed in a view, but one may sign out', async (context) => {
  context.after(() => { eyes.value = ''; asked.length = 0; });
  eyes.value = '1/1';
  for (const change of [() => put('/orgs/1/roles/20', {}), () => patch('/me', {}), () => post('/orgs/1/devices'), () => remove('/orgs/1/devices/1'), () => post('/session/step-up')]) {
    await assert.rejects(change, (error) => error instanceof Problem && error.code === VIEWING && error.status === 403);
  }
  assert.deepEqual(asked, [], 'the server is not asked');
  await remove('/session');
  await post('/live/ticket');
  assert.deepEqual(asked, [{ path: '/session', method: 'DELETE', eyes: null }, { path: '/live/ticket', method: 'POST', eyes: '1/1' }]);
  assert.deepEqual([isAllowed('DELETE', '/session'), isAllowed('DELETE', '/session/3'), isAllowed('POST', '/session')], [true, false, false]);
});

test('a view that the server does not give any more is left', async (context) => {
  context.after(() => { eyes.value = ''; asked.length = 0; answer = () => new Response('{}'); });
  let lost = 0;
  onViewLost.call = () => { lost++; };
  const refused = (field: string) => () => new Response(JSON.stringify({ code: 'E0601', detail: 'gone', field }), { status: 404 });
  eyes.value = '1/20';
  answer = refused('name');
  await assert.rejects(ask('/orgs/1'));
  assert.equal(lost, 0, 'another fault says nothing of the view');
  answer = refused('x-linchpin-view-as');
  await assert.rejects(ask('/orgs/1'));
  assert.equal(lost, 1);
  // A late answer to what an earlier view asked does not end the present one.
  const late = ask('/orgs/1');
  eyes.value = '1/4';
  await assert.rejects(late);
  assert.equal(lost, 1);
});
