// The fleet of an organization as the list has it: columns, filtered and sorted here while all of them are here, by the
// server when there are more.
import { query } from '../api/query.ts';
import type { DevicePage } from '../api/types.ts';
import { FLEET_PAGE, fleetPath } from '../early.ts';

export type Show = 'all' | 'online' | 'offline' | 'never' | 'trouble';
export type SortBy = 'name' | 'state' | 'template' | 'seen';
export interface Filter { q: string; show: Show; template: string; tag: string; meta: string; sort: SortBy; down: boolean }
export type Columns = DevicePage['columns'];

export { FLEET_PAGE };

const has = (online: boolean | null, trouble: number | null, show: Show): boolean =>
  show === 'all' || (show === 'trouble' ? trouble !== null : show === 'never' ? online === null : online === (show === 'online'));

/** Lower-case text that a device is found by: its name, id, template and tags. Made once for each answer. */
export const haystack = (c: Columns): string[] =>
  c.id.map((id, n) => `${c.name[n]}\n${id}\n${c.template_name[n] ?? ''}\n${c.tags[n]!.join('\n')}`.toLowerCase());

/** Places of all devices in the filter's order. Made once for each answer and order: comparing names is slow. */
export const inOrder = (c: Columns, filter: Filter): number[] => c.id.map((_, n) => n).sort(comparer(c, filter));

/** Places of the devices that pass, in order; `order` is that of all. */
export function select(c: Columns, hay: string[], filter: Filter, order: number[] = inOrder(c, filter)): number[] {
  const words = filter.q.toLowerCase().split(/\s+/).filter(Boolean);
  const found: number[] = [];
  for (const n of order) {
    if (!has(c.online[n]!, c.trouble[n]!, filter.show)) continue;
    if (filter.template && c.template[n] !== filter.template) continue;
    if (filter.tag && !c.tags[n]!.includes(filter.tag)) continue;
    if (words.every((word) => hay[n]!.includes(word))) found.push(n);
  }
  return found;
}

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

function comparer(c: Columns, filter: Filter): (a: number, b: number) => number {
  const sign = filter.down ? -1 : 1;
  const state = (n: number) => (c.online[n] === null ? 2 : c.online[n] ? 0 : 1);
  const by: Record<SortBy, (a: number, b: number) => number> = {
    name: (a, b) => names.compare(c.name[a]!, c.name[b]!),
    state: (a, b) => state(a) - state(b),
    template: (a, b) => names.compare(c.template_name[a] ?? '', c.template_name[b] ?? ''),
    seen: (a, b) => (c.seen_ms[b] ?? 0) - (c.seen_ms[a] ?? 0),
  };
  return (a, b) => sign * by[filter.sort](a, b) || c.id[a]! - c.id[b]!;
}

/** The question for one page; a filter only when the server must apply it. */
export function fleetQuery(org: string, filter: Filter | null): string {
  if (!filter) return fleetPath(org);
  const asked = { q: filter.q, show: filter.show === 'all' ? null : filter.show, template: filter.template, tag: filter.tag, meta: filter.meta, sort: filter.sort, order: filter.down ? 'desc' : null };
  return `${org}/devices${query({ ...asked, below: true, limit: FLEET_PAGE })}`;
}
