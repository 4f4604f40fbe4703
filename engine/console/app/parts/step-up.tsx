// Step-up: dangerous things ask for the password or a code again. Tried first: within ten minutes the server does not ask.
import { useEffect } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { post, Problem } from '../api/client.ts';
import { passwordHash } from '../api/hash.ts';
import { me } from '../session.ts';
import { t } from '../words/words.ts';
import { Failed, Line, Skeleton } from './basic.tsx';
import { Dialog } from './dialog.tsx';

/** The server's code for "step up first". */
const DUE = 'E_STEP_UP';

export function StepUp({ work, onClose }: { work: () => Promise<void>; onClose: () => void }) {
  const due = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const password = useSignal('');
  const code = useSignal('');
  const tryIt = async () => {
    try { await work(); onClose(); } catch (error) {
      const found = error instanceof Problem ? error : new Problem(0, 'CONSOLE', String(error));
      if (!due.peek() && found.code === DUE) due.value = true;
      else problem.value = found;
    }
  };
  useEffect(() => { void tryIt(); }, []);
  const submit = async (event: Event) => {
    event.preventDefault();
    problem.value = null;
    try {
      await post('/session/step-up', code.value ? { code: code.value } : { hash: passwordHash(me.peek()?.user.email ?? '', password.value) });
      await tryIt();
    } catch (error) { problem.value = error instanceof Problem ? error : new Problem(0, 'CONSOLE', String(error)); }
  };
  return (
    <Dialog title={t('stepup.title')} onClose={onClose}>
      {!due.value && !problem.value && <Skeleton lines={2} />}
      <Failed problem={problem.value} />
      {due.value && (
        <form class="form" onSubmit={(event) => void submit(event)}>
          <p class="muted">{t('stepup.text')}</p>
          <Line label={t('password')} type="password" value={password.value} onValue={(v) => { password.value = v; }} autocomplete="current-password" autofocus />
          {me.value?.factor && <Line label={t('signin.code')} value={code.value} onValue={(v) => { code.value = v; }} autocomplete="one-time-code" inputMode="numeric" hint={t('stepup.or')} />}
          <button type="submit" class="button primary">{t('stepup.go')}</button>
        </form>
      )}
    </Dialog>
  );
}
