// Every screen against the real server, light and dark, wide and narrow: axe finds nothing, nothing breaks the policy, the
// console says nothing, nothing is asked from elsewhere, nothing is wider than the window.
//
//   node tests/real/tour.mjs [--pictures OUT]   with pictures of all of them, for people to look at
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { violations, wider } from '../journeys/audits.mjs';
import { endBrowser, go, open, settle, signIn } from '../journeys/world.mjs';
import { furnish } from './furnish.mjs';
import { startServer } from './server.mjs';
import { api, createPerson, enter, MARA, PASSWORD } from './stage.mjs';

const screens = ({ first, template, devices }) => [
  ['devices', '/devices'], ['add', '/devices/add'], ['waiting', '/devices/waiting'],
  ['dashboard', `/devices/${first.id}`], ['edit', `/devices/${first.id}?edit=1`], ['timeline', `/devices/${devices[1].id}/timeline`], ['diary', `/devices/${first.id}/diary`], ['data', `/devices/${first.id}/values`], ['wire', `/devices/${first.id}/wire`], ['settings', `/devices/${first.id}/settings`],
  ['never', `/devices/${devices[7].id}`],
  ['templates', '/templates'], ['streams', `/templates/${template}`], ['template-dashboard', `/templates/${template}/dashboard`], ['template-events', `/templates/${template}/events`], ['metadata', `/templates/${template}/metadata`], ['connection', `/templates/${template}/connection`], ['versions', `/templates/${template}/history`],
  ['events', '/events'], ['users', '/people'], ['roles', '/people/roles'], ['organizations', '/people/organizations'], ['invitations', '/people/invitations'], ['audit', '/people/audit'],
  ['server', '/server'], ['shards', '/server/shards'], ['certificates', '/server/certificates'], ['backups', '/server/backups'], ['keys', '/server/keys'], ['limits', '/server/limits'], ['findings', '/server/findings'],
  ['me', '/me'], ['security', '/me/security'], ['personal-keys', '/me/keys'], ['privacy', '/me/privacy'],
];
// What somebody with the role User sees of what is theirs.
const own = ({ first, devices }) => [
  ['user-devices', '/devices'], ['user-dashboard', `/devices/${first.id}`], ['user-timeline', `/devices/${first.id}/timeline`], ['user-data', `/devices/${first.id}/values`], ['user-settings', `/devices/${first.id}/settings`],
  ['user-never', `/devices/${devices[7].id}`], ['user-events', '/events'], ['user-me', '/me'],
];
const ULI = 'uli@example.com';
const OPEN = [['sign-in', '/sign-in'], ['invite', '/invite#token=x&email=lena@example.org'], ['reset', '/reset']];

async function look(server, [email, pages], { width, dark, bypass }, out) {
  const { page, wrong, close } = await open(server, { width, height: width < 500 ? 640 : 900, dark, bypass });
  const found = [];
  const check = async (name) => {
    if (bypass) for (const line of await violations(page)) found.push(`${name}: ${line}`);
    for (const one of await wider(page)) found.push(`${name}: wider than the window: ${one}`);
    if (await page.$('main [role="alert"]')) found.push(`${name}: says that something failed: ${await page.$eval('main [role="alert"]', (one) => one.textContent)}`);
    if (out) await page.screenshot({ path: join(out, `${name}-${width}-${dark ? 'dark' : 'light'}.png`), fullPage: true });
  };
  const breaches = [];
  const collect = async () => breaches.push(...await page.evaluate(() => globalThis.breaches.splice(0)));
  for (const [name, path] of OPEN) { await page.goto(`${server.url}${path}`); await settle(page); await check(name); await collect(); }
  await signIn(page, server, email, PASSWORD);
  await page.waitForFunction(() => location.pathname === '/devices');
  await settle(page);
  for (const [name, path] of pages) { await go(page, path); await check(name); }
  await collect();
  assert.deepEqual(found, [], `${email} ${width} ${dark ? 'dark' : 'light'}`);
  if (!bypass) { assert.deepEqual(breaches, [], 'the policy was broken'); assert.deepEqual(wrong, [], 'the console said something, or something was asked from elsewhere'); }
  await close();
}

/** All looks, with a greenhouse that is furnished for them. */
export async function tour(server, out) {
  const { page, close } = await enter(server, MARA);
  const made = await furnish(server, page);
  createPerson(server, ULI, 'user');
  const { id } = (await api(page, 'GET', '/orgs/1/users')).body.items.find((one) => one.email === ULI);
  for (const device of [made.first, made.devices[7]]) await api(page, 'PATCH', `/orgs/1/devices/${device.id}`, { owner: id });
  await close();
  try {
    // Once with axe, which is put in around the policy; once without, to count what breaks it.
    for (const one of [{ width: 1280, dark: false, bypass: true }, { width: 1280, dark: true, bypass: true }, { width: 320, dark: true, bypass: true }, { width: 1280, dark: false, bypass: false }]) {
      for (const who of [[MARA, screens(made)], [ULI, own(made)]]) await look(server, who, one, one.bypass ? out : null);
    }
  } finally { made.boards.forEach((board) => board.kill()); }
}

if (process.argv[1]?.endsWith('tour.mjs')) {
  const at = process.argv.indexOf('--pictures');
  const out = at > 0 ? process.argv[at + 1] : null;
  if (out) mkdirSync(out, { recursive: true });
  const server = await startServer(...(process.env.LINCHPIN_CONSOLE_DIR ? ['--console', process.env.LINCHPIN_CONSOLE_DIR] : []));
  try { createPerson(server, MARA); await tour(server, out); } finally { await endBrowser(); await server.end(); }
}
