// The person's own account: profile, language and look; security; keys; privacy.
import { useSignal } from '@preact/signals';
import { ask, patch, post, put, remove } from '../api/client.ts';
import { foldEmail, passwordHash, strength } from '../api/hash.ts';
import type { Consent, Key, Page, SessionLine } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { Age, Check, Empty, Failed, Field, Head, Line, Loaded, Note, Secret, Segments, toast } from '../parts/basic.tsx';
import { Confirm, Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { StepUp } from '../parts/step-up.tsx';
import { path } from '../router.ts';
import { grant, me, resume, signOut } from '../session.ts';
import { letters, setLetters, setTheme, theme } from '../theme.ts';
import { date, language, LANGUAGES, named, setLanguage, t, type Key as Word } from '../words/words.ts';
import { Meter } from './gate.tsx';

function Profile() {
  const name = useSignal(me.value?.user.name ?? '');
  const { busy, problem, run } = useDo();
  const choose = (code: string) => { localStorage.setItem('linchpin.language', code); void setLanguage(code); };
  const submit = (event: Event) => { event.preventDefault(); void run(async () => { await patch('/me', { name: name.value.trim(), locale: language.value }); await resume(); toast(t('saved')); }); };
  return (
    <div class="stack">
      <form class="card pad stack" onSubmit={submit}>
        <h2>{t('me.tab.profile')}</h2>
        <div class="form two">
          <Line label={t('name')} value={name.value} onValue={(v) => { name.value = v; }} maxLength={64} autocomplete="name" />
          <Line label={t('email')} value={me.value?.user.email ?? ''} onValue={() => {}} readOnly type="email" />
        </div>
        <Failed problem={problem.value} />
        <div class="row apart"><button type="submit" class="button primary" aria-busy={busy.value}>{t('save')}</button><button type="button" class="button" onClick={() => void signOut()}><Icon name="out" size={18} />{t('me.signout')}</button></div>
      </form>
      <section class="card pad stack">
        <h2>{t('me.look')}</h2>
        <div class="form two">
          <Field label={t('me.language')}>{(attributes) => <select {...attributes} value={language.value} onChange={(event) => choose(event.currentTarget.value)}>{Object.entries(LANGUAGES).map(([code, own]) => <option key={code} value={code} lang={code}>{own}</option>)}</select>}</Field>
          <div class="field"><span class="label">{t('me.theme')}</span><div><Segments label={t('me.theme')} value={theme.value} onValue={setTheme} options={(['system', 'light', 'dark'] as const).map((one) => ({ value: one, text: t(`me.theme.${one}`) }))} /></div></div>
        </div>
        <Check label={t('me.letters')} checked={letters.value} onValue={setLetters} />
      </section>
    </div>
  );
}

/** Another address: the password is made with it, so it is sent for both. */
function Address() {
  const fresh = useSignal('');
  const password = useSignal('');
  const sent = useSignal(false);
  const stepping = useSignal(false);
  const email = me.value?.user.email ?? '';
  const ask = async () => {
    await put('/me/email', { new_email: foldEmail(fresh.value), old: passwordHash(email, password.value), new: passwordHash(fresh.value, password.value) });
    sent.value = true; fresh.value = ''; password.value = '';
  };
  return (
    <form class="card pad form" onSubmit={(event) => { event.preventDefault(); stepping.value = true; }}>
      <h2>{t('me.email.change')}</h2>
      {sent.value && <Note tone="good">{t('me.email.sent')}</Note>}
      <Line label={t('me.email.new')} type="email" value={fresh.value} onValue={(v) => { fresh.value = v; }} required autocomplete="email" />
      <Line label={t('me.password.old')} type="password" value={password.value} onValue={(v) => { password.value = v; }} required autocomplete="current-password" />
      <div><button type="submit" class="button primary" disabled={!fresh.value || !password.value}>{t('me.email.change')}</button></div>
      {stepping.value && <StepUp onClose={() => { stepping.value = false; }} work={ask} />}
    </form>
  );
}

function Password() {
  const old = useSignal('');
  const fresh = useSignal('');
  const { busy, problem, run } = useDo();
  const email = me.value?.user.email ?? '';
  const weak = strength(fresh.value, email) < 2;
  const submit = (event: Event) => {
    event.preventDefault();
    if (weak) return;
    void run(async () => { await put('/me/password', { old: passwordHash(email, old.value), new: passwordHash(email, fresh.value) }); old.value = ''; fresh.value = ''; toast(t('me.password.changed')); });
  };
  return (
    <form class="card pad form" onSubmit={submit}>
      <h2>{t('me.password')}</h2>
      <input class="sr" type="email" autocomplete="username" value={email} readOnly tabIndex={-1} aria-hidden="true" />
      <Line label={t('me.password.old')} type="password" value={old.value} onValue={(v) => { old.value = v; }} required autocomplete="current-password" />
      <Line label={t('password.new')} type="password" value={fresh.value} onValue={(v) => { fresh.value = v; }} required autocomplete="new-password" hint={t('password.hint')} />
      <Meter password={fresh.value} email={email} />
      <Failed problem={problem.value} />
      <div><button type="submit" class="button primary" disabled={weak} aria-busy={busy.value}>{t('me.password.change')}</button></div>
    </form>
  );
}

function Factor() {
  const begun = useSignal<{ uri: string; secret: string } | null>(null);
  const code = useSignal('');
  const recovery = useSignal<string[] | null>(null);
  const ending = useSignal(false);
  const stepping = useSignal(false);
  const { busy, problem, run } = useDo();
  const confirmCode = (event: Event) => {
    event.preventDefault();
    void run(async () => { recovery.value = (await ask<{ recovery: string[] }>('/me/totp/confirm', { body: { code: code.value.replaceAll(' ', '') } })).recovery; begun.value = null; await resume(); });
  };
  return (
    <section class="card pad stack">
      <div class="row apart"><h2>{t('me.factor')}</h2><span class={`badge ${me.value?.factor ? 'good' : ''}`}>{me.value?.factor ? t('on') : t('off')}</span></div>
      <p class="muted">{t('me.factor.text')}</p>
      <Failed problem={problem.value} />
      {recovery.value ? (
        <div class="stack tight"><Note tone="good">{t('me.factor.recovery')}</Note><div class="codes">{recovery.value.map((one) => <span key={one}>{one}</span>)}</div><div><button type="button" class="button" onClick={() => { recovery.value = null; }}>{t('me.factor.saved')}</button></div></div>
      ) : begun.value ? (
        <form class="form" onSubmit={confirmCode}>
          <p>{t('me.factor.add')}</p>
          <Secret text={begun.value.secret} label={t('me.factor.copy')} />
          <a class="small" href={begun.value.uri}>{t('me.factor.open')}</a>
          <Line label={t('signin.code')} value={code.value} onValue={(v) => { code.value = v; }} required autocomplete="one-time-code" inputMode="numeric" />
          <div><button type="submit" class="button primary" aria-busy={busy.value}>{t('me.factor.confirm')}</button></div>
        </form>
      ) : me.value?.factor ? <div><button type="button" class="button danger" onClick={() => { ending.value = true; }}>{t('me.factor.end')}</button></div> : <div><button type="button" class="button" onClick={() => { stepping.value = true; }}>{t('me.factor.begin')}</button></div>}
      {stepping.value && <StepUp onClose={() => { stepping.value = false; }} work={async () => { begun.value = await post<{ uri: string; secret: string }>('/me/totp'); }} />}
      {ending.value && <StepUp onClose={() => { ending.value = false; }} work={async () => { await remove('/me/totp'); await resume(); toast(t('me.factor.ended')); }} />}
    </section>
  );
}

/** A browser and its system in two words, from what it says of itself; a program as it names itself. */
function agentName(agent: string): string {
  const browser = ['Firefox', 'Edg', 'OPR', 'Chrome', 'Safari'].find((name) => agent.includes(`${name}/`));
  const system = ['iPhone', 'iPad', 'Android', 'Windows', 'Mac OS X', 'Linux'].find((name) => agent.includes(name));
  const names: Record<string, string> = { Edg: 'Edge', OPR: 'Opera' };
  // The server stores the beginning only, where browsers do not say their own name.
  const name = browser ? (names[browser] ?? browser) : agent.startsWith('Mozilla/') ? t('me.session.browser') : '';
  return name ? [name, system?.replace(' OS X', 'OS')].filter(Boolean).join(', ') : agent.split(/[ (]/)[0] || '–';
}

function Sessions() {
  const sessions = useAsk<Page<SessionLine>>('/me/sessions');
  const { problem, run } = useDo();
  const end = (one: SessionLine) => void run(async () => { await remove(`/me/sessions/${one.id}`); toast(t('me.session.ended')); await sessions.again(); });
  return (
    <section class="card">
      <header><h2>{t('me.sessions')}</h2></header>
      <Failed problem={problem.value} />
      <Loaded asked={sessions} lines={3}>{(page) => <ul class="item-list">{page.items.map((one) => <li key={one.id}><Icon name={/phone|android/i.test(one.agent) ? 'phone' : 'devices'} /><div class="grow"><strong class="wrap-any" title={one.agent}>{agentName(one.agent)}</strong><p class="muted small">{one.address && <span class="mono">{one.address}</span>} · <Age at={one.seen_ms} /></p></div>{one.current ? <span class="badge accent">{t('me.session.this')}</span> : <button type="button" class="button small" aria-label={t('me.session.end', { name: agentName(one.agent) })} onClick={() => end(one)}>{t('me.session.end.short')}</button>}</li>)}</ul>}</Loaded>
    </section>
  );
}

const Security = () => <div class="stack"><Password /><Address /><Factor /><Sessions /></div>;

function NewKey({ onDone, onClose }: { onDone: () => void; onClose: () => void }) {
  const name = useSignal('');
  const chosen = useSignal<string[]>(['device.view']);
  const secret = useSignal('');
  const { busy, problem, run } = useDo();
  const offered = [...new Set([...(grant.value?.all ?? []), ...(grant.value?.own ?? [])])].filter((one) => !/^(role|privacy|key)\.|user\.reset|server\./.test(one));
  const submit = (event: Event) => { event.preventDefault(); void run(async () => { secret.value = (await post<{ secret: string }>('/me/keys', { name: name.value.trim(), permissions: chosen.value })).secret; onDone(); }); };
  return (
    <Dialog title={t('key.new')} onClose={onClose} wide>
      {secret.value ? <div class="stack tight"><Note tone="good">{t('key.once')}</Note><Secret text={secret.value} label={t('key.copy')} /></div> : (
        <form class="stack" onSubmit={submit}>
          <Line label={t('name')} value={name.value} onValue={(v) => { name.value = v; }} required maxLength={64} autofocus />
          <fieldset class="field"><legend>{t('key.permissions')}</legend><div class="permissions">{offered.map((one) => <Check key={one} label={named('permission', one)} checked={chosen.value.includes(one)} onValue={(on) => { chosen.value = on ? [...chosen.value, one] : chosen.value.filter((other) => other !== one); }} />)}</div></fieldset>
          <Failed problem={problem.value} />
          <div><button type="submit" class="button primary" disabled={chosen.value.length === 0} aria-busy={busy.value}>{t('key.create')}</button></div>
        </form>
      )}
    </Dialog>
  );
}

function Keys() {
  const keys = useAsk<Page<Key>>('/me/keys');
  const making = useSignal(false);
  const { problem, run } = useDo();
  const end = (one: Key) => void run(async () => { await remove(`/me/keys/${one.id}`); toast(t('key.ended')); await keys.again(); });
  const button = <button type="button" class="button small" onClick={() => { making.value = true; }}><Icon name="plus" size={16} />{t('key.new')}</button>;
  return (
    <section class="card">
      <header><h2>{t('me.tab.keys')}</h2>{(keys.body.value?.items.length ?? 0) > 0 && button}</header>
      <Failed problem={problem.value} />
      <Loaded asked={keys} lines={3}>{(page) => page.items.length === 0 ? <Empty icon="key" title={t('key.none')} text={t('key.none.text')}>{button}</Empty> : <ul class="item-list">{page.items.map((one) => <li key={one.id}><Icon name="key" /><div class="grow"><strong>{one.name}</strong> <span class="mono muted">{`${one.prefix}…`}</span><p class="muted small">{one.permissions.map((name) => named('permission', name)).join(', ')}</p></div><span class="muted small">{one.used_ms ? <>{t('key.used')} <Age at={one.used_ms} /></> : t('key.unused')}{one.until_ms && ` · ${t('until', { date: date(one.until_ms) })}`}</span><button type="button" class="button small danger" aria-label={t('key.end', { name: one.name })} onClick={() => end(one)}>{t('key.end.short')}</button></li>)}</ul>}</Loaded>
      {making.value && <NewKey onClose={() => { making.value = false; }} onDone={() => void keys.again()} />}
    </section>
  );
}

function Privacy() {
  const consents = useAsk<Page<Consent>>('/me/consents');
  const erasing = useSignal(false);
  const stepping = useSignal(false);
  const { problem, run } = useDo();
  const set = (one: Consent, given: boolean) => void run(async () => { await put('/me/consents', { purpose: one.purpose, given }); await consents.again(); });
  return (
    <div class="stack">
      <section class="card pad stack"><h2>{t('me.consents')}</h2><Failed problem={problem.value} /><Loaded asked={consents} lines={2}>{(page) => <>{page.items.map((one) => <Check key={one.purpose} label={<>{one.text}{one.at_ms && <span class="muted small"> · {date(one.at_ms)}</span>}</>} checked={one.given} onValue={(on) => set(one, on)} />)}</>}</Loaded></section>
      <section class="card pad stack tight"><h2>{t('me.export')}</h2><p class="muted">{t('me.export.text')}</p><div><a class="button" download href="/api/v1/me/export"><Icon name="download" size={18} />{t('me.export')}</a></div></section>
      <section class="card pad stack tight"><h2>{t('me.erase')}</h2><p class="muted">{t('me.erase.text')}</p><div><button type="button" class="button danger" onClick={() => { erasing.value = true; }}>{t('me.erase')}</button></div></section>
      {erasing.value && <Confirm title={t('me.erase')} text={t('me.erase.sure')} action={t('me.erase')} onClose={() => { erasing.value = false; }} onYes={() => { erasing.value = false; stepping.value = true; }} />}
      {stepping.value && <StepUp onClose={() => { stepping.value = false; }} work={async () => { await remove('/me'); await signOut(); }} />}
    </div>
  );
}

const TABS: [string, () => preact.JSX.Element][] = [['profile', Profile], ['security', Security], ['keys', Keys], ['privacy', Privacy]];

export default function Me({ tab }: { id: string; tab: string }) {
  const Tab = (TABS.find(([name]) => name === tab) ?? TABS[0]!)[1];
  return (
    <div class="screen narrow">
      <Head title={t('nav.me')} lead={me.value?.user.email} />
      <nav class="tabs" aria-label={t('nav.me')}>{TABS.map(([name]) => { const href = name === 'profile' ? '/me' : `/me/${name}`; return <a key={name} href={href} aria-current={path.value === href ? 'page' : undefined}>{t(`me.tab.${name}` as Word)}</a>; })}</nav>
      <Tab />
    </div>
  );
}
