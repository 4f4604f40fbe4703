// Small parts that every screen uses.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { signal, useComputed, useSignal } from '@preact/signals';
import { FORBIDDEN, type Problem } from '../api/client.ts';
import type { Asked } from '../api/use.ts';
import { now } from '../live/clock.ts';
import { ago, dateTime, lasting, t, type Key } from '../words/words.ts';
import { Icon, type IconName } from './icon.tsx';

/** The page's title and its heading, which takes the focus after navigation. */
export function Head({ title, lead, crumb, children }: { title: string; lead?: ComponentChildren; crumb?: { href: string; text: string }; children?: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => { document.title = `${title} · Linchpin`; }, [title]);
  useEffect(() => { heading.current?.focus({ preventScroll: true }); }, []);
  return (
    <header class="screen-head">
      <div class="grow">
        {crumb && <div class="crumb"><Icon name="back" size={14} flip /><a href={crumb.href}>{crumb.text}</a></div>}
        <h1 ref={heading} tabIndex={-1} class="wrap-any">{title}</h1>
        {lead && <div class="lead">{lead}</div>}
      </div>
      {children && <div class="row">{children}</div>}
    </header>
  );
}

/** A field with its label, hint and fault. `children` draws the control with these attributes. */
export function Field({ label, hint, fault, children }: { label: string; hint?: string; fault?: string | null; children: (attributes: { id: string; 'aria-describedby'?: string; 'aria-invalid'?: boolean; class: string }) => ComponentChildren }) {
  const id = useId();
  const described = [hint && `${id}-hint`, fault && `${id}-fault`].filter(Boolean).join(' ');
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, class: 'input', ...(described ? { 'aria-describedby': described } : {}), ...(fault ? { 'aria-invalid': true } : {}) })}
      {hint && <span class="hint" id={`${id}-hint`}>{hint}</span>}
      {fault && <span class="fault" id={`${id}-fault`}>{fault}</span>}
    </div>
  );
}

/** The commonest field: one line of text. */
export function Line({ label, value, onValue, hint, fault, ...rest }: {
  label: string; value: string; onValue: (value: string) => void; hint?: string; fault?: string | null;
  name?: string; type?: string; required?: boolean; placeholder?: string; autocomplete?: string; maxLength?: number; inputMode?: 'numeric' | 'decimal' | 'email' | 'text';
  min?: number; max?: number; step?: number | 'any'; readOnly?: boolean; autofocus?: boolean; pattern?: string;
}) {
  return (
    <Field label={label} hint={hint} fault={fault}>
      {(attributes) => <input {...attributes} {...(rest as object)} value={value} onInput={(event) => onValue(event.currentTarget.value)} />}
    </Field>
  );
}

export function Check({ label, checked, onValue, disabled, mixed }: { label: ComponentChildren; checked: boolean; onValue: (on: boolean) => void; disabled?: boolean; mixed?: boolean }) {
  return (
    <label class="check">
      <input type="checkbox" checked={checked} indeterminate={mixed} disabled={disabled} onChange={(event) => onValue(event.currentTarget.checked)} />
      <span>{label}</span>
    </label>
  );
}

/** Pick one of a few. */
export function Segments<T extends string>({ label, value, options, onValue }: { label: string; value: T; options: { value: T; text: string }[]; onValue: (value: T) => void }) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map((option) => (
        <button key={option.value} type="button" aria-pressed={option.value === value} onClick={() => onValue(option.value)}>{option.text}</button>
      ))}
    </div>
  );
}

export function Note({ tone = 'plain', children }: { tone?: 'plain' | 'warning' | 'bad' | 'good' | 'accent'; children: ComponentChildren }) {
  const icons: Record<string, IconName> = { plain: 'about', warning: 'warning', bad: 'fault', good: 'good', accent: 'about' };
  return <div class={`note ${tone}`} role={tone === 'bad' ? 'alert' : undefined}><Icon name={icons[tone]!} size={18} /><div class="grow">{children}</div></div>;
}

/** Online, offline or never seen: a shape and a word. */
export function Presence({ online }: { online: boolean | null }) {
  const word: Key = online === null ? 'presence.never' : online ? 'presence.online' : 'presence.offline';
  return <span class="state"><span class={`dot ${online === null ? 'never' : online ? '' : 'off'}`} />{t(word)}</span>;
}

/** "3 min ago" by the server's time, with the exact time as its title. Redrawn each second without its parent. */
export function Age({ at }: { at: number }) {
  const words = useComputed(() => ago(now.value - at));
  return <time dateTime={new Date(at).toISOString()} title={dateTime(at)} class="nowrap">{words}</time>;
}

/** "for 3 min 5 sec" by the server's time, with its begin as its title. */
export function Lasting({ from }: { from: number }) {
  const words = useComputed(() => t('lasting', { time: lasting(now.value - from) }));
  return <time dateTime={new Date(from).toISOString()} title={dateTime(from)} class="nowrap">{words}</time>;
}

/** Nothing for 200 ms, then the shape of what comes. */
export function Skeleton({ lines = 6 }: { lines?: number }) {
  return <div class="skeleton" role="status"><span class="sr">{t('loading')}</span>{Array.from({ length: lines }, (_, n) => <i key={n} />)}</div>;
}

/** `top`: it stands for a whole screen, so its title is the screen's heading. */
export function Empty({ icon, title, text, tone = '', top, children }: { icon: IconName; title: string; text?: ComponentChildren; tone?: '' | 'bad' | 'neutral'; top?: boolean; children?: ComponentChildren }) {
  useEffect(() => { if (top) document.title = `${title} · Linchpin`; }, [title]);
  return (
    <div class="empty">
      <div class={`sign ${tone}`}><Icon name={icon} size={26} /></div>
      {top ? <h1>{title}</h1> : <h2>{title}</h2>}
      {text && <p>{text}</p>}
      {children && <div class="row">{children}</div>}
    </div>
  );
}

/** Why something failed, what to do, and the details to copy. */
export function Wrong({ problem, again, top }: { problem: Problem; again?: () => void; top?: boolean }) {
  const forbidden = problem.code === FORBIDDEN;
  const missing = problem.status === 404;
  const title: Key = problem.status === 0 ? 'wrong.offline' : forbidden ? 'wrong.forbidden' : missing ? 'wrong.missing' : problem.status === 429 || problem.status === 503 ? 'wrong.busy' : 'wrong.title';
  const text: Key = problem.status === 0 ? 'wrong.offline.text' : forbidden ? 'wrong.forbidden.text' : missing ? 'wrong.missing.text' : problem.status === 429 || problem.status === 503 ? 'wrong.busy.text' : 'wrong.text';
  return (
    <div role="alert">
      <Empty icon={forbidden ? 'lock' : problem.status === 0 ? 'cut' : missing ? 'search' : 'warning'} tone={forbidden || missing ? 'neutral' : 'bad'} title={t(title)} top={top}
        text={<>{problem.status === 403 && !forbidden ? problem.message : t(text)} <span class="mono">{problem.code}</span></>}>
        {again && !forbidden && !missing && <button type="button" class="button primary" onClick={again}>{t('again')}</button>}
        <Copy text={problem.details()} label={t('wrong.copy')} plain />
      </Empty>
    </div>
  );
}

/** What an action left behind when it failed: one line beside the button. */
export function Failed({ problem }: { problem: Problem | null }) {
  if (!problem) return null;
  const text = problem.status === 0 ? t('wrong.offline.text') : problem.code === FORBIDDEN ? t('wrong.forbidden.text') : problem.message;
  return <Note tone="bad"><p>{text}</p><p class="small mono">{problem.code}{problem.field ? ` · ${problem.field}` : ''}</p></Note>;
}

/** Draws what was asked, in each of its states. An old answer stays visible while a newer one is under way. */
export function Loaded<T>({ asked, lines, children }: { asked: Asked<T>; lines?: number; children: (body: T) => ComponentChildren }) {
  const body = asked.body.value;
  const problem = asked.problem.value;
  if (body === null) return problem ? <Wrong problem={problem} again={() => void asked.again()} /> : <Skeleton lines={lines} />;
  return <>{problem && <Failed problem={problem} />}{children(body)}</>;
}

const toasts = signal<{ id: number; text: string; action?: { text: string; run: () => void } }[]>([]);
let nextToast = 1;
/** Say what was done. Never for errors: those stay where they happened. */
export function toast(text: string, action?: { text: string; run: () => void }): void {
  const id = nextToast++;
  toasts.value = [...toasts.peek().slice(-2), { id, text, action }];
  setTimeout(() => { toasts.value = toasts.peek().filter((one) => one.id !== id); }, action ? 10_000 : 4_000);
}
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((one) => (
        <div class="toast" key={one.id}>
          <span>{one.text}</span>
          {one.action && <button type="button" onClick={() => { one.action!.run(); toasts.value = toasts.peek().filter((other) => other.id !== one.id); }}>{one.action.text}</button>}
        </div>
      ))}
    </div>
  );
}

/** Said to screen readers only, such as where a widget has moved to. */
const announcement = signal('');
export const announce = (text: string): void => { announcement.value = text; };
export const Announcer = () => <div class="sr" aria-live="assertive">{announcement.value}</div>;

/** Copy a text. The clipboard is absent on plain HTTP in a local network: then the text is selected instead. */
export function Copy({ text, label, plain }: { text: string; label?: string; plain?: boolean }) {
  const done = useSignal(false);
  const copy = async () => {
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement('textarea');
      area.value = text;
      area.className = 'sr';
      document.body.append(area);
      area.select();
      document.execCommand('copy');
      area.remove();
    }
    done.value = true;
    setTimeout(() => { done.value = false; }, 1_500);
  };
  const words = done.value ? t('copied') : (label ?? t('copy'));
  return (
    <button type="button" class={`button small ${plain ? '' : 'icon'} ${plain ? '' : 'quiet'}`} aria-label={words} title={words} onClick={() => void copy()}>
      <Icon name={done.value ? 'check' : 'copy'} size={16} />{plain && <span>{words}</span>}
    </button>
  );
}

/** A secret or an address to copy. */
export function Secret({ text, label }: { text: string; label: string }) {
  return <div class="secret"><span>{text}</span><Copy text={text} label={label} /></div>;
}
