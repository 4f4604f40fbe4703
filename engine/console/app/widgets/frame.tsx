// The frame of a widget: its title, how old its value is, and what happened to the last write.
import type { ComponentChildren } from 'preact';
import { useComputed } from '@preact/signals';
import { eyes } from '../eyes.ts';
import { now } from '../live/clock.ts';
import { link } from '../live/socket.ts';
import type { Reading } from '../live/store.ts';
import type { Signal } from '@preact/signals';
import { Icon } from '../parts/icon.tsx';
import { codeName } from '../words/ends.ts';
import { ago, dateTime, t } from '../words/words.ts';
import type { Control } from './control.ts';

/** A value without a rule of its own is old after this time, ms. */
const OLD_MS = 15 * 60_000;

/** "3 min ago" when the value is older than it should be; nothing while it is fresh. */
export function Staleness({ reading, stale_after_ms }: { reading: Signal<Reading>; stale_after_ms: number | null }) {
  const words = useComputed(() => {
    const at = reading.value.at_ms;
    if (at === 0) return '';
    const age = now.value - at;
    return age > (stale_after_ms ?? OLD_MS) ? ago(age) : '';
  });
  if (!words.value) return null;
  return <span class="age" title={dateTime(reading.peek().at_ms)}><Icon name="clock" size={13} />{words}</span>;
}

export function ControlLine({ control }: { control: Control }) {
  const state = control.state.value;
  // Without a value the widget itself says so.
  if (state === 'known' || state === 'unknown') return null;
  const code = control.code.value;
  const text = state === 'pending' ? t('control.pending') : state === 'kept' ? t('control.kept') : eyes.value ? t('viewas.readonly') : link.value !== 'live' ? t('control.nolink') : code ? t('control.refused', { reason: codeName(code) }) : t('control.noanswer');
  return <span class={`control-line ${state}`} role={state === 'refused' ? 'alert' : 'status'}>{text}</span>;
}

export function Frame({ title, id, children, reading, stale_after_ms = null, control, kind }: {
  title: string; id: string; children: ComponentChildren; reading?: Signal<Reading>; stale_after_ms?: number | null; control?: Control; kind: string;
}) {
  return (
    <article class={`widget k-${kind}`} aria-labelledby={`${id}-title`}>
      <header><h2 id={`${id}-title`} class="clip" title={title}>{title}</h2>{reading && <Staleness reading={reading} stale_after_ms={stale_after_ms} />}</header>
      <div class="widget-body">{children}</div>
      {control && <ControlLine control={control} />}
    </article>
  );
}
