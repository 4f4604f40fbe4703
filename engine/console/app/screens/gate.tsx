// The frame of what one sees before being signed in.
import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { Mark } from '../parts/icon.tsx';
import { language, LANGUAGES, setLanguage, t } from '../words/words.ts';
import { strength } from '../api/hash.ts';

export function Gate({ title, lead, children, wide, foot }: { title: string; lead?: ComponentChildren; children: ComponentChildren; wide?: boolean; foot?: ComponentChildren }) {
  useEffect(() => { document.title = `${title} · Linchpin`; }, [title]);
  const choose = (code: string) => { localStorage.setItem('linchpin.language', code); void setLanguage(code); };
  return (
    <div class="gate">
      <main>
        <div class={`gate-card ${wide ? 'wide' : ''}`}>
          <div class="brand"><Mark size={34} />{t('brand')}</div>
          <div class="panel">
            <h1>{title}</h1>
            {lead && <p class="lead">{lead}</p>}
            {children}
          </div>
          {foot}
        </div>
      </main>
      <footer>
        <select class="input small" aria-label={t('me.language')} value={language.value} onChange={(event) => choose(event.currentTarget.value)}>
          {Object.entries(LANGUAGES).map(([code, name]) => <option key={code} value={code} lang={code}>{name}</option>)}
        </select>
      </footer>
    </div>
  );
}

/** How hard a password is to guess: four bars and a word. */
export function Meter({ password, email }: { password: string; email: string }) {
  const level = strength(password, email);
  const words = [t('strength.0'), t('strength.1'), t('strength.2'), t('strength.3'), t('strength.4')];
  return (
    <div class="stack tight" aria-live="polite">
      <div class="meter" data-level={level} aria-hidden="true">{[1, 2, 3, 4].map((n) => <i key={n} class={n <= level ? 'on' : ''} />)}</div>
      <span class="small muted">{words[level]}</span>
    </div>
  );
}
