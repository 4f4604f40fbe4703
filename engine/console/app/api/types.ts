// The shapes of `/api/v1` that the console uses. P is `/api/v1`, O is `P/orgs/{o}`, D is `O/devices/{d}`.
// Times are milliseconds of the server's clock; `null` is "never" or "not set".
import type { Layout } from '../layout/layout.ts';

/** A page of a list. */
export interface Page<T> { items: T[]; next: string | null; total?: number }

/** A line of GET P/oidc: a server where people may sign in. */
export interface OtherServer { id: number; name: string; issuer: string }
/** POST P/session. `due` names what is missing before the session may do anything, such as `factor`. */
export interface SessionAnswer { user: Person; csrf: string; due: string[] }
export interface Person { id: number; org: number; email: string; name: string; locale: string | null }
/** GET P/me */
export interface Me {
  user: Person;
  csrf: string;
  grants: Grant[];
  factor: boolean;
  /** Commands of the server's operators are allowed. */
  operator: boolean;
  server: { name: string; build: string; public_url: string | null; plain: boolean };
}
/** What a person may do in an organization: permission names for all its devices (`all`) and for owned ones (`own`). */
export interface Grant { org: number; org_name: string; role: number; role_name: string; below: boolean; all: string[]; own: string[] }

/** GET O/devices: columns of equal length. */
export interface DevicePage {
  columns: {
    id: number[]; org: number[]; name: string[]; template: (string | null)[]; template_name: (string | null)[];
    online: (boolean | null)[]; since_ms: number[]; seen_ms: (number | null)[]; tags: string[][]; trouble: (number | null)[];
    pin: (string | null)[]; value: (string | null)[]; value_ms: (number | null)[]; unit: (string | null)[];
  };
  total: number;
  counts: { online: number; offline: number; never: number; trouble: number };
  next: string | null;
}
/** GET D */
export interface Device {
  id: number; org: number; org_name: string; name: string; template: string | null; template_name: string | null;
  owner: number | null; owner_name: string | null; tags: string[]; metadata: Record<string, string>;
  online: boolean | null; since_ms: number; seen_ms: number | null; created_ms: number;
  address: string | null; transport: string | null; board: string | null; firmware: string | null; library: string | null;
  /** Permissions of the asking person for this device. */
  may: string[];
}
/** POST O/devices */
export interface NewDevice { name: string; template?: string | null; virtual?: boolean }
export interface MadeDevice { id: number; name: string; token: string; host: string; port: number; port_tls: number }
/** GET D/values */
export interface Latest { pin: string; value: string | null; at_ms: number | null; properties: Record<string, string> }
/** GET D/history?pins=V1,V2&from_ms=&to_ms=&points= */
export interface History { from_ms: number; to_ms: number; series: { pin: string; at_ms: number[]; min: number[]; max: number[]; last: number[] }[] }
/** GET D/diary */
export interface DiaryEntry { at_ms: number; kind: 'online' | 'offline' | 'refused' | 'note'; code: number; sentence: string; fix: string | null; address: string | null; lasted_ms: number | null }
/** GET D/shares: a person who may do these things with the device although it is not theirs. */
export interface Share { user: number; home: number; name: string; email: string; permissions: string[]; until_ms: number | null }
/** GET O/events, also with ?device= */
export interface DeviceEvent {
  id: string; org: number; device: number; device_name: string; at_ms: number; level: 'info' | 'warning' | 'critical' | 'content' | 'system';
  code: string; title: string; text: string; resolved_ms: number | null; resolved_by: string | null; note: string | null;
}
/** GET O/attempts */
export interface Attempt { at_ms: number; address: string; code: number; count: number }

export type StreamKind = 'integer' | 'double' | 'string' | 'enumeration' | 'location';
export interface Stream {
  pin: string; name: string; alias: string; kind: StreamKind; unit: string | null; min: number | null; max: number | null; decimals: number | null;
  default: string | null; labels: { value: string; text: string }[]; stale_after_s: number | null; hidden: boolean; writable: boolean;
}
export interface EventKindSheet { code: string; name: string; level: 'info' | 'warning' | 'critical' | 'content'; text: string; per_day: number }
export interface MetaField { name: string; kind: 'text' | 'number' | 'time' | 'contact' | 'cost' | 'coordinates' | 'switch' | 'list' | 'device' | 'time_zone'; unit: string | null; required: boolean }
/** GET O/templates/{t}: the whole template; its ETag is its version. */
export interface Template {
  id: string; org: number; name: string; description: string; version: number; devices: number; changed_ms: number;
  streams: Stream[]; events: EventKindSheet[]; metadata: MetaField[];
  connection: { tls_required: boolean; offline_wait_s: number };
  layout: Layout;
}
/** GET D/template: what the page of a device shows of its template; also for who sees no templates. `layout` null: no dashboards either. */
export type DeviceTemplate = Pick<Template, 'id' | 'name' | 'streams' | 'metadata'> & { layout: Layout | null };
export type TemplateLine = Pick<Template, 'id' | 'org' | 'name' | 'description' | 'version' | 'devices' | 'changed_ms'> & { streams: number };
export interface TemplateVersion { version: number; at_ms: number; by: string | null; note: string }

/** GET O/users */
export interface UserLine { id: number; home: number; email: string; name: string; state: 'pending' | 'active' | 'suspended'; role: number; role_name: string; below: boolean; factor: boolean; seen_ms: number | null; sessions: number }
/** `org`: permissions for all devices of the organization; `own`: for owned and shared ones. PUT O/roles/{r} {name, org, own} */
export interface Role { id: number; name: string; builtin: boolean; inherited: boolean; users: number; org: string[]; own: string[] }
export interface Invite { id: number; email: string; role_name: string; by: string; until_ms: number; made_ms: number }
export interface Org { id: number; parent: number | null; name: string; kind: 'business' | 'branch' | 'personal' | 'partner'; state: 'active' | 'suspended'; depth: number; devices: number; users: number; policy: { factor: boolean; session_hours: number; plain: boolean } }
export interface AuditEntry { number: number; at_ms: number; actor: string; action: string; object: string; outcome: 'done' | 'refused'; address: string | null; request: string | null }
export interface SessionLine { id: string; kind: string; agent: string; address: string | null; made_ms: number; seen_ms: number; current: boolean }
export interface Key { id: number; name: string; prefix: string; permissions: string[]; made_ms: number; used_ms: number | null; until_ms: number | null }
export interface Consent { purpose: string; text: string; given: boolean; at_ms: number | null }

/** GET P/server: for operators. Rates are the difference of two answers. */
export interface ServerPage {
  version: string; build: string; up_ms: number; draining: boolean; back_end: string;
  devices: number; online: number; messages: number; cpu_us: number; rss_bytes: number; disk_used_bytes: number; disk_bytes: number; journal_age_ms: number;
  shards: { shard: number; connections: number; devices: number; messages: number; tick_p99_us: number; busy_us: number }[];
  certificates: { names: string[]; until_ms: number; source: string; state: 'good' | 'soon' | 'expired' }[];
  backups: { place: string | null; last_ms: number | null; verified_ms: number | null; next_ms: number | null; items: { id: string; at_ms: number; bytes: number; verified: boolean | null }[] };
  keys: { epoch: number; rotated_ms: number; unsealed_by: string; held: number; limit: number } | null;
  limits: { name: string; used: number; limit: number }[];
  findings: { level: 'good' | 'warning' | 'bad'; title: string; text: string; fix: string | null }[];
  work: ServerWork | null;
}
/** POST P/server/{backup, backup/verify, keys/rotate}: begun, not done. */
export interface ServerWork { what: string; begun_ms: number; ended_ms: number | null; error: string | null }
