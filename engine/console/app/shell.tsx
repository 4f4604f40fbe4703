// The frame around every screen: navigation, link state, palette; and which screen an address means.
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { signal, useSignal, useSignalEffect } from '@preact/signals';
import { rememberOrg } from './api/devices.ts';
import { probableOrg } from './early.ts';
import { eyes } from './eyes.ts';
import { clockError } from './live/clock.ts';
import { hurry, lastHeard, link, newBuild } from './live/socket.ts';
import { Announcer, Empty, Skeleton, Toasts } from './parts/basic.tsx';
import { Dialog } from './parts/dialog.tsx';
import { Icon, Mark, type IconName } from './parts/icon.tsx';
import { loadMore } from './more.ts';
import { go, path } from './router.ts';
import { grant, leaveView, may, me, setOrg, viewAs } from './session.ts';
import { openPalette, Palette, useKeys } from './palette.tsx';
import { SignIn } from './screens/sign-in.tsx';
import { shortTime, t, type Key } from './words/words.ts';

type Screen = ComponentType<{ id: string; tab: string }>;
const loaded = new Map<string, Screen>();
const arrived = signal(0);

/** Addresses: pattern, and the chunk that draws it. `id` and `tab` are the parts in brackets. */
const ROUTES: [RegExp, string, () => Promise<{ default: Screen }>][] = [
  [/^\/devices$/, 'devices', () => import('./screens/devices.tsx')],
  [/^\/devices\/(add|waiting)$/, 'add', () => import('./screens/add.tsx')],
  [/^\/devices\/(\d+)(?:\/(\w+))?$/, 'device', () => import('./screens/device.tsx')],
  [/^\/templates$/, 'templates', () => import('./screens/templates.tsx')],
  [/^\/templates\/([\w-]+)(?:\/(\w+))?$/, 'template', () => import('./screens/template.tsx')],
  [/^\/events$/, 'events', () => import('./screens/events.tsx')],
  [/^\/people(?:\/()(\w+))?$/, 'people', () => import('./screens/people.tsx')],
  [/^\/server(?:\/()(\w+))?$/, 'server', () => import('./screens/server.tsx')],
  [/^\/me(?:\/()(\w+))?$/, 'me', () => import('./screens/me.tsx')],
];
const OPEN: [RegExp, string, () => Promise<{ default: Screen }>][] = [
  [/^\/(welcome|invite|reset|verify|stop)$/, 'gates', () => import('./screens/gates.tsx')],
];

/** Fetch what an address needs while the server is asked who is there: its code. What it asks was asked by early.ts. */
export function fetchEarly(at: string): void {
  const hit = ROUTES.find(([pattern]) => pattern.test(at));
  if (!hit) return;
  const org = probableOrg();
  if (org && hit[1] === 'device') rememberOrg(Number(hit[0].exec(at)![1]), org);
  // What fails here fails again where it is drawn, and is said there.
  void Promise.all([hit[2](), hit[1] === 'devices' ? null : loadMore()]).catch(() => {});
}

function Routed({ routes }: { routes: typeof ROUTES }) {
  void arrived.value;
  const failed = useSignal(false);
  const at = path.value;
  const hit = routes.find(([pattern]) => pattern.test(at));
  const name = hit?.[1];
  useEffect(() => {
    if (!hit || loaded.has(hit[1])) return;
    failed.value = false;
    const words = hit[1] === 'devices' ? Promise.resolve() : loadMore();
    Promise.all([hit[2](), words]).then(([part]) => { loaded.set(hit[1], part.default); arrived.value++; }, () => { failed.value = true; });
  }, [name]);
  if (!hit) return <Empty top icon="search" tone="neutral" title={t('wrong.page')} text={t('wrong.page.text')}><a class="button" href="/devices">{t('nav.devices')}</a></Empty>;
  const Found = loaded.get(hit[1]);
  if (failed.value) return <Empty top icon="cut" title={t('wrong.offline')} text={t('wrong.offline.text')}><button type="button" class="button" onClick={() => location.reload()}>{t('again')}</button></Empty>;
  if (!Found) return <Skeleton />;
  const parts = hit[0].exec(at)!;
  // Another view asks again.
  return <Found key={`${hit[1]} ${parts[1] ?? ''} ${eyes.value}`} id={parts[1] ?? ''} tab={parts[2] ?? ''} />;
}

interface Place { href: string; icon: IconName; text: Key; permission?: string }
/** Places of the navigation that the person may see. */
export function places(): Place[] {
  const all: Place[] = [
    { href: '/devices', icon: 'devices', text: 'nav.devices' },
    { href: '/templates', icon: 'templates', text: 'nav.templates', permission: 'template.view' },
    { href: '/events', icon: 'events', text: 'nav.events', permission: 'event.view' },
    { href: '/people', icon: 'people', text: 'nav.people', permission: 'user.view' },
    { href: '/server', icon: 'server', text: 'nav.server', permission: 'server.manage' },
  ];
  return all.filter((place) => !place.permission || may(place.permission));
}
const here = (href: string): 'page' | undefined => (path.value === href || path.value.startsWith(`${href}/`) ? 'page' : undefined);

/** How the page's link to the server is, in words. */
export function LinkLine() {
  const state = link.value;
  // Something is heard many times a second: it is looked at when nothing is.
  const since = lastHeard.peek();
  const text = state === 'live' ? t('link.live') : state === 'late' || state === 'down' ? t('link.down', { time: shortTime(since, Date.now()) }) : state === 'revoked' ? t('link.revoked') : t('link.connecting');
  return (
    <div class={`linkstate ${state}`} role="status">
      <span class={`dot ${state === 'live' ? '' : state === 'late' || state === 'down' ? 'warning' : 'off'}`} />
      <span>{text}</span>
    </div>
  );
}

function OrgPick() {
  const grants = me.value?.grants ?? [];
  if (grants.length < 2) return null;
  return (
    <div class="orgpick">
      <select class="input small" aria-label={t('nav.org')} value={String(grant.value?.org)} onChange={(event) => { setOrg(Number(event.currentTarget.value)); go('/devices'); }}>
        {grants.map((one) => <option key={one.org} value={String(one.org)}>{one.org_name}</option>)}
      </select>
    </div>
  );
}

function Banners() {
  const clock = clockError.value;
  return (
    <>
      {viewAs.value && <div class="banner" role="status"><Icon name="people" size={18} /><span>{t('viewas.on', { role: viewAs.value.name })}</span><button type="button" class="button small" onClick={leaveView}>{t('viewas.end')}</button></div>}
      {(link.value === 'late' || link.value === 'down') && <div class="banner" role="status"><Icon name="cut" size={18} /><span>{t('link.banner')}</span><button type="button" class="button small" onClick={hurry}>{t('link.now')}</button></div>}
      {newBuild.value && <div class="banner"><Icon name="about" size={18} /><span>{t('build.new')}</span><button type="button" class="button small" onClick={() => location.reload()}>{t('build.reload')}</button></div>}
      {Math.abs(clock) > 120_000 && <div class="banner"><Icon name="clock" size={18} /><span>{t('clock.off', { n: Math.round(Math.abs(clock) / 60_000) })}</span></div>}
      {me.value?.server.plain && location.hostname !== '127.0.0.1' && location.hostname !== 'localhost' && <div class="banner"><Icon name="lock" size={18} /><span>{t('plain.notice')}</span></div>}
    </>
  );
}

function More({ onClose }: { onClose: () => void }) {
  const rest = [...places().slice(3), { href: '/me', icon: 'me', text: 'nav.me' } as Place];
  return (
    <Dialog title={t('nav.more')} onClose={onClose}>
      <OrgPick />
      <nav class="stack tight" aria-label={t('nav.more')}>
        {rest.map((place) => <a key={place.href} class="button wide" href={place.href} onClick={onClose}><Icon name={place.icon} />{t(place.text)}</a>)}
      </nav>
    </Dialog>
  );
}

function Frame() {
  const more = useSignal(false);
  const nav = places();
  useKeys();
  return (
    <div class="shell">
      <a class="button skip" href="#main" onClick={(event) => { event.preventDefault(); document.getElementById('main')?.focus(); }}>{t('skip')}</a>
      <aside class="rail" aria-label={t('nav.label')}>
        <a class="brand" href="/devices"><Mark />{t('brand')}</a>
        <OrgPick />
        <button type="button" class="palette-open" onClick={openPalette}><Icon name="search" size={16} /><span class="clip">{t('palette.open')}</span><kbd>{t('palette.key')}</kbd></button>
        <nav aria-label={t('nav.label')}>
          {nav.map((place) => <a key={place.href} href={place.href} aria-current={here(place.href)}><Icon name={place.icon} />{t(place.text)}</a>)}
        </nav>
        <div class="rail-foot">
          <LinkLine />
          <a class="me" href="/me" aria-current={here('/me')}><Icon name="me" /><span class="clip">{me.value?.user.name || me.value?.user.email}</span></a>
        </div>
      </aside>
      <header class="top"><a class="brand" href="/devices"><Mark size={24} />{t('brand')}</a><LinkLine /></header>
      <main id="main" tabIndex={-1}>
        <Banners />
        <Routed routes={ROUTES} />
      </main>
      <nav class="bar" aria-label={t('nav.bar')}>
        {nav.slice(0, 4).map((place) => <a key={place.href} href={place.href} aria-current={here(place.href)}><Icon name={place.icon} /><span>{t(place.text)}</span></a>)}
        <button type="button" onClick={() => { more.value = true; }}><Icon name="more" /><span>{t('nav.more')}</span></button>
      </nav>
      {more.value && <More onClose={() => { more.value = false; }} />}
      <Palette />
    </div>
  );
}

export function App() {
  const at = path.value;
  const isOpen = OPEN.some(([pattern]) => pattern.test(at));
  const who = me.value;
  useSignalEffect(() => {
    if (me.value && (path.value === '/' || path.value === '/sign-in')) go('/devices', true);
    else if (me.value === null && path.value === '/') go('/sign-in', true);
    else if (me.value === null && path.value !== '/sign-in' && !OPEN.some(([pattern]) => pattern.test(path.value))) go(`/sign-in?next=${encodeURIComponent(path.value)}`, true);
  });
  return (
    <>
      {isOpen ? <Routed routes={OPEN} /> : who === undefined ? <div class="gate"><main><Skeleton lines={4} /></main></div> : who === null ? <SignIn /> : <Frame />}
      <Toasts />
      <Announcer />
    </>
  );
}
