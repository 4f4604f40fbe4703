// A server for the console's tests: the bundle with the real policy, `/api/v1` from memory, and a live socket with devices
// that move. Usage: node server.js DIST [--port N] [--devices N] [--still]
import './time.ts';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { passwordHash } from '../../app/api/hash.ts';
import { devices, events, fill, roles, seeded, users } from './fleet.ts';
import { attempt, behaviour, LiveSocket, setPresence, setValue, storm, toAll } from './live.ts';
import { isSeen, Refuse, ROUTES } from './routes.ts';
import { EYES, isAllowed, isOwn } from '../../app/eyes.ts';

const words = process.argv.slice(2);
const option = (name: string, otherwise: number): number => (words.includes(name) ? Number(words[words.indexOf(name) + 1]) : otherwise);
const dist = words[0]!;
export const PASSWORD = 'correct horse battery';
/** Who is signed in, by cookie. */
const signedIn = new Map<string, number>();
const failures = new Map<string, number>();
/** What the page reported against its policy. */
const reports: string[] = [];
/** Milliseconds by which the next answers are late, and a status that they all get: for tests of slow and broken servers. */
const trouble = { late_ms: 0, status: 0, path: '' };

const files = new Map(readFileSync(join(dist, 'files.txt'), 'utf8').trim().split('\n').slice(1).map((line) => { const [path, media, tag, cache] = line.split('\t'); return [path!, { media: media!, tag: tag!, cache: cache! }] as const; }));
const policy = readFileSync(process.env.POLICY!, 'utf8');

function file(request: IncomingMessage, response: ServerResponse, path: string): void {
  const name = files.has(path) && path !== '/index.html' ? path : '/index.html';
  const found = files.get(name)!;
  if (path.startsWith('/assets/') && name === '/index.html') { response.writeHead(404).end(); return; }
  const page = name === '/index.html' ? { 'content-security-policy': `${policy}; report-uri /mock/report`, 'referrer-policy': 'no-referrer', 'cross-origin-opener-policy': 'same-origin' } : {};
  const encoding = String(request.headers['accept-encoding']).includes('gzip') && name.startsWith('/assets/') ? { 'content-encoding': 'gzip' } : {};
  response.writeHead(200, { 'content-type': found.media, etag: `"${found.tag}"`, 'cache-control': found.cache === 'immutable' ? 'public, max-age=31536000, immutable' : 'no-cache', ...page, ...encoding });
  response.end(readFileSync(join(dist, `${name}${'content-encoding' in encoding ? '.gz' : ''}`)));
}

const cookie = (request: IncomingMessage): string => /linchpin-session=([\w-]+)/.exec(request.headers.cookie ?? '')?.[1] ?? '';

function session(body: Record<string, string>, request: IncomingMessage, response: ServerResponse): unknown {
  const address = request.socket.remoteAddress ?? '';
  if ((failures.get(address) ?? 0) >= 5) { response.setHeader('retry-after', '600'); throw new Refuse(429, 'E0605', 'Too many failed attempts from this address.'); }
  const user = users.find((one) => one.email === body.email);
  const known = body.email === 'factor@example.com' ? users[1] : user;
  if (!known || body.hash !== passwordHash(body.email!, PASSWORD)) { failures.set(address, (failures.get(address) ?? 0) + 1); throw new Refuse(401, 'E0604', 'E-mail or password is wrong.'); }
  const person = { id: known.id, org: 1, email: known.email, name: known.name, locale: null };
  if (body.email === 'factor@example.com' && body.code !== '123456') {
    if (body.code) throw new Refuse(401, 'E0604', 'The code is wrong.');
    return { user: person, csrf: 'csrf-of-the-mock', due: ['factor'] };
  }
  const made = `s${signedIn.size}${Math.floor(Math.random() * 1e9)}`;
  signedIn.set(made, known.id);
  failures.delete(address);
  response.setHeader('set-cookie', `linchpin-session=${made}; Path=/; HttpOnly; SameSite=Strict`);
  return { user: person, csrf: 'csrf-of-the-mock', due: [] };
}

/** Levers for the tests. */
function lever(path: string, body: Record<string, any>): unknown {
  if (path === '/mock/report') { reports.push(JSON.stringify(body)); return undefined; }
  if (path === '/mock/reports') return reports;
  if (path === '/mock/attempt') attempt(body.address, body.code);
  else if (path === '/mock/presence') setPresence(devices.get(body.device)!, body.online, body.code);
  else if (path === '/mock/value') setValue(devices.get(body.device)!, body.pin, body.text);
  else if (path === '/mock/values') return Object.fromEntries([...devices.get(body.device)!.values].map(([pin, held]) => [pin, held.text]));
  else if (path === '/mock/property') { const one = devices.get(body.device)!; one.properties.set(body.pin, { ...one.properties.get(body.pin), [body.name]: body.text }); toAll({ kind: 'property', device: body.device, pin: Number(body.pin.slice(1)), name: body.name, value: body.text }); }
  else if (path === '/mock/behaviour') { const { offline, ...rest } = body; Object.assign(behaviour, rest); if (offline) behaviour.offline = new Set(offline); }
  else if (path === '/mock/trouble') Object.assign(trouble, { late_ms: 0, status: 0, path: '' }, body);
  else if (path === '/mock/cut') for (const socket of LiveSocket.all) socket.end();
  else if (path === '/mock/revoke') { signedIn.clear(); toAll({ kind: 'revoked', code: 0 }); }
  else if (path === '/mock/role') { users.find((one) => one.email === body.email)!.role = body.role; toAll({ kind: 'hello', server_ms: Date.now(), build: behaviour.build, rights: Date.now() & 0xffff }); }
  else if (path === '/mock/empty') { devices.clear(); events.length = 0; }
  else if (path === '/mock/storm') storm(body.rows);
  else if (path === '/mock/owner') devices.get(body.device)!.owner = body.owner;
  else if (path === '/mock/forgive') failures.clear();
  return undefined;
}

async function api(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  let text = '';
  for await (const part of request) text += String(part);
  const body = text ? (JSON.parse(text) as Record<string, any>) : {};
  const path = url.pathname.replace(/^\/api\/v1/, '');
  const user = signedIn.get(cookie(request)) ?? null;
  const answer = (status: number, value: unknown) => { response.writeHead(value === undefined && status === 200 ? 204 : status, { 'content-type': status < 400 ? 'application/json' : 'application/problem+json', 'x-request-id': 'r-1' }); response.end(value === undefined ? undefined : JSON.stringify(value)); };
  try {
    if (url.pathname.startsWith('/mock/')) { answer(200, lever(url.pathname, body)); return; }
    if (trouble.path && path.includes(trouble.path)) {
      if (trouble.late_ms) await new Promise((done) => setTimeout(done, trouble.late_ms));
      if (trouble.status) throw new Refuse(trouble.status, trouble.status === 403 ? 'E0603' : 'E0699', 'The tests asked for this.');
    }
    if (path === '/session') { if (request.method === 'DELETE') { signedIn.delete(cookie(request)); answer(200, undefined); } else answer(200, session(body as Record<string, string>, request, response)); return; }
    if (/\/export$/.test(path)) { response.writeHead(200, { 'content-type': 'text/csv', 'content-disposition': 'attachment; filename="export.csv"' }); response.end('time,pin,value\n'); return; }
    for (const [method, pattern, answerOf] of ROUTES) {
      const hit = new RegExp(`^${pattern}$`).exec(path);
      if (!hit || method !== request.method) continue;
      const isOpen = ['/reset', '/reset/confirm', '/verify', '/bootstrap', '/oidc'].includes(path);
      if (user === null && !isOpen) throw new Refuse(401, 'E0602', 'Sign in first.');
      if (method !== 'GET' && !isOpen && request.headers['x-linchpin-csrf'] !== 'csrf-of-the-mock') throw new Refuse(403, 'E0606', 'The CSRF field is missing.');
      const field = request.headers[EYES] as string | undefined;
      const view = field === undefined || isOwn(path) ? null : Number(/^\d+\/(\d+)$/.exec(field)?.[1]);
      if (view !== null && !roles.some((one) => one.id === view)) throw new Refuse(404, 'E0601', 'There is no such role.', EYES);
      if (field !== undefined && !isAllowed(method!, path)) throw new Refuse(403, 'E0603', 'A view as a role changes nothing.', EYES);
      answer(200, answerOf({ view, method: method!, path, query: url.searchParams, body, user, etag: (request.headers['if-match'] as string | undefined) ?? null, response }, ...hit.slice(1)));
      return;
    }
    throw new Refuse(404, 'E0600', `There is no route ${request.method} ${path}.`);
  } catch (error) {
    if (error instanceof Refuse) answer(error.status, { code: error.code, detail: error.message, field: error.field, status: error.status });
    else answer(500, { code: 'E0500', detail: String(error) });
  }
}

const server = createServer((request, response) => {
  response.setHeader('date', new Date(Date.now()).toUTCString());
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (/^\/(api|mock)\//.test(url.pathname)) void api(request, response, url);
  else file(request, response, url.pathname);
});
server.on('upgrade', (request, socket) => {
  const ticket = new URL(request.url ?? '/', 'http://localhost').searchParams.get('ticket');
  if (!signedIn.has(cookie(request))) { socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n'); return; }
  const [user, view] = (ticket ?? '').split('-').map(Number);
  new LiveSocket(socket, request, ticket ? (one) => isSeen(user!, view || null, one) : undefined);
});

fill(option('--devices', 24));
if (!words.includes('--still')) {
  const random = seeded(7);
  setInterval(() => {
    for (const device of devices.values()) {
      if (!device.online || device.id > 200) continue;
      for (const pin of ['V0', 'V1', 'V2', 'V3']) {
        const held = device.values.get(pin);
        if (!held || !Number.isFinite(Number(held.text))) continue;
        const decimals = held.text.includes('.') ? held.text.split('.')[1]!.length : 0;
        const n = Number(held.text);
        setValue(device, pin, Math.max(0, n + (random() - 0.5) * Math.max(1, Math.abs(n) * 0.02)).toFixed(decimals));
      }
    }
  }, 1_000);
}
server.listen(option('--port', 0), '127.0.0.1', () => {
  const address = server.address();
  console.log(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/`);
});
