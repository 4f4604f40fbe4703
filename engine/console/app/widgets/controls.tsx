// Widgets that write: switch, button, slider, number, choice, text, terminal.
import { useEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { serverNow } from '../live/clock.ts';
import { asNumber, asText, onValue } from '../live/store.ts';
import { link } from '../live/socket.ts';
import { Confirm } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { time, t } from '../words/words.ts';
import { isOn, share, shown } from './bind.ts';
import { useControl } from './control.ts';
import { Frame } from './frame.tsx';
import { usePin, type WidgetProps } from './show.tsx';

interface Steered extends WidgetProps { mayControl: boolean }

function useSteered(props: Steered) {
  const { pin, bound } = usePin(props);
  const control = useControl(props.device, pin);
  const asking = useSignal<(() => void) | null>(null);
  const disabled = !props.mayControl || bound.isDisabled || !bound.writable || link.value !== 'live';
  /** Run at once, or after the person has confirmed. */
  const guarded = (run: () => void) => { if (props.widget.confirm) asking.value = run; else run(); };
  const question = asking.value && (
    <Confirm danger={false} title={t('confirm.title', { name: bound.title })} text={t('confirm.text')} action={t('confirm.yes')}
      onClose={() => { asking.value = null; }} onYes={() => { const run = asking.value; asking.value = null; run?.(); }} />
  );
  return { pin, bound, control, disabled, guarded, question };
}

const onOf = (props: Steered): string => String(props.widget.options.on ?? '1');
const offOf = (props: Steered): string => String(props.widget.options.off ?? '0');

export function Switch(props: Steered) {
  const { bound, control, disabled, guarded, question } = useSteered(props);
  const state = control.state.value;
  const now = control.reading.value;
  const on = state !== 'unknown' && isOn(state === 'pending' || state === 'kept' ? control.wish.value : now.value);
  const unknown = now.at_ms === 0 && state !== 'pending' && state !== 'kept';
  return (
    <Frame kind="switch" id={props.widget.id} title={bound.title} reading={control.reading} stale_after_ms={bound.stale_after_ms} control={control}>
      <button type="button" role="switch" class={`toggle ${unknown ? 'unknown' : ''} ${state}`} aria-checked={on} aria-labelledby={`${props.widget.id}-title`} aria-disabled={disabled} aria-busy={state === 'pending'}
        onClick={() => { if (!disabled) guarded(() => control.send(on ? offOf(props) : onOf(props))); }}>
        <span class="thumb" aria-hidden="true" />
      </button>
      <strong class={`toggle-text ${unknown ? 'unknown' : ''}`}>{unknown ? t('value.none') : on ? (bound.onText ?? t('on')) : (bound.offText ?? t('off'))}</strong>
      {question}
    </Frame>
  );
}

export function Push(props: Steered) {
  const { bound, control, disabled, guarded, question } = useSteered(props);
  const held = useSignal(false);
  const words = String(props.widget.options.text ?? bound.onText ?? t('push'));
  const press = () => { if (disabled || held.value || props.widget.confirm) return; held.value = true; control.send(onOf(props)); };
  const release = () => { if (!held.value) return; held.value = false; control.send(offOf(props)); };
  const key = (event: KeyboardEvent) => event.key === ' ' || event.key === 'Enter';
  return (
    <Frame kind="button" id={props.widget.id} title={bound.title} control={control}>
      <button type="button" class={`push ${held.value ? 'held' : ''} ${control.state.value}`} aria-disabled={disabled} aria-pressed={held.value} aria-label={`${words}, ${bound.title}`}
        onPointerDown={press} onPointerUp={release} onPointerCancel={release} onPointerLeave={release} onBlur={release}
        onKeyDown={(event) => { if (key(event) && !event.repeat) { event.preventDefault(); press(); } }} onKeyUp={(event) => { if (key(event)) release(); }}
        onClick={() => { if (!disabled && props.widget.confirm) guarded(() => { control.send(onOf(props)); control.send(offOf(props)); }); }}>
        {words}
      </button>
      {question}
    </Frame>
  );
}

export function Slider(props: Steered) {
  const { bound, control, disabled, question, guarded } = useSteered(props);
  const dragged = useSignal<number | null>(null);
  const now = control.reading.value;
  const state = control.state.value;
  const reported = asNumber(state === 'pending' || state === 'kept' ? control.wish.value : now.value);
  const n = dragged.value ?? reported;
  const step = Number(props.widget.options.step ?? (bound.decimals ? 10 ** -bound.decimals : 1));
  const send = (value: number) => { dragged.value = null; guarded(() => control.send(String(value))); };
  const fill = (input: HTMLInputElement | null) => { input?.style.setProperty('--share', `${n === null ? 0 : share(n, bound) * 100}%`); };
  return (
    <Frame kind="slider" id={props.widget.id} title={bound.title} reading={control.reading} stale_after_ms={bound.stale_after_ms} control={control}>
      <span class={`figure small tabular ${n === null ? 'unknown' : ''}`}>{n === null ? t('value.none') : shown(String(n), bound)}{n !== null && bound.unit && <span class="unit">{bound.unit}</span>}</span>
      <input type="range" ref={fill} class={`range ${n === null ? 'unknown' : ''} ${state}`} min={bound.min} max={bound.max} step={step} value={n ?? bound.min} disabled={disabled} aria-labelledby={`${props.widget.id}-title`}
        aria-valuetext={n === null ? t('value.none') : `${shown(String(n), bound)} ${bound.unit}`.trim()}
        onInput={(event) => { dragged.value = Number(event.currentTarget.value); }} onChange={(event) => send(Number(event.currentTarget.value))} />
      {question}
    </Frame>
  );
}

export function NumberWidget(props: Steered) {
  const { bound, control, disabled, guarded, question } = useSteered(props);
  const typed = useSignal<string | null>(null);
  const now = control.reading.value;
  const step = Number(props.widget.options.step ?? (bound.decimals ? 10 ** -bound.decimals : 1));
  const n = asNumber(now.value);
  const send = (value: number) => {
    if (!Number.isFinite(value)) return;
    typed.value = null;
    const clamped = Math.min(bound.max, Math.max(bound.min, Number(value.toFixed(9))));
    guarded(() => control.send(String(clamped)));
  };
  return (
    <Frame kind="number" id={props.widget.id} title={bound.title} reading={control.reading} stale_after_ms={bound.stale_after_ms} control={control}>
      <form class="stepper" onSubmit={(event) => { event.preventDefault(); if (typed.value !== null) send(Number(typed.value)); }}>
        <button type="button" class="button icon" disabled={disabled || n === null} aria-label={t('number.less', { name: bound.title })} onClick={() => send((n ?? 0) - step)}>{'−'}</button>
        <input class="input tabular" inputMode="decimal" aria-label={bound.title} placeholder={now.at_ms === 0 ? t('value.none') : ''} disabled={disabled} value={typed.value ?? (now.at_ms > 0 ? asText(now.value) : '')}
          onInput={(event) => { typed.value = event.currentTarget.value; }} onBlur={() => { typed.value = null; }} />
        <button type="button" class="button icon" disabled={disabled || n === null} aria-label={t('number.more', { name: bound.title })} onClick={() => send((n ?? 0) + step)}>{'+'}</button>
      </form>
      {question}
    </Frame>
  );
}

/** Segments for a few options, a menu for more. */
const SEGMENTS = 5;

export function Choice(props: Steered) {
  const { bound, control, disabled, guarded, question } = useSteered(props);
  const state = control.state.value;
  const given = Array.isArray(props.widget.options.items) ? (props.widget.options.items as { value: unknown; text: unknown }[]).map((one) => ({ value: String(one?.value), text: String(one?.text) })) : [];
  const items = given.length ? given : bound.labels;
  const chosen = state === 'unknown' ? null : asText(state === 'pending' || state === 'kept' ? control.wish.value : control.reading.value.value);
  const send = (value: string) => { if (!disabled) guarded(() => control.send(value)); };
  return (
    <Frame kind="choice" id={props.widget.id} title={bound.title} reading={control.reading} stale_after_ms={bound.stale_after_ms} control={control}>
      {items.length === 0 ? <p class="muted small">{t('choice.none')}</p> : items.length <= SEGMENTS ? (
        <div class={`segments ${state}`} role="radiogroup" aria-labelledby={`${props.widget.id}-title`}>
          {items.map((one) => <button key={one.value} type="button" role="radio" aria-checked={one.value === chosen} aria-disabled={disabled} onClick={() => send(one.value)}>{one.text}</button>)}
        </div>
      ) : (
        <select class="input" aria-labelledby={`${props.widget.id}-title`} disabled={disabled} value={chosen ?? ''} onChange={(event) => send(event.currentTarget.value)}>
          {chosen === null && <option value="">{t('value.none')}</option>}
          {items.map((one) => <option key={one.value} value={one.value}>{one.text}</option>)}
        </select>
      )}
      {question}
    </Frame>
  );
}

export function TextWidget(props: Steered) {
  const { bound, control, disabled, guarded, question } = useSteered(props);
  const typed = useSignal('');
  const now = control.reading.value;
  const send = (event: Event) => { event.preventDefault(); if (disabled || !typed.value) return; const text = typed.value; typed.value = ''; guarded(() => control.send(text)); };
  return (
    <Frame kind="text" id={props.widget.id} title={bound.title} reading={control.reading} stale_after_ms={bound.stale_after_ms} control={control}>
      <p class={`text-value ${now.at_ms === 0 ? 'unknown' : ''}`}>{now.at_ms === 0 ? t('value.none') : shown(now.value, bound)}</p>
      {props.mayControl && bound.writable && (
        <form class="row tight nowrap-row" onSubmit={send}>
          <input class="input small grow" aria-label={t('text.new', { name: bound.title })} value={typed.value} maxLength={1_024} disabled={disabled} onInput={(event) => { typed.value = event.currentTarget.value; }} />
          <button type="submit" class="button small icon" disabled={disabled || !typed.value} aria-label={t('send')}><Icon name="up" size={16} /></button>
        </form>
      )}
      {question}
    </Frame>
  );
}

/** Lines that a terminal shows; the oldest give way. */
const LINES = 200;

export function Terminal(props: Steered) {
  const { pin, bound, control, disabled } = useSteered(props);
  const lines = useSignal<{ at_ms: number; text: string; mine: boolean }[]>([]);
  const typed = useSignal('');
  const box = useRef<HTMLDivElement>(null);
  const put = (at_ms: number, text: string, mine: boolean) => {
    lines.value = [...lines.peek(), { at_ms, text, mine }].slice(-LINES);
    requestAnimationFrame(() => { const area = box.current; if (area && area.scrollHeight - area.scrollTop - area.clientHeight < 80) area.scrollTop = area.scrollHeight; });
  };
  useEffect(() => {
    const now = control.reading.peek();
    if (now.at_ms > 0) put(now.at_ms, asText(now.value), false);
    return onValue((device, at, reading) => { if (device === props.device && at === pin) put(reading.at_ms, asText(reading.value), false); });
  }, [props.device, pin]);
  const send = (event: Event) => { event.preventDefault(); if (disabled || !typed.value) return; put(serverNow(), typed.value, true); control.send(typed.value); typed.value = ''; };
  return (
    <Frame kind="terminal" id={props.widget.id} title={bound.title} control={control}>
      <div ref={box} class="term" role="log" aria-label={bound.title} tabIndex={0}>
        {lines.value.length === 0 && <p class="muted">{t('terminal.empty')}</p>}
        {lines.value.map((line, n) => <p key={n} class={line.mine ? 'mine' : ''}><time>{time(line.at_ms)}</time>{line.text}</p>)}
      </div>
      {props.mayControl && bound.writable && <form class="row tight nowrap-row" onSubmit={send}><input class="input small grow mono" aria-label={t('text.new', { name: bound.title })} value={typed.value} maxLength={1_024} disabled={disabled} onInput={(event) => { typed.value = event.currentTarget.value; }} /><button type="submit" class="button small" disabled={disabled || !typed.value}>{t('send')}</button></form>}
    </Frame>
  );
}

