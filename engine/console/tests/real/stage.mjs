// What the journeys against the real server share: somebody who signs in, and calls of the API for what stands before a story.
import assert from 'node:assert/strict';
import { open, settle, signIn } from '../journeys/world.mjs';

export const PASSWORD = 'a lamp in the harbour';
export const MARA = 'mara@example.com';

/** Click the button or link with this name. Looked for in the page: Firefox's own search by names waits for pages to stand still. */
export const click = async (page, name, within = 'body') => {
  const found = await page.waitForFunction((where, words) => {
    const all = [...document.querySelectorAll(where)].flatMap((root) => [...root.querySelectorAll('button, a')]);
    return all.find((one) => (one.getAttribute('aria-label') ?? one.textContent.trim()) === words && one.checkVisibility() && !one.disabled) ?? null;
  }, {}, within, name);
  await found.asElement().click();
};
export const widget = (title) => `.widget:has(h2[title="${title}"])`;

/** Fill a form's fields by their names. */
export async function fill(page, fields) {
  for (const [name, value] of Object.entries(fields)) {
    await page.waitForSelector(`input[name="${name}"]`);
    await page.type(`input[name="${name}"]`, value);
  }
}

/** Ask the API as the page does, with its session. */
export async function api(page, method, path, body, headers = {}) {
  const answer = await page.evaluate(async (verb, to, text, more) => {
    const me = await (await fetch('/api/v1/me')).json();
    const response = await fetch(`/api/v1${to}`, { method: verb, body: text ?? undefined, headers: { ...(text ? { 'content-type': 'application/json' } : {}), 'x-linchpin-csrf': me.csrf, ...more } });
    return { status: response.status, text: await response.text(), etag: response.headers.get('etag') };
  }, method, path, body === undefined ? null : JSON.stringify(body), headers);
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${answer.text}`);
  return { body: answer.text ? JSON.parse(answer.text) : null, etag: answer.etag };
}

/** Somebody's browser, signed in. */
export async function enter(server, email, look = {}) {
  const world = await open(server, look);
  await signIn(world.page, server, email, PASSWORD);
  await world.page.waitForFunction(() => location.pathname === '/devices');
  await settle(world.page);
  return world;
}

/** Make a person without the form: the operator's command. */
export function createPerson(server, email, role = 'admin', org = '1') {
  server.command(['admin', 'user', 'create', '--org', org, '--role', role, '--email', email, '--password-stdin'], PASSWORD);
}

const stream = (pin, name, parts = {}) => ({ pin, name, alias: name.toLowerCase().replaceAll(' ', '_'), kind: 'double', unit: null, min: 0, max: 100, decimals: 1, default: null, labels: [], stale_after_s: null, hidden: false, writable: false, ...parts });
const item = (id, kind, pins, x, y, w, h, parts = {}) => ({ id, kind, pins, x, y, w, h, title: null, unit: null, min: null, max: null, decimals: null, bands: [], confirm: false, phone: { order: null, h: null, hidden: false }, options: {}, ...parts });

/** A template with something to look at and something to set. */
export const GREENHOUSE = {
  name: 'Greenhouse', description: 'Air and soil, fan and heating.',
  streams: [
    stream('V0', 'Air temperature', { unit: '°C', max: 45, stale_after_s: 3 }), stream('V1', 'Humidity', { unit: '%', decimals: 0 }), stream('V2', 'Soil moisture', { unit: '%', decimals: 0 }),
    stream('V4', 'Fan', { kind: 'integer', max: 1, decimals: null, writable: true }), stream('V5', 'Target temperature', { unit: '°C', min: 10, max: 35, writable: true }),
    stream('V6', 'Mode', { kind: 'enumeration', min: null, max: null, decimals: null, labels: [{ value: '0', text: 'Off' }, { value: '1', text: 'Auto' }, { value: '2', text: 'Manual' }], writable: true }),
    stream('V7', 'Status', { kind: 'string', min: null, max: null, decimals: null }),
  ],
  events: [{ code: 'too_hot', name: 'Too hot', level: 'critical', text: 'Air above 36 °C' }],
  metadata: [{ name: 'Bay', kind: 'text', unit: null, required: false }],
  connection: { tls_required: false, offline_wait_s: 0 },
  layout: { version: 1, pages: [{ id: 'p1', title: 'Overview', roles: null, widgets: [
    item('w1', 'gauge', ['V0'], 0, 0, 3, 3, { bands: [{ from: 0, tone: 'good' }, { from: 30, tone: 'warning' }, { from: 36, tone: 'bad' }] }), item('w2', 'gauge', ['V1'], 3, 0, 3, 3),
    item('w3', 'level', ['V2'], 6, 0, 3, 2), item('w4', 'value', ['V0'], 9, 0, 3, 2, { title: 'Now' }),
    item('w5', 'switch', ['V4'], 6, 2, 3, 2), item('w6', 'choice', ['V6'], 9, 2, 3, 2), item('w7', 'slider', ['V5'], 0, 3, 6, 2),
    item('w8', 'text', ['V7'], 0, 5, 6, 1, { phone: { order: null, h: 2, hidden: false } }), item('w9', 'chart', ['V0', 'V1'], 0, 6, 12, 4, { title: 'Climate' }),
  ] }] },
};

/** That template in an organization; answers its id. */
export const makeTemplate = async (page, org = 1) => (await api(page, 'POST', `/orgs/${org}/templates`, GREENHOUSE)).body.id;
export const makeDevice = async (page, name, template = null, org = 1) => (await api(page, 'POST', `/orgs/${org}/devices`, { name, template })).body;

/** The screen of a device, awake: its values may be trusted and its controls react. */
export async function awake(page) { await page.waitForSelector('.grid:not([inert])'); }
