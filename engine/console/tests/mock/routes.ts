// The routes of `/api/v1` that the console uses, in memory.
import type { ServerResponse } from 'node:http';
import type { DevicePage, ServerPage, Template } from '../../app/api/types.ts';
import { fault } from '../../app/layout/layout.ts';
import { addDevice, ALL, audit, consents, devices, diary, events, invites, keys, orgs, roles, seeded, sessions, START, templates, users, versions, type MockDevice } from './fleet.ts';
import { behaviour, setPresence, setValue, toAll } from './live.ts';

export interface Call { method: string; path: string; query: URLSearchParams; body: Record<string, any>; user: number | null; view: number | null; etag: string | null; response: ServerResponse }
export class Refuse extends Error { constructor(readonly status: number, readonly code: string, detail: string, readonly field?: string) { super(detail); } }

const page = <T>(items: T[]) => ({ items, next: null });
const missing = () => new Refuse(404, 'E0601', 'There is no such thing, or you may not see it.');
const tag = (template: Template) => `"${template.version}"`;

const grantOf = (user: number) => {
  const line = users.find((one) => one.id === user)!;
  const role = roles.find((one) => one.id === line.role)!;
  return { role, line };
};
/** What somebody may do, in a view only what its role may too. */
const may = ({ user, view }: Call, permission: string): boolean => {
  const eyes = view === null ? [grantOf(user!).role] : [grantOf(user!).role, roles.find((one) => one.id === view)!];
  return eyes.every((role) => role.org.includes(permission) || role.own.includes(permission));
};
/** Is a device seen by who asks, in a view with the role's eyes too? */
export function isSeen(user: number, view: number | null, one: MockDevice): boolean {
  const eyes = view === null ? [grantOf(user).role] : [grantOf(user).role, roles.find((role) => role.id === view)!];
  return eyes.every((role) => role.org.includes('device.view') || (role.own.includes('device.view') && one.owner === user));
}
function need(call: Call, permission: string): void {
  if (call.user === null) throw new Refuse(401, 'E0602', 'Sign in first.');
  if (!may(call, permission)) throw new Refuse(403, 'E0603', `Your role lacks ${permission}.`);
}

function device(id: string): MockDevice {
  const found = devices.get(Number(id));
  if (!found) throw missing();
  return found;
}
const template = (id: string): Template => { const found = templates.find((one) => one.id === id); if (!found) throw missing(); return found; };

function list(call: Call): DevicePage {
  need(call, 'device.view');
  const q = (call.query.get('q') ?? '').toLowerCase();
  const limit = Number(call.query.get('limit') ?? 500);
  const all = [...devices.values()].filter((one) => isSeen(call.user!, call.view, one));
  const found = all.filter((one) => one.name.toLowerCase().includes(q));
  const rows = found.slice(0, limit);
  const shown = (one: MockDevice) => (one.template ? template(one.template).streams[0]!.pin : (one.values.keys().next().value as string | undefined) ?? null);
  return {
    columns: {
      id: rows.map((one) => one.id), org: rows.map((one) => one.org), name: rows.map((one) => one.name), template: rows.map((one) => one.template), template_name: rows.map((one) => (one.template ? template(one.template).name : null)),
      online: rows.map((one) => one.online), since_ms: rows.map((one) => Math.round(one.since_ms)), seen_ms: rows.map((one) => one.seen_ms && Math.round(one.seen_ms)), tags: rows.map((one) => one.tags), trouble: rows.map((one) => one.trouble),
      pin: rows.map(shown), value: rows.map((one) => one.values.get(shown(one) ?? '')?.text ?? null), value_ms: rows.map((one) => Math.round(one.values.get(shown(one) ?? '')?.at_ms ?? 0) || null), unit: rows.map((one) => (one.template ? template(one.template).streams[0]!.unit : null)),
    },
    total: found.length, next: found.length > limit ? 'more' : null,
    counts: { online: all.filter((one) => one.online).length, offline: all.filter((one) => one.online === false).length, never: all.filter((one) => one.online === null).length, trouble: all.filter((one) => one.trouble !== null).length },
  };
}

function show(call: Call, one: MockDevice) {
  need(call, 'device.view');
  if (!isSeen(call.user!, call.view, one)) throw missing();
  const { role } = grantOf(call.user!);
  return {
    id: one.id, org: one.org, org_name: orgs.find((org) => org.id === one.org)!.name, name: one.name, template: one.template, template_name: one.template && template(one.template).name, owner: one.owner, owner_name: users.find((user) => user.id === one.owner)?.name ?? null,
    tags: one.tags, metadata: one.metadata, online: one.online, since_ms: Math.round(one.since_ms), seen_ms: one.seen_ms && Math.round(one.seen_ms), created_ms: one.created_ms, address: one.online === null ? null : '10.0.0.31', transport: 'TLS 1.3', board: 'ESP32 DevKit', firmware: '1.4.2', library: 'Blynk 1.3.2',
    may: [...role.org, ...role.own].filter((name) => call.view === null || (/\.(view|diagnose)$/.test(name) && may(call, name))),
  };
}

/** What the page of a device shows of its template: hidden datastreams only for who sees templates. */
function shownTemplate(call: Call, one: MockDevice) {
  need(call, 'device.view');
  if (!isSeen(call.user!, call.view, one) || !one.template) throw missing();
  const whole = template(one.template);
  call.response.setHeader('etag', tag(whole));
  const { id, name, streams, metadata, layout } = whole;
  return { id, name, streams: streams.filter((stream) => !stream.hidden || may(call, 'template.view')), metadata, layout: may(call, 'dashboard.view') ? layout : null };
}

function history(one: MockDevice, query: URLSearchParams) {
  const from_ms = Number(query.get('from_ms'));
  const to_ms = Number(query.get('to_ms'));
  const points = Math.min(Number(query.get('points') ?? 600), 600);
  const series = (query.get('pins') ?? '').split(',').map((pin, n) => {
    const random = seeded(one.id * 31 + n);
    const end = Number(one.values.get(pin)?.text ?? 20 + n * 10);
    const at_ms: number[] = [];
    const last: number[] = [];
    for (let k = 0; k < points; k++) {
      const at = from_ms + ((to_ms - from_ms) * k) / points;
      at_ms.push(Math.round(at));
      const swing = Math.abs(end) * 0.18 + 0.5;
      last.push(Number((end + swing * (Math.sin((k / points) * 9 + n * 2) - Math.sin(9 + n * 2)) * (1 - k / points) + (random() - 0.5) * swing * 0.15).toFixed(2)));
    }
    return { pin, at_ms, last, min: last.map((value) => value - 0.2), max: last.map((value) => value + 0.2) };
  });
  return { from_ms, to_ms, series };
}

function save(call: Call, one: Template): Template {
  need(call, 'template.edit');
  if (call.etag && call.etag !== tag(one)) throw new Refuse(412, 'E0612', 'Somebody else has saved a newer version.');
  const next = { ...one, ...(call.body as Partial<Template>), version: one.version + 1, changed_ms: Date.now() };
  const wrong = fault(next.layout, next.streams.map((stream) => stream.pin));
  if (wrong) throw new Refuse(422, 'E0622', wrong, 'layout');
  Object.assign(one, next);
  versions.unshift({ version: one.version, at_ms: Date.now(), by: grantOf(call.user!).line.name, note: 'Saved in the console' });
  call.response.setHeader('etag', tag(one));
  return one;
}

function make(call: Call) {
  need(call, 'device.create');
  const made = addDevice({ name: String(call.body.name), template: call.body.template ?? null, virtual: Boolean(call.body.virtual), owner: call.user });
  if (made.virtual) setTimeout(() => { setPresence(made, true); setValue(made, 'V0', '20'); }, 300);
  toAll({ kind: 'changed', set: 0 });
  return { id: made.id, name: made.name, token: made.token, host: 'linchpin.example.com', port: 8080, port_tls: 443 };
}

const server = (): ServerPage => ({
  version: '0.1.0', build: 'a1b2c3d', up_ms: 3 * 86_400_000 + 7_400_000, draining: false, back_end: 'io_uring', devices: devices.size, online: [...devices.values()].filter((one) => one.online).length, messages: 80_870_000, cpu_us: 18_660_000_000, rss_bytes: 96_400_000, disk_used_bytes: 8.2e9, disk_bytes: 20e9, journal_age_ms: 41,
  shards: [0, 1, 2, 3].map((shard) => ({ shard, connections: 11 + shard, devices: 6, messages: 20_200_000 + shard, tick_p99_us: 180 + shard * 22, busy_us: 16_000_000_000 + shard })),
  certificates: [{ names: ['linchpin.example.com'], until_ms: START + 61 * 86_400_000, source: 'ACME', state: 'good' }, { names: ['10.0.0.5'], until_ms: START + 9 * 86_400_000, source: 'file', state: 'soon' }],
  backups: { place: 's3://greenhouse-backup/linchpin', last_ms: START - 9 * 3_600_000, verified_ms: START - 9 * 3_600_000, next_ms: START + 15 * 3_600_000, items: [1, 2, 3].map((n) => ({ id: `2026-11-${30 - n}`, at_ms: START - n * 86_400_000, bytes: 412_000_000 - n * 900_000, verified: n < 3 })) },
  keys: { epoch: 14, rotated_ms: START - 26 * 86_400_000, unsealed_by: 'file /etc/linchpin/unseal.key', held: 14, limit: 4_096 },
  limits: [{ name: 'devices', used: devices.size, limit: 100_000 }, { name: 'connections', used: 50, limit: 60_000 }, { name: 'keys', used: 3_891, limit: 4_096 }],
  findings: [{ level: 'good', title: 'Store', text: 'Readable, sealed, verified 9 hours ago.', fix: null }, { level: 'warning', title: 'Certificate of 10.0.0.5', text: 'It ends in 9 days and comes from a file.', fix: 'Renew the file, then run `linchpin reload`.' }, { level: 'bad', title: 'Descriptor limit', text: '20,000 descriptors for 60,000 connections.', fix: 'Set LimitNOFILE=200000 in the unit.' }], work: null,
});

type Handler = (call: Call, ...parts: string[]) => unknown;
const O = '/orgs/(\\d+)';
const D = `${O}/devices/(\\d+)`;
/** Method, path, what it answers. */
export const ROUTES: [string, string, Handler][] = [
  ['POST', '/live/ticket', (call) => ({ ticket: `${call.user}-${call.view ?? 0}`, seconds: 30 })],
  ['GET', '/me', (call) => {
    if (call.user === null) throw new Refuse(401, 'E0602', 'Sign in first.');
    const { role, line } = grantOf(call.user);
    const own = { org: 1, org_name: 'Greenhouse Labs', role: role.id, role_name: role.name, below: line.below, all: role.org, own: role.own };
    return { user: { id: line.id, org: 1, email: line.email, name: line.name, locale: null }, csrf: 'csrf-of-the-mock', grants: role.id === 1 ? [own, { ...own, org: 2, org_name: 'Botanic Garden' }] : [own], factor: line.factor, operator: role.id === 1, server: { name: 'linchpin.example.com', build: 'a1b2c3d', public_url: null, plain: true } };
  }],
  ['GET', `${O}/devices`, list],
  ['POST', `${O}/devices`, make],
  ['POST', `${O}/devices/batch`, (call) => {
    for (const id of call.body.devices as number[]) {
      if (call.body.remove) { need(call, 'device.delete'); devices.delete(id); }
      if (call.body.add_tags) { need(call, 'device.edit'); const one = device(String(id)); one.tags = [...new Set([...one.tags, ...call.body.add_tags])]; }
      if (call.body.move_to) { need(call, 'device.transfer'); device(String(id)).org = call.body.move_to; }
    }
    return { done: call.body.devices.length };
  }],
  ['GET', D, (call, _o, id) => show(call, device(id!))],
  ['PATCH', D, (call, _o, id) => { need(call, 'device.edit'); Object.assign(device(id!), call.body); return show(call, device(id!)); }],
  ['DELETE', D, (call, _o, id) => { need(call, 'device.delete'); devices.delete(Number(id)); return undefined; }],
  ['GET', `${D}/template`, (call, _o, id) => shownTemplate(call, device(id!))],
  ['GET', `${D}/values`, (_call, _o, id) => [...device(id!).values].map(([pin, held]) => ({ pin, value: held.text, at_ms: Math.round(held.at_ms), properties: device(id!).properties.get(pin) ?? {} }))],
  ['GET', `${D}/history`, (call, _o, id) => history(device(id!), call.query)],
  ['GET', `${D}/diary`, (call, _o, id) => { need(call, 'device.diagnose'); return page(diary(device(id!))); }],
  ['GET', `${D}/token`, (call, _o, id) => { need(call, 'device.token'); return { token: device(id!).token }; }],
  ['POST', `${D}/token`, (call, _o, id) => { need(call, 'device.token'); const one = device(id!); one.token = one.token.split('').reverse().join(''); return { token: one.token }; }],
  ['GET', `${D}/shares`, () => page([{ user: 3, name: 'Inês Carvalho', email: 'ines@example.com', permissions: ['device.view', 'device.control'], until_ms: null }])],
  ['PUT', `${D}/shares/(\\d+)`, () => undefined],
  ['DELETE', `${D}/shares/(\\d+)`, () => undefined],
  ['DELETE', `${D}/data`, () => undefined],
  ['GET', `${O}/events`, (call) => { need(call, 'event.view'); const id = Number(call.query.get('device')); return page(events.filter((one) => (!id || one.device === id) && (call.query.get('open') !== 'true' || one.resolved_ms === null))); }],
  ['POST', `${O}/events/([\\w-]+)/resolve`, (call, _o, id) => { need(call, 'event.resolve'); const one = events.find((event) => event.id === id)!; one.resolved_ms = Date.now(); one.resolved_by = grantOf(call.user!).line.name; one.note = call.body.note ?? null; return one; }],
  ['GET', `${O}/templates`, (call) => { need(call, 'template.view'); return page(templates.map((one) => ({ ...one, streams: one.streams.length, layout: undefined }))); }],
  ['POST', `${O}/templates`, (call) => { need(call, 'template.edit'); const made: Template = { ...templates[1]!, id: `TMPLnew${String(templates.length).padStart(5, '0')}`, streams: [], events: [], metadata: [], layout: { version: 1, pages: [{ id: 'p1', title: 'Overview', roles: null, widgets: [] }] }, description: '', version: 1, devices: 0, connection: { tls_required: false, offline_wait_s: 0 }, ...call.body } as Template;
    if (call.body.from_device) made.streams = [...device(String(call.body.from_device)).values.keys()].map((pin) => ({ ...templates[0]!.streams[7]!, pin, name: pin, alias: pin.toLowerCase() }));
    templates.push(made); return made; }],
  ['GET', `${O}/templates/([\\w-]+)`, (call, _o, id) => { need(call, 'template.view'); call.response.setHeader('etag', tag(template(id!))); return template(id!); }],
  ['PUT', `${O}/templates/([\\w-]+)`, (call, _o, id) => save(call, template(id!))],
  ['DELETE', `${O}/templates/([\\w-]+)`, (_call, _o, id) => { templates.splice(templates.indexOf(template(id!)), 1); return undefined; }],
  ['GET', `${O}/templates/([\\w-]+)/versions`, () => page(versions)],
  ['GET', `${O}/templates/([\\w-]+)/versions/(\\d+)`, (_call, _o, id, version) => ({ ...template(id!), version: Number(version), streams: template(id!).streams.slice(0, -1) })],
  ['POST', `${O}/templates/([\\w-]+)/restore`, (call, _o, id) => save({ ...call, body: {} }, template(id!))],
  ['GET', `${O}/users`, (call) => { need(call, 'user.view'); return page(users); }],
  ['POST', `${O}/users/(\\d+)/(suspend|logout|reset|resume)`, (_call, _o, id, what) => { const one = users.find((user) => user.id === Number(id))!; if (what === 'suspend') one.state = 'suspended'; if (what === 'resume') one.state = 'active'; return undefined; }],
  ['DELETE', `${O}/users/(\\d+)`, (_call, _o, id) => { users.splice(users.findIndex((user) => user.id === Number(id)), 1); return undefined; }],
  ['PUT', `${O}/users/(\\d+)/grant`, (call, _o, id) => { const one = users.find((user) => user.id === Number(id))!; one.role = call.body.role; one.role_name = roles.find((role) => role.id === one.role)!.name; toAll({ kind: 'hello', server_ms: Date.now(), build: behaviour.build, rights: Date.now() & 0xffff }); return undefined; }],
  ['GET', `${O}/roles`, () => page(roles)],
  ['PUT', `${O}/roles/(\\d+)`, (call, _o, id) => { const at = roles.findIndex((role) => role.id === Number(id)); const made = { id: Number(id), builtin: false, inherited: false, users: 0, name: '', org: [], own: [], ...(roles[at] ?? {}), ...call.body }; if (at < 0) roles.push(made as never); else roles[at] = made as never; return made; }],
  ['DELETE', `${O}/roles/(\\d+)`, (_call, _o, id) => { roles.splice(roles.findIndex((role) => role.id === Number(id)), 1); return undefined; }],
  ['GET', `${O}/invites`, () => page(invites)],
  ['POST', `${O}/invites`, (call) => { need(call, 'user.invite'); const made = { id: invites.length + 1, email: call.body.email, role_name: roles.find((role) => role.id === call.body.role)!.name, by: grantOf(call.user!).line.name, made_ms: Date.now(), until_ms: Date.now() + 7 * 86_400_000 }; invites.push(made); return { id: made.id }; }],
  ['DELETE', `${O}/invites/(\\d+)`, (_call, _o, id) => { invites.splice(invites.findIndex((one) => one.id === Number(id)), 1); return undefined; }],
  ['GET', `${O}/orgs`, () => page(orgs)],
  ['POST', `${O}/orgs`, (call, o) => { const made = { id: orgs.length + 1, parent: Number(o), kind: 'business', state: 'active', depth: 1, devices: 0, users: 0, policy: { factor: false, session_hours: 12, plain: false }, name: '', ...call.body }; orgs.push(made as never); return made; }],
  ['PATCH', O, (call, o) => { const one = orgs.find((org) => org.id === Number(o))!; Object.assign(one, call.body); return one; }],
  ['GET', `${O}/audit`, (call) => { need(call, 'audit.view'); return page(audit); }],
  ['GET', '/server', (call) => { need(call, 'server.manage'); return server(); }],
  ['POST', '/server/(backup|backup/verify|keys/rotate)', (_call, what) => ({ what: what!.split('/').at(-1)!, begun_ms: Date.now(), ended_ms: null, error: null })],
  ['GET', '/oidc', () => page([])],
  ['GET', '/me/sessions', () => page(sessions)],
  ['DELETE', '/me/sessions/(\\w+)', (_call, id) => { sessions.splice(sessions.findIndex((one) => one.id === id), 1); return undefined; }],
  ['GET', '/me/keys', () => page(keys)],
  ['POST', '/me/keys', (call) => { const made = { id: keys.length + 1, name: call.body.name, prefix: 'lpk_Q9xZ', permissions: call.body.permissions, made_ms: Date.now(), used_ms: null, until_ms: null }; keys.push(made); return { ...made, secret: 'lpk_Q9xZ7c2rD5vT8mKpLwYbNfGhJsAeUiOq' }; }],
  ['DELETE', '/me/keys/(\\d+)', (_call, id) => { keys.splice(keys.findIndex((one) => one.id === Number(id)), 1); return undefined; }],
  ['GET', '/me/consents', () => page(consents)],
  ['PUT', '/me/consents', (call) => { Object.assign(consents.find((one) => one.purpose === call.body.purpose)!, { given: call.body.given, at_ms: Date.now() }); return page(consents); }],
  ['POST', '/me/totp', () => ({ uri: 'otpauth://totp/Linchpin:mara@example.com?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Linchpin', secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP' })],
  ['POST', '/me/totp/confirm', (call) => { if (call.body.code !== '123456') throw new Refuse(422, 'E0631', 'The code is wrong.', 'code'); users[0]!.factor = true; return { recovery: ['7KQ2-M9XD', 'P4RT-8WNC', 'H2ZV-6JYL', 'B9FG-3KSE', 'T5MN-7QXA', 'W8CD-2PHR', 'L6VJ-9ZTK', 'E3YB-5NGM', 'R7XS-4FWQ', 'D2HK-8CLP'] }; }],
  ['DELETE', '/me/totp', () => { users[0]!.factor = false; return undefined; }],
  ['PUT', '/me/password', () => undefined],
  ['PUT', '/me/email', () => undefined],
  ['POST', '/verify/(address|stop)', () => undefined],
  ['PATCH', '/me', (call) => { const one = users.find((user) => user.id === call.user)!; if (call.body.name) one.name = call.body.name; return undefined; }],
  ['POST', '/session/step-up', () => undefined],
  ['POST', '/reset', () => undefined],
  ['POST', '/reset/confirm', () => undefined],
  ['POST', '/verify', () => undefined],
  ['POST', '/bootstrap', () => undefined],
];

export const permissionsOfAll = ALL;
