// The list of devices: search, filters, live state and value of each, and what can be done with several at once.
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { useComputed, useSignal, useSignalEffect } from '@preact/signals';
import { post } from '../api/client.ts';
import { query } from '../api/query.ts';
import type { DevicePage, Page, TemplateLine } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { attempts, watchAttempts } from '../live/attempts.ts';
import { pinNumber, type PinNumber } from '../live/messages.ts';
import { watch, type Watch } from '../live/socket.ts';
import { asText, presence, putPresence, putValue, reading } from '../live/store.ts';
import { Age, Empty, Failed, Head, Line, Loaded, Presence, toast } from '../parts/basic.tsx';
import { Confirm, Dialog, Menu } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { Rows, type Shown } from '../parts/rows.tsx';
import { go, search, setSearch, typeSearch } from '../router.ts';
import { grant, may, O } from '../session.ts';
import { named, number, t } from '../words/words.ts';
import { FLEET_PAGE, fleetQuery, haystack, inOrder, select, type Columns, type Filter, type Show, type SortBy } from './fleet.ts';

const ROW_PX = 56;
/** Devices that one connection may watch, less what other parts of the page need. */
const WATCHED = 400;
const SHOWS: Show[] = ['all', 'online', 'offline', 'never', 'trouble'];

function filterOf(parts: URLSearchParams): Filter {
  const show = parts.get('show') as Show;
  const sort = parts.get('sort') ?? 'name';
  return {
    q: parts.get('q') ?? '', show: SHOWS.includes(show) ? show : 'all', template: parts.get('template') ?? '', tag: parts.get('tag') ?? '', meta: parts.get('meta') ?? '',
    sort: (['name', 'state', 'template', 'seen'].includes(sort.replace('-', '')) ? sort.replace('-', '') : 'name') as SortBy, down: sort.startsWith('-'),
  };
}

/** One row: its cells redraw by themselves when something live changes. */
function Row({ c, n, picked, onPick, index }: { c: Columns; n: number; picked: boolean; onPick: ((on: boolean) => void) | null; index: number }) {
  const id = c.id[n]!;
  const pin = pinNumber(c.pin[n] ?? '');
  const state = presence(id);
  const online = useComputed(() => { const live = state.value; return live ? (live.state === 'never' ? null : live.state === 'online') : c.online[n]!; });
  const seen = useComputed(() => { const live = state.value; return live && live.state !== 'never' ? live.since_ms : c.seen_ms[n]!; });
  return (
    <div class={`device-row ${picked ? 'picked' : ''}`} role="row" aria-rowindex={index + 2}>
      {onPick && <div role="cell" class="pick"><label class="check"><input type="checkbox" checked={picked} aria-label={t('devices.pick', { name: c.name[n]! })} onChange={(event) => onPick(event.currentTarget.checked)} /></label></div>}
      <div role="cell" class="name">
        <a href={`/devices/${id}`} class="clip">{c.name[n]}</a>
        <span class="sub clip">{[c.template_name[n] ?? t('devices.notemplate'), ...c.tags[n]!].join(' · ')}</span>
      </div>
      <div role="cell" class="live"><Presence online={online.value} />{c.trouble[n] !== null && <span class="badge warning" title={`E${String(c.trouble[n]).padStart(4, '0')}`}><Icon name="warning" size={12} />{named('trouble', String(c.trouble[n]))}</span>}</div>
      <div role="cell" class="value tabular">{pin === null ? <span class="muted" aria-label={t('value.none')}>{'–'}</span> : <Cell device={id} pin={pin} unit={c.unit[n]!} />}</div>
      <div role="cell" class="seen">{online.value ? <span class="muted">{t('devices.now')}</span> : seen.value ? <span class="muted"><Age at={seen.value} /></span> : <span class="muted">{'–'}</span>}</div>
    </div>
  );
}

function Cell({ device, pin, unit }: { device: number; pin: PinNumber; unit: string | null }) {
  const live = reading(device, pin);
  // A new value changes one text, and draws nothing else again.
  const known = useComputed(() => live.value.at_ms !== 0);
  const text = useComputed(() => asText(live.value.value));
  return known.value ? <span class="clip">{text}{unit ? <span class="unit">{unit}</span> : null}</span> : <span class="muted">{'–'}</span>;
}

/** Put what the answer says into the live store: a watch then only changes it. */
function seed(c: Columns): void {
  c.id.forEach((id, n) => {
    const pin = pinNumber(c.pin[n] ?? '');
    if (pin !== null && c.value_ms[n]) putValue(id, pin, c.value[n]!, c.value_ms[n]!);
    if (!presence(id).peek()) putPresence(id, c.online[n] === null ? 'never' : c.online[n] ? 'online' : 'offline', c.since_ms[n]!);
  });
}

function SortHead({ by, filter, text, class: style }: { by: SortBy; filter: Filter; text: string; class?: string }) {
  const active = filter.sort === by;
  return (
    <div role="columnheader" class={style} aria-sort={active ? (filter.down ? 'descending' : 'ascending') : undefined}>
      <button type="button" class="sort" onClick={() => setSearch({ sort: active && !filter.down ? `-${by}` : by })}>{text}{active && <Icon name={filter.down ? 'down' : 'up'} size={14} />}</button>
    </div>
  );
}

function Table({ page, filter, picked, onPicked }: { page: DevicePage; filter: Filter; picked: Set<number>; onPicked: (picked: Set<number>) => void }) {
  const c = page.columns;
  const whole = page.next === null;
  const hay = useMemo(() => haystack(c), [c]);
  const order = useMemo(() => inOrder(c, filter), [c, filter.sort, filter.down]);
  const found = useMemo(() => select(c, hay, whole ? filter : { ...filter, q: '', show: 'all', template: '', tag: '' }, order), [c, whole, JSON.stringify(filter)]);
  const visible = useSignal<Shown>({ first: 0, last: 0 });
  const watched = useRef<Watch | null>(null);
  useMemo(() => seed(c), [c]);
  // Watch what is in view; a scroll that goes on changes nothing until it rests.
  useSignalEffect(() => {
    const { first, last } = visible.value;
    const late = setTimeout(() => {
      const rows = found.slice(first, Math.min(last, first + WATCHED));
      const pins = [...new Set(rows.map((n) => pinNumber(c.pin[n] ?? '')).filter((pin): pin is PinNumber => pin !== null))];
      watched.current?.close();
      watched.current = rows.length ? watch({ what: ['values', 'presence'], select: { devices: rows.map((n) => c.id[n]!) }, pins }) : null;
    }, 150);
    return () => clearTimeout(late);
  });
  useEffect(() => { visible.value = { ...visible.peek() }; }, [found]);
  useEffect(() => () => watched.current?.close(), []);
  const pickable = may('device.edit') || may('device.batch') || may('device.delete');
  const pick = (id: number, on: boolean) => { const next = new Set(picked); if (on) next.add(id); else next.delete(id); onPicked(next); };
  const allPicked = found.length > 0 && found.every((n) => picked.has(c.id[n]!));
  if (found.length === 0) return <Empty icon="search" tone="neutral" title={t('devices.nofit')} text={t('devices.nofit.text')}><button type="button" class="button" onClick={() => setSearch({ q: null, show: null, template: null, tag: null, meta: null })}>{t('devices.clear')}</button></Empty>;
  return (
    <div class="card device-table" role="table" aria-label={t('nav.devices')} aria-rowcount={found.length + 1}>
      <div class="device-row head" role="row" aria-rowindex={1}>
        {pickable && <div role="columnheader" class="pick"><label class="check"><input type="checkbox" aria-label={t('devices.pickall')} checked={allPicked} indeterminate={!allPicked && picked.size > 0} onChange={(event) => onPicked(event.currentTarget.checked ? new Set(found.map((n) => c.id[n]!)) : new Set())} /></label></div>}
        <SortHead by="name" filter={filter} text={t('name')} class="name" />
        <SortHead by="state" filter={filter} text={t('devices.state')} class="live" />
        <div role="columnheader" class="value">{t('devices.value')}</div>
        <SortHead by="seen" filter={filter} text={t('devices.seen')} class="seen" />
      </div>
      <Rows count={found.length} height={ROW_PX} visible={visible}>
        {(first, last) => found.slice(first, last).map((n, at) => <Row key={c.id[n]} c={c} n={n} index={first + at} picked={picked.has(c.id[n]!)} onPick={pickable ? (on) => pick(c.id[n]!, on) : null} />)}
      </Rows>
    </div>
  );
}

function TagDialog({ ids, onClose }: { ids: number[]; onClose: () => void }) {
  const tag = useSignal('');
  const { busy, problem, run } = useDo();
  const submit = () => void run(async () => {
    await post(`${O.value}/devices/batch`, { devices: ids, add_tags: [tag.value.trim()] });
    toast(t('devices.tagged', { n: ids.length }));
    onClose();
  });
  return (
    <Dialog title={t('devices.tag')} onClose={onClose} foot={<><button type="button" class="button" onClick={onClose}>{t('cancel')}</button><button type="button" class="button primary" disabled={!tag.value.trim()} aria-busy={busy.value} onClick={submit}>{t('devices.tag')}</button></>}>
      <p class="muted">{t('devices.picked', { n: ids.length })}</p>
      <Line label={t('devices.tag.name')} value={tag.value} onValue={(v) => { tag.value = v; }} maxLength={32} autofocus />
      <Failed problem={problem.value} />
    </Dialog>
  );
}

function MoveDialog({ ids, onClose }: { ids: number[]; onClose: () => void }) {
  const orgs = useAsk<Page<{ id: number; name: string }>>(`${O.value}/orgs`);
  const to = useSignal('');
  const { busy, problem, run } = useDo();
  const submit = () => void run(async () => {
    await post(`${O.value}/devices/batch`, { devices: ids, move_to: Number(to.value) });
    toast(t('devices.moved', { n: ids.length }));
    onClose();
  });
  return (
    <Dialog title={t('devices.move')} onClose={onClose} foot={<><button type="button" class="button" onClick={onClose}>{t('cancel')}</button><button type="button" class="button primary" disabled={!to.value} aria-busy={busy.value} onClick={submit}>{t('devices.move')}</button></>}>
      <p class="muted">{t('devices.move.text')}</p>
      <Loaded asked={orgs} lines={2}>{(page) => (
        <div class="field"><label for="move-to">{t('nav.org')}</label>
          <select id="move-to" class="input" value={to.value} onChange={(event) => { to.value = event.currentTarget.value; }}>
            <option value="">{t('choose')}</option>
            {page.items.map((org) => <option key={org.id} value={String(org.id)}>{org.name}</option>)}
          </select>
        </div>
      )}</Loaded>
      <Failed problem={problem.value} />
    </Dialog>
  );
}

type Act = 'tag' | 'move' | 'remove' | null;

function Selection({ ids, onDone }: { ids: number[]; onDone: () => void }) {
  const act = useSignal<Act>(null);
  const close = () => { act.value = null; onDone(); };
  const drop = async () => {
    act.value = null;
    await post(`${O.value}/devices/batch`, { devices: ids, remove: true });
    toast(t('devices.removed', { n: ids.length }));
    onDone();
  };
  return (
    <div class="selection" role="region" aria-label={t('devices.selection')}>
      <strong>{t('devices.picked', { n: ids.length })}</strong>
      <div class="row tight">
        {may('device.edit') && <button type="button" class="button small" onClick={() => { act.value = 'tag'; }}>{t('devices.tag')}</button>}
        {may('device.transfer') && <button type="button" class="button small" onClick={() => { act.value = 'move'; }}>{t('devices.move')}</button>}
        {may('device.export') && <a class="button small" download href={`/api/v1${O.value}/devices/export${query({ ids: ids.join(','), format: 'csv' })}`}>{t('export')}</a>}
        {may('device.delete') && <button type="button" class="button small danger" onClick={() => { act.value = 'remove'; }}>{t('remove')}</button>}
        <button type="button" class="button small quiet icon" aria-label={t('devices.unpick')} title={t('devices.unpick')} onClick={onDone}><Icon name="close" size={16} /></button>
      </div>
      {act.value === 'tag' && <TagDialog ids={ids} onClose={close} />}
      {act.value === 'move' && <MoveDialog ids={ids} onClose={close} />}
      {act.value === 'remove' && <Confirm title={t('devices.remove.title', { n: ids.length })} text={t('devices.remove.text')} action={t('remove')} onClose={() => { act.value = null; }} onYes={() => void drop()} />}
    </div>
  );
}

function Filters({ page, filter }: { page: DevicePage | null; filter: Filter }) {
  const templates = useAsk<Page<TemplateLine>>(may('template.view') ? `${O.value}/templates` : null);
  const tags = useMemo(() => [...new Set(page?.columns.tags.flat() ?? [])].sort(), [page]);
  // Its place is there before its names are: nothing moves when they come.
  const named = templates.body.value?.items ?? [];
  const hasTemplates = templates.body.value ? named.length > 0 : may('template.view') && (page?.columns.template.some((one) => one !== null) ?? false);
  const counts = page?.counts;
  const count: Record<Show, number | undefined> = { all: counts && counts.online + counts.offline + counts.never, online: counts?.online, offline: counts?.offline, never: counts?.never, trouble: counts?.trouble };
  return (
    <div class="stack tight">
      <div class="row">
        <div class="searchbox">
          <Icon name="search" size={16} />
          <input class="input" type="search" aria-label={t('devices.search')} placeholder={t('devices.search')} value={filter.q} onInput={(event) => typeSearch({ q: event.currentTarget.value })} />
          {!filter.q && <kbd aria-hidden="true">{'/'}</kbd>}
        </div>
        {hasTemplates && (
          <select class="input filter" aria-label={t('nav.templates')} value={filter.template} onChange={(event) => setSearch({ template: event.currentTarget.value })}>
            <option value="">{t('devices.anytemplate')}</option>
            {named.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
          </select>
        )}
        {tags.length > 0 && (
          <select class="input filter" aria-label={t('devices.tag.name')} value={filter.tag} onChange={(event) => setSearch({ tag: event.currentTarget.value })}>
            <option value="">{t('devices.anytag')}</option>
            {tags.map((tag) => <option key={tag} value={tag}>{tag}</option>)}
          </select>
        )}
      </div>
      <div class="chips" role="group" aria-label={t('devices.state')}>
        {SHOWS.map((show) => (
          <button key={show} type="button" class="chip" aria-pressed={filter.show === show} onClick={() => setSearch({ show: show === 'all' ? null : show })}>
            {t(`show.${show}`)}{count[show] !== undefined && <span class="count">{number(count[show]!)}</span>}
          </button>
        ))}
      </div>
    </div>
  );
}

function Waiting() {
  useEffect(watchAttempts, []);
  const seen = attempts.value.length;
  if (seen === 0 || !may('device.create')) return null;
  return <a class="note accent attempts" href="/devices/waiting"><Icon name="wave" size={18} /><span class="grow">{t('devices.attempts', { n: seen })}</span><Icon name="next" size={16} flip /></a>;
}

export default function Devices() {
  const filter = filterOf(search.value);
  const tooMany = useSignal(false);
  const picked = useSignal(new Set<number>());
  const fleet = useAsk<DevicePage>(fleetQuery(O.value, tooMany.value ? filter : null));
  useSignalEffect(() => { const page = fleet.body.value; if (page && page.next !== null) tooMany.value = true; });
  // The server says when the answer would be another one now; asked again at most every two seconds.
  useEffect(() => {
    let late: ReturnType<typeof setTimeout> | undefined;
    const org = grant.value?.org ?? 0;
    const changes = watch({
      what: ['presence'], select: { query: { org, below: true, text: '', sort: 'name', first: 0, count: 0 } },
      onReport: (report) => { if (report.kind === 'changed') late ??= setTimeout(() => { late = undefined; void fleet.again(); }, 2_000); },
    });
    return () => { clearTimeout(late); changes.close(); };
  }, [O.value]);
  const page = fleet.body.value;
  const exportUrl = `/api/v1${O.value}/devices/export${query({ format: 'csv', q: filter.q, show: filter.show === 'all' ? null : filter.show, template: filter.template, tag: filter.tag })}`;
  const isEmpty = page !== null && page.counts.online + page.counts.offline + page.counts.never === 0;
  return (
    <div class="screen">
      <Head title={t('nav.devices')} lead={page && !isEmpty ? t('devices.lead', { n: page.total, online: number(page.counts.online) }) : undefined}>
        {page && !isEmpty && may('device.create') && <a class="button primary" href="/devices/add"><Icon name="plus" size={18} />{t('add.title')}</a>}
        {page && !isEmpty && <Menu label={t('more')} items={[
          may('device.export') && { text: t('devices.exportall'), icon: 'download', run: () => location.assign(exportUrl) },
          may('device.create') && { text: t('waiting.title'), icon: 'wave', run: () => go('/devices/waiting') },
          { text: t('refresh'), icon: 'history', run: () => void fleet.again() },
        ]} />}
      </Head>
      <Waiting />
      {!isEmpty && <Filters page={page} filter={filter} />}
      <Loaded asked={fleet} lines={10}>
        {(found) => isEmpty
          ? <div class="card"><Empty icon="devices" title={t('devices.empty')} text={t('devices.empty.text')}>{may('device.create') && <a class="button primary" href="/devices/add"><Icon name="plus" size={18} />{t('add.title')}</a>}</Empty></div>
          : <Table page={found} filter={filter} picked={picked.value} onPicked={(next) => { picked.value = next; }} />}
      </Loaded>
      {page && page.next !== null && <p class="muted small">{t('devices.first', { n: FLEET_PAGE, total: number(page.total) })}</p>}
      {picked.value.size > 0 && <Selection ids={[...picked.value]} onDone={() => { picked.value = new Set(); void fleet.again(); }} />}
    </div>
  );
}

