// Welcome (first start), invitation, reset and verification: one form each. The secret stands in the address's fragment,
// which browsers do not send.
import { useSignal } from '@preact/signals';
import { post } from '../api/client.ts';
import { foldEmail, passwordHash, strength } from '../api/hash.ts';
import { useDo } from '../api/use.ts';
import { Check, Failed, Line, Note } from '../parts/basic.tsx';
import { go } from '../router.ts';
import { resume, signIn } from '../session.ts';
import { t } from '../words/words.ts';
import { Gate, Meter } from './gate.tsx';

/** `#secret` or `#token=secret&email=...`. */
function fragment(): URLSearchParams {
  const text = location.hash.slice(1);
  return new URLSearchParams(text.includes('=') ? text : `token=${text}`);
}

function Password({ email, password, onValue }: { email: string; password: string; onValue: (value: string) => void }) {
  return (
    <>
      <Line label={t('password.new')} name="password" type="password" value={password} onValue={onValue} required autocomplete="new-password" hint={t('password.hint')} />
      <Meter password={password} email={email} />
    </>
  );
}

function Welcome() {
  const secret = fragment();
  const email = useSignal('');
  const name = useSignal('');
  const org = useSignal('');
  const password = useSignal('');
  const { busy, problem, run } = useDo();
  const weak = strength(password.value, email.value) < 2;
  const submit = (event: Event) => {
    event.preventDefault();
    if (weak) return;
    void run(async () => {
      await post('/bootstrap', { token: secret.get('token'), email: foldEmail(email.value), name: name.value, hash: passwordHash(email.value, password.value), org: org.value });
      await signIn(email.value, password.value);
      history.replaceState(null, '', '/welcome');
      go('/devices/add', true);
    });
  };
  return (
    <Gate title={t('welcome.title')} lead={t('welcome.lead')} wide>
      {!secret.get('token') && <Note tone="warning">{t('welcome.nolink')}</Note>}
      <form class="form" onSubmit={submit}>
        <Line label={t('welcome.org')} name="org" value={org.value} onValue={(v) => { org.value = v; }} required maxLength={64} placeholder={t('welcome.org.example')} autocomplete="organization" autofocus />
        <Line label={t('name')} name="name" value={name.value} onValue={(v) => { name.value = v; }} maxLength={64} autocomplete="name" />
        <Line label={t('email')} name="email" type="email" value={email.value} onValue={(v) => { email.value = v; }} required autocomplete="username" />
        <Password email={email.value} password={password.value} onValue={(v) => { password.value = v; }} />
        <Failed problem={problem.value} />
        <button type="submit" class="button primary wide" aria-busy={busy.value} disabled={weak}>{t('welcome.submit')}</button>
      </form>
    </Gate>
  );
}

function Invited() {
  const secret = fragment();
  const email = useSignal(secret.get('email') ?? '');
  const name = useSignal('');
  const password = useSignal('');
  const agreed = useSignal(false);
  const { busy, problem, run } = useDo();
  const weak = strength(password.value, email.value) < 2;
  const submit = (event: Event) => {
    event.preventDefault();
    if (weak || !agreed.value) return;
    void run(async () => {
      await post('/verify', { token: secret.get('token'), email: foldEmail(email.value), name: name.value, hash: passwordHash(email.value, password.value), consents: ['account'] });
      await signIn(email.value, password.value);
      go('/devices', true);
    });
  };
  return (
    <Gate title={t('invite.title')} lead={t('invite.lead')} wide>
      {!secret.get('token') && <Note tone="warning">{t('gate.nolink')}</Note>}
      <form class="form" onSubmit={submit}>
        <Line label={t('email')} name="email" type="email" value={email.value} onValue={(v) => { email.value = v; }} required autocomplete="username" hint={t('invite.email.hint')} />
        <Line label={t('name')} name="name" value={name.value} onValue={(v) => { name.value = v; }} maxLength={64} autocomplete="name" />
        <Password email={email.value} password={password.value} onValue={(v) => { password.value = v; }} />
        <Check label={t('invite.agree')} checked={agreed.value} onValue={(on) => { agreed.value = on; }} />
        <Failed problem={problem.value} />
        <button type="submit" class="button primary wide" aria-busy={busy.value} disabled={weak || !agreed.value}>{t('invite.submit')}</button>
      </form>
    </Gate>
  );
}

function Reset() {
  const secret = fragment();
  const token = secret.get('token');
  const email = useSignal(secret.get('email') ?? '');
  const password = useSignal('');
  const sent = useSignal(false);
  const { busy, problem, run } = useDo();
  const weak = Boolean(token) && strength(password.value, email.value) < 2;
  const submit = (event: Event) => {
    event.preventDefault();
    if (weak) return;
    void run(async () => {
      if (!token) { await post('/reset', { email: foldEmail(email.value) }); sent.value = true; return; }
      await post('/reset/confirm', { token, email: foldEmail(email.value), hash: passwordHash(email.value, password.value) });
      await resume();
      go('/sign-in', true);
    });
  };
  if (sent.value) {
    return (
      <Gate title={t('reset.sent')} lead={t('reset.sent.lead')}>
        <a class="button wide" href="/sign-in">{t('signin.title')}</a>
      </Gate>
    );
  }
  return (
    <Gate title={t('reset.title')} lead={token ? t('reset.lead.new') : t('reset.lead')}>
      <form class="form" onSubmit={submit}>
        <Line label={t('email')} name="email" type="email" value={email.value} onValue={(v) => { email.value = v; }} required autocomplete="username" autofocus />
        {token && <Password email={email.value} password={password.value} onValue={(v) => { password.value = v; }} />}
        <Failed problem={problem.value} />
        <button type="submit" class="button primary wide" aria-busy={busy.value} disabled={weak}>{token ? t('reset.submit.new') : t('reset.submit')}</button>
      </form>
      <a class="small" href="/sign-in">{t('signin.back')}</a>
    </Gate>
  );
}

/** Take a new address, or stop that: a click and not the opening of the page does it, for mail programs open links. */
function Address({ kind }: { kind: 'verify' | 'stop' }) {
  const token = fragment().get('token');
  const done = useSignal(false);
  const { busy, problem, run } = useDo();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => { await post(kind === 'verify' ? '/verify/address' : '/verify/stop', { token }); done.value = true; history.replaceState(null, '', `/${kind}`); });
  };
  return (
    <Gate title={t(`address.${kind}.title`)} lead={done.value ? t(`address.${kind}.done`) : t(`address.${kind}.lead`)}>
      {!token && !done.value && <Note tone="warning">{t('gate.nolink')}</Note>}
      {!done.value && <form class="form" onSubmit={submit}><Failed problem={problem.value} /><button type="submit" class="button primary wide" aria-busy={busy.value} disabled={!token}>{t(`address.${kind}.submit`)}</button></form>}
      <a class="small" href="/sign-in">{t('signin.back')}</a>
    </Gate>
  );
}

export default function Gates({ id }: { id: string; tab: string }) {
  if (id === 'welcome') return <Welcome />;
  if (id === 'verify' || id === 'stop') return <Address kind={id} />;
  return id === 'reset' ? <Reset /> : <Invited />;
}
