// The devices, people and templates of the tests' server: the same ones in every run.
import type { AuditEntry, Consent, DeviceEvent, DiaryEntry, Invite, Key, Org, Role, SessionLine, Stream, Template, TemplateVersion, UserLine } from '../../app/api/types.ts';
import type { Layout, Widget } from '../../app/layout/layout.ts';
// @ts-expect-error: a script without types
import { seeded as plain } from '../journeys/seeded.mjs';

const seeded = plain as (seed: number) => () => number;

export { seeded };

export const START = Date.now();
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const stream = (pin: string, name: string, parts: Partial<Stream> = {}): Stream => ({
  pin, name, alias: name.toLowerCase().replace(/\W+/g, '_'), kind: 'double', unit: null, min: 0, max: 100, decimals: null, default: null, labels: [], stale_after_s: null, hidden: false, writable: false, ...parts,
});

const widget = (id: string, kind: string, pins: string[], x: number, y: number, w: number, h: number, parts: Partial<Widget> = {}): Widget => ({
  id, kind, pins, x, y, w, h, title: null, unit: null, min: null, max: null, decimals: null, bands: [], confirm: false, phone: { order: null, h: null, hidden: false }, options: {}, ...parts,
});

const climate: Stream[] = [
  stream('V0', 'Air temperature', { unit: '°C', min: 0, max: 45, decimals: 1 }),
  stream('V1', 'Humidity', { unit: '%', decimals: 0 }),
  stream('V2', 'Soil moisture', { unit: '%', decimals: 0 }),
  stream('V3', 'Light', { unit: 'klx', min: 0, max: 80, decimals: 1 }),
  stream('V4', 'Fan', { kind: 'integer', max: 1, writable: true }),
  stream('V5', 'Target temperature', { unit: '°C', min: 10, max: 35, decimals: 1, writable: true }),
  stream('V6', 'Mode', { kind: 'enumeration', labels: [{ value: '0', text: 'Off' }, { value: '1', text: 'Auto' }, { value: '2', text: 'Manual' }], writable: true }),
  stream('V7', 'Status', { kind: 'string' }),
  stream('V8', 'Console', { kind: 'string', writable: true }),
  stream('V9', 'Pump', { kind: 'integer', max: 1, writable: true }),
  stream('V10', 'Window', { kind: 'integer', max: 1 }),
];

const climateLayout: Layout = {
  version: 1,
  pages: [
    { id: 'p1', title: 'Overview', roles: null, widgets: [
      widget('w1', 'gauge', ['V0'], 0, 0, 3, 3, { bands: [{ from: 0, tone: 'good' }, { from: 30, tone: 'warning' }, { from: 36, tone: 'bad' }] }),
      widget('w2', 'gauge', ['V1'], 3, 0, 3, 3),
      widget('w3', 'level', ['V2'], 6, 0, 3, 2, { bands: [{ from: 0, tone: 'warning' }, { from: 25, tone: 'good' }] }),
      widget('w4', 'value', ['V3'], 9, 0, 3, 2),
      widget('w5', 'switch', ['V4'], 6, 2, 3, 2),
      widget('w6', 'choice', ['V6'], 9, 2, 3, 2),
      widget('w7', 'slider', ['V5'], 0, 3, 6, 2),
      widget('w8', 'led', ['V10'], 6, 4, 3, 2, { options: {} }),
      widget('w9', 'button', ['V9'], 9, 4, 3, 2, { options: { text: 'Water now' } }),
      widget('w10', 'chart', ['V0', 'V1', 'V2'], 0, 6, 12, 4, { title: 'Climate' }),
      widget('w11', 'text', ['V7'], 0, 5, 6, 1, { phone: { order: null, h: 2, hidden: false } }),
    ] },
    { id: 'p2', title: 'Details', roles: null, widgets: [
      widget('w20', 'table', [], 0, 0, 6, 5, { title: 'All values' }),
      widget('w21', 'terminal', ['V8'], 6, 0, 6, 5),
      widget('w22', 'number', ['V5'], 0, 5, 4, 2),
      widget('w23', 'image', [], 4, 5, 4, 2, { title: 'Plan', options: { url: '/icon.svg' } }),
      widget('w24', 'note', [], 8, 5, 4, 2, { title: 'House rules', options: { text: 'Vents open above 30 °C.\nCall Mara before you change the target.' } }),
      widget('w25', 'hologram', ['V0'], 0, 7, 4, 2, { title: 'From a newer console' }),
    ] },
  ],
};

export const templates: Template[] = [
  { id: 'TMPLgreen001', org: 1, name: 'Greenhouse climate', description: 'Air, soil and light with fan, pump and vents.', version: 7, devices: 0, changed_ms: START - 3 * DAY, streams: climate,
    events: [{ code: 'too_hot', name: 'Too hot', level: 'critical', text: 'Air above 36 °C', per_day: 0 }, { code: 'dry', name: 'Soil is dry', level: 'warning', text: 'Soil moisture below 15 %', per_day: 4 }],
    metadata: [{ name: 'Bay', kind: 'text', unit: null, required: true }, { name: 'Area', kind: 'number', unit: 'm²', required: false }], connection: { tls_required: false, offline_wait_s: 0 }, layout: climateLayout },
  { id: 'TMPLmeter002', org: 1, name: 'Energy meter', description: 'Three-phase meter on DIN rail.', version: 3, devices: 0, changed_ms: START - 21 * DAY,
    streams: [stream('V0', 'Power', { unit: 'W', max: 12_000, decimals: 0 }), stream('V1', 'Voltage', { unit: 'V', min: 200, max: 250, decimals: 1 }), stream('V2', 'Energy today', { unit: 'kWh', max: 100, decimals: 2 })],
    events: [], metadata: [], connection: { tls_required: true, offline_wait_s: 30 },
    layout: { version: 1, pages: [{ id: 'p1', title: 'Meter', roles: null, widgets: [widget('w1', 'value', ['V0'], 0, 0, 4, 2), widget('w2', 'gauge', ['V1'], 4, 0, 4, 3), widget('w3', 'chart', ['V0'], 0, 3, 12, 4)] }] } },
];

const climateNames = ['North bay', 'South bay', 'Seedlings', 'Tomatoes A', 'Tomatoes B', 'Herbs', 'Palm house', 'Orchids', 'Propagation 1', 'Propagation 2', 'Cold frame', 'Citrus', 'Vines', 'Fern room'];
const meterNames = ['Main meter', 'Workshop meter', 'Pump house meter', 'Office meter'];
const looseNames = ['ESP32 test board', 'Rain gauge', 'Gate contact', 'Water tank', 'Compost probe', 'Weather mast'];

export interface MockDevice {
  id: number; org: number; name: string; template: string | null; tags: string[]; metadata: Record<string, string>; online: boolean | null; since_ms: number; seen_ms: number | null; created_ms: number;
  trouble: number | null; owner: number | null; token: string; values: Map<string, { text: string; at_ms: number }>; properties: Map<string, Record<string, string>>; virtual: boolean;
}

const random = seeded(24);
const token = (): string => Array.from({ length: 32 }, () => 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789'[Math.floor(random() * 56)]).join('');

export const devices = new Map<number, MockDevice>();
let nextDevice = 1;
export function addDevice(parts: Partial<MockDevice> & { name: string }): MockDevice {
  const made: MockDevice = { id: nextDevice++, org: 1, template: null, tags: [], metadata: {}, online: null, since_ms: START, seen_ms: null, created_ms: START, trouble: null, owner: 1, token: token(), values: new Map(), properties: new Map(), virtual: false, ...parts };
  devices.set(made.id, made);
  return made;
}

function firstValues(device: MockDevice): void {
  const set = (pin: string, text: string, at_ms = device.online ? START : (device.seen_ms ?? START)) => device.values.set(pin, { text, at_ms });
  if (device.template === 'TMPLgreen001') {
    set('V0', (18 + random() * 12).toFixed(1)); set('V1', String(Math.round(45 + random() * 30))); set('V2', String(Math.round(20 + random() * 50))); set('V3', (8 + random() * 30).toFixed(1));
    set('V4', random() > 0.5 ? '1' : '0'); set('V5', '22.5'); set('V6', '1'); set('V7', 'Vents at 40 %, next watering 18:30'); set('V10', random() > 0.5 ? '1' : '0');
  } else if (device.template === 'TMPLmeter002') {
    set('V0', String(Math.round(400 + random() * 5_000))); set('V1', (228 + random() * 6).toFixed(1)); set('V2', (random() * 30).toFixed(2));
  } else if (device.online !== null) { set('V0', (random() * 100).toFixed(1)); set('V1', '1'); }
}

/** Fill the fleet: two dozen by default, more for the list of ten thousand. */
export function fill(count: number): void {
  climateNames.forEach((name, n) => addDevice({ name, template: 'TMPLgreen001', tags: n % 3 === 0 ? ['east', 'heated'] : n % 3 === 1 ? ['west'] : ['east'], metadata: { Bay: String.fromCharCode(65 + n) }, online: n !== 4 && n !== 9, since_ms: START - (n + 1) * 3.7 * HOUR, seen_ms: n === 4 || n === 9 ? START - (n + 1) * 3.7 * HOUR : START, created_ms: START - 200 * DAY + n * DAY, trouble: n === 4 ? 103 : null }));
  meterNames.forEach((name, n) => addDevice({ name, template: 'TMPLmeter002', tags: ['energy'], online: true, since_ms: START - (n + 2) * 9 * DAY, seen_ms: START, created_ms: START - 90 * DAY, trouble: n === 2 ? 401 : null }));
  looseNames.forEach((name, n) => addDevice({ name, online: n === 1 ? null : n % 2 === 0, since_ms: START - (n + 1) * 17 * MINUTE, seen_ms: n === 1 ? null : START - (n + 1) * 17 * MINUTE, created_ms: START - 12 * DAY, tags: n === 0 ? ['bench'] : [] }));
  for (let n = devices.size; n < count; n++) addDevice({ name: `Sensor ${String(n).padStart(5, '0')}`, template: n % 3 === 0 ? 'TMPLmeter002' : 'TMPLgreen001', tags: [`site-${n % 40}`], online: random() > 0.1, since_ms: START - random() * 5 * DAY, seen_ms: START - random() * HOUR, created_ms: START - 100 * DAY });
  for (const device of devices.values()) firstValues(device);
  for (const template of templates) template.devices = [...devices.values()].filter((one) => one.template === template.id).length;
}

const DEVICE_ALL = ['view', 'control', 'create', 'edit', 'delete', 'erase', 'token', 'transfer', 'batch', 'export', 'diagnose'].map((verb) => `device.${verb}`);
export const ALL = [...DEVICE_ALL, 'template.view', 'template.edit', 'template.delete', 'template.publish', 'event.view', 'event.resolve', 'dashboard.view', 'dashboard.edit', 'user.view', 'user.invite', 'user.edit', 'user.suspend', 'user.remove', 'user.reset', 'role.view', 'role.edit', 'role.assign', 'org.view', 'org.edit', 'org.create', 'org.delete', 'org.transfer', 'key.manage', 'audit.view', 'privacy.export', 'privacy.erase', 'server.manage'];

export const roles: Role[] = [
  { id: 1, name: 'Admin', builtin: true, inherited: false, users: 1, org: ALL, own: [] },
  { id: 2, name: 'Staff', builtin: true, inherited: false, users: 2, org: ALL.filter((name) => !/delete|erase|token|transfer|role\.(edit|assign)|org\.(edit|create|delete)|key|audit|privacy|server|user\.(edit|suspend|remove|reset)/.test(name)), own: [] },
  { id: 3, name: 'User', builtin: true, inherited: false, users: 3, org: ['dashboard.view', 'org.view'], own: ['device.view', 'device.control', 'device.edit', 'device.export', 'event.view', 'event.resolve', 'automation.run', 'dashboard.view'] },
  { id: 4, name: 'Viewer', builtin: true, inherited: false, users: 1, org: ['device.view', 'event.view', 'template.view', 'dashboard.view', 'org.view'], own: [] },
  { id: 5, name: 'Installer', builtin: true, inherited: false, users: 0, org: ['device.view', 'device.control', 'device.create', 'device.edit', 'device.diagnose', 'device.batch', 'event.view', 'template.view', 'dashboard.view', 'org.view'], own: ['device.token'] },
];

export const users: UserLine[] = [
  { home: 1, id: 1, email: 'mara@example.com', name: 'Mara Lindqvist', state: 'active', role: 1, role_name: 'Admin', below: true, factor: true, seen_ms: START, sessions: 1 },
  { home: 1, id: 2, email: 'jonas@example.com', name: 'Jonas Weber', state: 'active', role: 2, role_name: 'Staff', below: false, factor: true, seen_ms: START - 2 * HOUR, sessions: 1 },
  { home: 1, id: 3, email: 'ines@example.com', name: 'Inês Carvalho', state: 'active', role: 3, role_name: 'User', below: false, factor: false, seen_ms: START - 3 * DAY, sessions: 1 },
  { home: 1, id: 4, email: 'viewer@example.com', name: 'Front desk', state: 'active', role: 4, role_name: 'Viewer', below: false, factor: false, seen_ms: START - 8 * HOUR, sessions: 1 },
  { home: 1, id: 5, email: 'tomas@example.com', name: 'Tomás Ruiz', state: 'suspended', role: 3, role_name: 'User', below: false, factor: false, seen_ms: START - 41 * DAY, sessions: 1 },
];
export const invites: Invite[] = [{ id: 1, email: 'lena@example.org', role_name: 'Installer', by: 'Mara Lindqvist', made_ms: START - DAY, until_ms: START + 6 * DAY }];
export const orgs: Org[] = [
  { id: 1, parent: null, name: 'Greenhouse Labs', kind: 'business', state: 'active', depth: 0, devices: 24, users: 5, policy: { factor: false, session_hours: 12, plain: false } },
  { id: 2, parent: 1, name: 'Botanic Garden', kind: 'business', state: 'active', depth: 1, devices: 0, users: 2, policy: { factor: true, session_hours: 12, plain: false } },
  { id: 3, parent: 2, name: 'Palm house trust', kind: 'business', state: 'active', depth: 2, devices: 0, users: 1, policy: { factor: false, session_hours: 12, plain: false } },
  { id: 4, parent: 1, name: 'City Nursery', kind: 'business', state: 'suspended', depth: 1, devices: 0, users: 1, policy: { factor: false, session_hours: 12, plain: true } },
];
export const audit: AuditEntry[] = [
  ['device.token-reveal', 'device 1 (North bay)', 'done'], ['invite.create', 'link 1', 'done'], ['role.assign', 'person 2 (Jonas Weber)', 'done'], ['device.delete', 'device 30 (Old probe)', 'refused'], ['template.edit', 'template 1 (Greenhouse climate)', 'done'], ['session.open', 'session 1', 'done'],
].map(([action, object, outcome], n) => ({ number: 1_248 - n, at_ms: START - (n * 2 + 1) * 47 * MINUTE, actor: n === 3 ? 'Inês Carvalho' : 'Mara Lindqvist', action: action!, object: object!, outcome: outcome as 'done', address: '10.0.0.21', request: `r-${9_000 + n}` }));
export const sessions: SessionLine[] = [
  { id: 's1', kind: 'browser', agent: 'Chromium, Linux', address: '10.0.0.21', made_ms: START - HOUR, seen_ms: START, current: true },
  { id: 's2', kind: 'browser', agent: 'Safari, iPhone', address: '10.0.0.54', made_ms: START - 6 * DAY, seen_ms: START - 5 * HOUR, current: false },
];
export const keys: Key[] = [{ id: 1, name: 'Nightly export', prefix: 'lpk_7Fq2', permissions: ['device.view', 'device.export'], made_ms: START - 30 * DAY, used_ms: START - 9 * HOUR, until_ms: START + 60 * DAY }];
export const consents: Consent[] = [{ purpose: 'account', text: 'Name and e-mail, to sign in', given: true, at_ms: START - 200 * DAY }, { purpose: 'news', text: 'Mails about new versions', given: false, at_ms: null }];
export const versions: TemplateVersion[] = [7, 6, 5].map((version, n) => ({ version, at_ms: START - (n * 9 + 3) * DAY, by: n === 1 ? 'Jonas Weber' : 'Mara Lindqvist', note: ['Dashboard: chart wider', 'Datastream V10 added', 'Event too_hot added'][n]! }));

export const events: DeviceEvent[] = [
  { id: '31', org: 1, device: 7, device_name: 'Palm house', at_ms: START - 12 * MINUTE, level: 'critical', code: 'too_hot', title: 'Too hot', text: 'Air above 36 °C', resolved_ms: null, resolved_by: null, note: null },
  { id: '30', org: 1, device: 2, device_name: 'South bay', at_ms: START - 3 * HOUR, level: 'warning', code: 'dry', title: 'Soil is dry', text: 'Soil moisture below 15 %', resolved_ms: null, resolved_by: null, note: null },
  { id: '29', org: 1, device: 5, device_name: 'Tomatoes B', at_ms: START - 18 * HOUR, level: 'system', code: 'offline', title: 'Offline', text: 'Nothing was heard for 2.3 times its heartbeat.', resolved_ms: null, resolved_by: null, note: null },
  { id: '28', org: 1, device: 1, device_name: 'North bay', at_ms: START - 20 * HOUR, level: 'info', code: 'watered', title: 'Watered', text: '12 l in 4 min', resolved_ms: START - 19 * HOUR, resolved_by: 'Jonas Weber', note: 'Planned' },
  { id: '27', org: 1, device: 1, device_name: 'North bay', at_ms: START - 44 * HOUR, level: 'warning', code: 'dry', title: 'Soil is dry', text: 'Soil moisture below 15 %', resolved_ms: START - 43 * HOUR, resolved_by: 'Mara Lindqvist', note: 'Valve was closed' },
];

export const diary = (device: MockDevice): DiaryEntry[] => [
  ...(device.online ? [{ at_ms: device.since_ms, kind: 'online' as const, code: 0, sentence: 'Logged in over TLS 1.3.', fix: null, address: '10.0.0.31', lasted_ms: null }] : []),
  { at_ms: device.since_ms - 4 * MINUTE, kind: 'offline', code: 103, sentence: 'Nothing was heard from the device for 2.3 times its heartbeat.', fix: "Look at the device's power and network; if its sketch blocks for long, call Blynk.run() more often or raise BLYNK_HEARTBEAT.", address: '10.0.0.31', lasted_ms: 26 * HOUR },
  { at_ms: device.since_ms - 26 * HOUR, kind: 'online', code: 0, sentence: 'Logged in over TLS 1.3.', fix: null, address: '10.0.0.31', lasted_ms: null },
  { at_ms: device.since_ms - 27 * HOUR, kind: 'refused', code: 302, sentence: 'No device has the token of the login.', fix: 'Copy the token of the device again.', address: '10.0.0.31', lasted_ms: null },
];
