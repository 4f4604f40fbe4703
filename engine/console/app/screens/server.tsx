// The server, for its operators: health now, shards, certificates, backups, keys, limits, and what the doctor finds.
import { useEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { post } from '../api/client.ts';
import type { ServerPage, ServerWork } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { Age, Failed, Head, Loaded, Note, toast } from '../parts/basic.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { serverNow } from '../live/clock.ts';
import { path } from '../router.ts';
import { bytes, date, lasting, named, number, percent, t, type Key } from '../words/words.ts';

const TABS = ['health', 'shards', 'certificates', 'backups', 'keys', 'limits', 'findings'] as const;
/** How often the page asks again, ms. */
const AGAIN_MS = 5_000;

/** What happens a second, and shares of a core: the difference of two answers; of the first, since the start. */
interface Rates { messages_s: number; cpu: number; shards: Map<number, { messages_s: number; cpu: number }> }
function ratesOf(now: ServerPage, before: ServerPage | null): Rates {
  // A server that was started again counts from zero.
  const old = before && before.up_ms < now.up_ms ? before : null;
  const passed_s = Math.max(0.001, (now.up_ms - (old?.up_ms ?? 0)) / 1_000);
  const was = new Map(old?.shards.map((one) => [one.shard, one]));
  const a_second = (count: number, then: number | undefined) => Math.max(0, count - (then ?? 0)) / passed_s;
  return {
    messages_s: Math.round(a_second(now.messages, old?.messages)), cpu: a_second(now.cpu_us, old?.cpu_us) / 1e6,
    shards: new Map(now.shards.map((one) => [one.shard, { messages_s: Math.round(a_second(one.messages, was.get(one.shard)?.messages)), cpu: a_second(one.busy_us, was.get(one.shard)?.busy_us) / 1e6 }])),
  };
}

type Body = { page: ServerPage; rates: Rates; again: () => void };

function Health({ page, rates }: Body) {
  const facts: [string, string, string?][] = [
    [t('server.up'), lasting(page.up_ms)], [t('server.online'), number(page.online), t('server.of', { total: number(page.devices) })], [t('server.rate'), number(rates.messages_s), t('server.persecond')], [t('server.cpu'), percent(rates.cpu), t('server.cores', { n: page.shards.length })],
    [t('server.memory'), bytes(page.rss_bytes)], [t('server.disk'), percent(page.disk_used_bytes / Math.max(1, page.disk_bytes)), t('server.of', { total: bytes(page.disk_bytes) })], [t('server.journal'), `${number(page.journal_age_ms)} ms`], [t('server.backend'), page.back_end.replace(/^driver: /, '').split(/,| with /)[0]!],
  ];
  const worst = page.findings.filter((one) => one.level !== 'good');
  return (
    <div class="stack">
      {page.draining && <Note tone="warning">{t('server.draining')}</Note>}
      {worst.length > 0 && <a class="note warning attempts" href="/server/findings"><Icon name="warning" size={18} /><span class="grow">{t('server.worst', { n: worst.length })}</span><Icon name="next" size={16} flip /></a>}
      <dl class="stats">{facts.map(([name, value, small]) => <div key={name}><dt>{name}</dt><dd>{value} {small && <small>{small}</small>}</dd></div>)}</dl>
      <p class="muted small">{t('server.version', { version: page.version, build: page.build })}</p>
    </div>
  );
}

function Shards({ page, rates }: Body) {
  return (
    <section class="card"><div class="table-wrap" tabIndex={0} role="group" aria-label={t('server.tab.shards')}>
      <table class="table">
        <thead><tr><th class="num">{t('server.shard')}</th><th class="num">{t('server.connections')}</th><th class="num">{t('nav.devices')}</th><th class="num">{t('server.rate')}</th><th class="num">{t('server.tick')}</th><th class="num">{t('server.cpu')}</th></tr></thead>
        <tbody>{page.shards.map((one) => <tr key={one.shard}><td class="num">{number(one.shard)}</td><td class="num">{number(one.connections)}</td><td class="num">{number(one.devices)}</td><td class="num">{number(rates.shards.get(one.shard)?.messages_s ?? 0)}</td><td class="num">{`${number(one.tick_p99_us)} µs`}</td><td class="num">{percent(rates.shards.get(one.shard)?.cpu ?? 0)}</td></tr>)}</tbody>
      </table>
    </div></section>
  );
}

function Certificates({ page }: Body) {
  return (
    <section class="card"><ul class="item-list">
      {page.certificates.map((one) => <li key={one.names.join()}><Icon name="lock" /><div class="grow"><strong class="wrap-any">{one.names.join(', ')}</strong><p class="muted small">{one.source}</p></div><span class="muted small">{t('until', { date: date(one.until_ms) })}</span><span class={`badge ${one.state === 'good' ? 'good' : one.state === 'soon' ? 'warning' : 'bad'}`}>{t(`server.cert.${one.state}`)}</span></li>)}
      {page.certificates.length === 0 && <li class="muted">{t('server.cert.none')}</li>}
    </ul></section>
  );
}

function Backups({ page, again }: Body) {
  const { busy, problem, run } = useDo();
  const all = page.backups;
  const now = () => void run(async () => { await post('/server/backup'); toast(t('server.backup.begun')); again(); });
  const check = () => void run(async () => { await post('/server/backup/verify'); toast(t('server.verify.begun')); again(); });
  return (
    <div class="stack">
      <Failed problem={problem.value} />
      {all.place === null && <Note tone="warning">{t('server.backup.none')}</Note>}
      <section class="card">
        <header><div><h2>{t('server.tab.backups')}</h2><p class="muted small mono wrap-any">{all.place}</p>{all.next_ms !== null && <p class="muted small">{t('server.backup.next', { date: date(all.next_ms) })}</p>}</div>{all.items.length > 0 && <button type="button" class="button small" aria-busy={busy.value} onClick={check}>{t('server.verify.now')}</button>}<button type="button" class="button small" aria-busy={busy.value} disabled={all.place === null} onClick={now}>{t('server.backup.now')}</button></header>
        <ul class="item-list">
          {all.items.map((one) => <li key={one.id}><Icon name="history" /><div class="grow"><strong>{one.id}</strong><p class="muted small"><Age at={one.at_ms} /> · {bytes(one.bytes)}</p></div><span class={`badge ${one.verified ? 'good' : one.verified === false ? 'warning' : ''}`}>{one.verified ? t('server.backup.verified') : one.verified === false ? t('server.backup.unverified') : t('server.backup.unknown')}</span></li>)}
          {all.items.length === 0 && <li class="muted">{t('server.backup.empty')}</li>}
        </ul>
      </section>
    </div>
  );
}

function Keys({ page, again }: Body) {
  const held = page.keys;
  const asking = useSignal(false);
  const { busy, problem, run } = useDo();
  const rotate = () => void run(async () => { asking.value = false; await post('/server/keys/rotate'); toast(t('server.keys.begun')); again(); });
  if (!held) return <Note tone="warning">{t('server.keys.none')}</Note>;
  return (
    <section class="card pad stack">
      <dl class="facts"><dt>{t('server.keys.epoch')}</dt><dd>{number(held.epoch)}</dd><dt>{t('server.keys.rotated')}</dt><dd><Age at={held.rotated_ms} /></dd><dt>{t('server.keys.by')}</dt><dd class="mono">{held.unsealed_by}</dd><dt>{t('server.keys.held')}</dt><dd>{t('server.keys.of', { n: number(held.held), limit: number(held.limit) })}</dd></dl>
      <Failed problem={problem.value} />
      <div><button type="button" class="button" aria-busy={busy.value} onClick={() => { asking.value = true; }}>{t('server.keys.rotate')}</button></div>
      {asking.value && <Confirm danger={false} title={t('server.keys.rotate')} text={t('server.keys.text')} action={t('server.keys.rotate')} onYes={rotate} onClose={() => { asking.value = false; }} />}
    </section>
  );
}

function Limits({ page }: Body) {
  return (
    <section class="card"><ul class="item-list">
      {page.limits.map((one) => {
        const share = one.limit > 0 ? one.used / one.limit : 0;
        const name = named('limit', one.name);
        return <li key={one.name}><div class="grow"><strong>{name}</strong><p class="muted small tabular">{`${number(one.used)} / ${number(one.limit)}`}</p></div><div class="levelbar limit" role="meter" aria-label={name} aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(share * 100)}><i class={share > 0.9 ? 'tone-bad' : share > 0.75 ? 'tone-warning' : ''} ref={(bar) => { if (bar) bar.style.inlineSize = `${Math.min(1, share) * 100}%`; }} /></div><span class="tabular small limit-share">{percent(share)}</span></li>;
      })}
    </ul></section>
  );
}

function Findings({ page }: Body) {
  const icons = { good: 'good', warning: 'warning', bad: 'fault' } as const;
  const order = { bad: 0, warning: 1, good: 2 };
  return (
    <section class="card"><ul class="item-list">
      {[...page.findings].sort((a, b) => order[a.level] - order[b.level]).map((one) => <li key={one.title} class="finding"><span class={`tone-${one.level}`}><Icon name={icons[one.level]} size={22} /></span><div class="grow"><strong>{one.title}</strong> <span class="sr">{t(`server.level.${one.level}`)}</span><p class="muted">{one.text}</p>{one.fix && <p class="small">{one.fix}</p>}</div></li>)}
    </ul></section>
  );
}

/** Long work: under way, done for a minute, or why it failed. */
function Work({ work }: { work: ServerWork }) {
  const what = named('work', work.what);
  if (work.error) return <Note tone="warning">{t('server.work.failed', { what, why: work.error })}</Note>;
  if (work.ended_ms === null) return <Note>{t('server.work.on', { what })}</Note>;
  return serverNow() - work.ended_ms < 60_000 ? <Note>{t('server.work.done', { what })}</Note> : null;
}

const BODIES: Record<(typeof TABS)[number], (body: Body) => preact.JSX.Element> = { health: Health, shards: Shards, certificates: Certificates, backups: Backups, keys: Keys, limits: Limits, findings: Findings };

export default function Server({ tab }: { id: string; tab: string }) {
  const asked = useAsk<ServerPage>('/server');
  const before = useRef<ServerPage | null>(null);
  const rates = useRef<Rates | null>(null);
  const now = asked.body.value;
  // Two answers make a rate; the last one stays until the next comes.
  if (now && now !== before.current) { rates.current = ratesOf(now, before.current); before.current = now; }
  useEffect(() => { const timer = setInterval(() => { if (!document.hidden) void asked.again(); }, AGAIN_MS); return () => clearInterval(timer); }, []);
  const current = (TABS as readonly string[]).includes(tab) ? (tab as (typeof TABS)[number]) : 'health';
  const Tab = BODIES[current];
  return (
    <div class="screen">
      <Head title={t('nav.server')} lead={t('server.lead')} />
      <nav class="tabs" aria-label={t('nav.server')}>
        {TABS.map((name) => { const href = name === 'health' ? '/server' : `/server/${name}`; return <a key={name} href={href} aria-current={path.value === href ? 'page' : undefined}>{t(`server.tab.${name}` as Key)}</a>; })}
      </nav>
      {now?.work && <Work work={now.work} />}
      <Loaded asked={asked}>{(page) => <Tab page={page} rates={rates.current ?? ratesOf(page, null)} again={() => void asked.again()} />}</Loaded>
    </div>
  );
}
