// Sign in: e-mail and password, then the second factor if it is due. Unknown persons and wrong passwords get the same words.
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { ask, Problem } from '../api/client.ts';
import type { OtherServer, Page } from '../api/types.ts';
import { Field, Line, Note } from '../parts/basic.tsx';
import { go, search } from '../router.ts';
import { landing, secondFactor, signIn } from '../session.ts';
import { t } from '../words/words.ts';
import { Gate } from './gate.tsx';

function reason(error: unknown): string {
  if (!(error instanceof Problem)) return String(error);
  if (error.status === 429 && (error.retry_s ?? 600) < 60) return t('signin.wait', { n: error.retry_s ?? 1 });
  if (error.status === 429) return t('signin.blocked', { n: Math.ceil((error.retry_s ?? 600) / 60) });
  if (error.status === 0) return t('wrong.offline.text');
  if (error.status === 401) return t('signin.wrong');
  return `${error.message} (${error.code})`;
}

export function SignIn() {
  const email = useSignal('');
  const password = useSignal('');
  const code = useSignal('');
  // Whoever signed in at another server comes back here for the second factor, or with the reason why nothing came of it.
  const elsewhere = search.value.get('factor') === '1';
  const refused = search.value.get('elsewhere');
  const factor = useSignal(elsewhere);
  const others = useSignal<OtherServer[]>([]);
  useEffect(() => { void ask<Page<OtherServer>>('/oidc').then((page) => { others.value = page.items; }).catch(() => {}); }, []);
  const busy = useSignal(false);
  const fault = useSignal('');
  const submit = async (event: Event) => {
    event.preventDefault();
    if (busy.value) return;
    busy.value = true;
    fault.value = '';
    try {
      const to = landing();
      const given = code.value.replaceAll(' ', '');
      const due = elsewhere ? await secondFactor(given) : await signIn(email.value, password.value, factor.value ? given : undefined);
      if (due.includes('factor')) factor.value = true;
      else { password.value = ''; go(to, true); }
    } catch (error) {
      fault.value = reason(error);
      code.value = '';
    }
    busy.value = false;
  };
  return (
    <Gate title={factor.value ? t('signin.factor') : t('signin.title')} lead={factor.value ? t('signin.factor.lead') : undefined}>
      {search.value.get('over') && !fault.value && <Note tone="warning">{t('signin.over')}</Note>}
      {refused && !fault.value && <Note tone="warning">{t('signin.elsewhere.refused', { code: refused })}</Note>}
      {fault.value && <Note tone="bad">{fault.value}</Note>}
      <form class="form" onSubmit={(event) => void submit(event)}>
        {!factor.value ? (
          <>
            <Line label={t('email')} name="email" type="email" value={email.value} onValue={(v) => { email.value = v; }} required autocomplete="username" autofocus />
            <Field label={t('password')}>
              {(attributes) => <input {...attributes} name="password" type="password" value={password.value} onInput={(event) => { password.value = event.currentTarget.value; }} required autocomplete="current-password" />}
            </Field>
          </>
        ) : (
          <Line label={t('signin.code')} name="code" value={code.value} onValue={(v) => { code.value = v; }} required autocomplete="one-time-code" inputMode="numeric" hint={t('signin.code.hint')} autofocus />
        )}
        <button type="submit" class="button primary wide" aria-busy={busy.value}>{t('signin.submit')}</button>
      </form>
      {!factor.value && others.value.map((one) => <a key={one.id} class="button wide" href={`/api/v1/oidc/${one.id}/start`}>{t('signin.elsewhere', { name: one.name })}</a>)}
      <div class="row apart small">
        {elsewhere ? <a href="/sign-in">{t('back')}</a> : factor.value ? <button type="button" class="link" onClick={() => { factor.value = false; fault.value = ''; }}>{t('back')}</button> : <a href="/reset">{t('signin.forgot')}</a>}
      </div>
    </Gate>
  );
}
