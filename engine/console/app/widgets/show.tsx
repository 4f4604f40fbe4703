// Widgets that show: value, gauge, level, lamp, table, image, note.
import { asNumber, propertiesOf, reading } from '../live/store.ts';
import { pinName, pinNumber } from '../live/messages.ts';
import type { Stream } from '../api/types.ts';
import type { Widget } from '../layout/layout.ts';
import { Age } from '../parts/basic.tsx';
import { number, t } from '../words/words.ts';
import { bind, isOn, share, shown, tone, type Bound } from './bind.ts';
import { Frame } from './frame.tsx';

export interface WidgetProps { device: number; widget: Widget; streams: Stream[] }

/** The pin of a widget with all that is known of it. */
export function usePin({ device, widget, streams }: WidgetProps, n = 0) {
  const pin = pinNumber(widget.pins[n] ?? '') ?? 0;
  const bound = bind(widget, streams, propertiesOf(device, pin).value, n);
  return { pin, bound, cell: reading(device, pin) };
}

function Figure({ text, bound, known, band }: { text: string; bound: Bound; known: boolean; band: string | null }) {
  if (!known) return <span class="figure unknown">{t('value.none')}</span>;
  return <span class={`figure tabular ${band ? `tone-${band}` : ''}`}>{text}{bound.unit && <span class="unit">{bound.unit}</span>}{band && band !== 'good' && <span class="sr">{t(band === 'bad' ? 'tone.bad' : 'tone.warning')}</span>}</span>;
}

export function ValueWidget(props: WidgetProps) {
  const { bound, cell } = usePin(props);
  const now = cell.value;
  return (
    <Frame kind="value" id={props.widget.id} title={bound.title} reading={cell} stale_after_ms={bound.stale_after_ms}>
      <Figure text={shown(now.value, bound)} bound={bound} known={now.at_ms > 0} band={tone(asNumber(now.value), bound.bands)} />
    </Frame>
  );
}

const ARC = 2 * Math.PI * 42 * (240 / 360);

export function Gauge(props: WidgetProps) {
  const { bound, cell } = usePin(props);
  const now = cell.value;
  const n = asNumber(now.value);
  const known = now.at_ms > 0 && n !== null;
  const band = tone(n, bound.bands);
  return (
    <Frame kind="gauge" id={props.widget.id} title={bound.title} reading={cell} stale_after_ms={bound.stale_after_ms}>
      <div class="gauge-box" role="meter" aria-labelledby={`${props.widget.id}-title`} aria-valuemin={bound.min} aria-valuemax={bound.max} aria-valuenow={known ? Math.min(bound.max, Math.max(bound.min, n)) : bound.min} aria-valuetext={known ? `${shown(now.value, bound)} ${bound.unit}` : t('value.none')}>
        <svg viewBox="0 0 100 80" class={`dial ${known ? '' : 'unknown'}`} aria-hidden="true">
          <path class="track" d="M13.63 71A42 42 0 1 1 86.37 71" />
          {known && <path class={`fill ${band ? `tone-${band}` : ''}`} d="M13.63 71A42 42 0 1 1 86.37 71" stroke-dasharray={`${(share(n, bound) * ARC).toFixed(1)} 999`} />}
        </svg>
        <div class="dial-text" aria-hidden="true"><Figure text={shown(now.value, bound)} bound={bound} known={known} band={band} /></div>
        <div class="dial-ends tabular" aria-hidden="true"><span>{number(bound.min)}</span><span>{number(bound.max)}</span></div>
      </div>
    </Frame>
  );
}

export function Level(props: WidgetProps) {
  const { bound, cell } = usePin(props);
  const now = cell.value;
  const n = asNumber(now.value);
  const known = now.at_ms > 0 && n !== null;
  const band = tone(n, bound.bands);
  return (
    <Frame kind="level" id={props.widget.id} title={bound.title} reading={cell} stale_after_ms={bound.stale_after_ms}>
      <Figure text={shown(now.value, bound)} bound={bound} known={known} band={band} />
      <div class={`levelbar ${known ? '' : 'unknown'}`} role="meter" aria-labelledby={`${props.widget.id}-title`} aria-valuemin={bound.min} aria-valuemax={bound.max} aria-valuenow={known ? Math.min(bound.max, Math.max(bound.min, n)) : bound.min} aria-valuetext={known ? `${shown(now.value, bound)} ${bound.unit}` : t('value.none')}>
        {known && <i class={band ? `tone-${band}` : ''} ref={(bar) => { if (bar) bar.style.inlineSize = `${share(n, bound) * 100}%`; }} />}
      </div>
      <div class="ends tabular" aria-hidden="true"><span>{number(bound.min)}</span><span>{number(bound.max)}</span></div>
    </Frame>
  );
}

export function Led(props: WidgetProps) {
  const { bound, cell } = usePin(props);
  const now = cell.value;
  const known = now.at_ms > 0;
  const on = known && isOn(now.value);
  return (
    <Frame kind="led" id={props.widget.id} title={bound.title} reading={cell} stale_after_ms={bound.stale_after_ms}>
      <span class="lamp-line"><span class={`lamp ${known ? (on ? 'on' : '') : 'unknown'}`} aria-hidden="true" /><strong>{known ? (on ? (bound.onText ?? t('on')) : (bound.offText ?? t('off'))) : t('value.none')}</strong></span>
    </Frame>
  );
}

function PinRow({ device, pin, streams, widget }: { device: number; pin: number; streams: Stream[]; widget: Widget }) {
  const cell = reading(device, pin);
  const bound = bind({ ...widget, title: null, unit: null, decimals: null, pins: [pinName(pin)] }, streams, propertiesOf(device, pin).value);
  const now = cell.value;
  return (
    <tr>
      <td class="mono muted">{pinName(pin)}</td>
      <td>{bound.title === pinName(pin) ? <span class="muted">{'–'}</span> : bound.title}</td>
      <td class="num">{now.at_ms > 0 ? shown(now.value, bound) : t('value.none')}{now.at_ms > 0 && bound.unit && <span class="unit">{bound.unit}</span>}</td>
      <td class="muted end">{now.at_ms > 0 ? <Age at={now.at_ms} /> : ''}</td>
    </tr>
  );
}

/** Latest values of pins: of those that are named, else of all the template's. */
export function ValueTable({ device, pins, streams, widget, label }: { device: number; pins: number[]; streams: Stream[]; widget: Widget; label: string }) {
  return (
    <div class="table-wrap" tabIndex={0} role="group" aria-label={label}>
      <table class="table compact">
        <thead><tr><th>{t('pin')}</th><th>{t('name')}</th><th class="num">{t('devices.value')}</th><th class="end">{t('age')}</th></tr></thead>
        <tbody>{pins.map((pin) => <PinRow key={pin} device={device} pin={pin} streams={streams} widget={widget} />)}</tbody>
      </table>
    </div>
  );
}

export function TableWidget(props: WidgetProps) {
  const { widget, streams } = props;
  const pins = (widget.pins.length ? widget.pins : streams.map((one) => one.pin)).map((pin) => pinNumber(pin)).filter((pin): pin is number => pin !== null);
  const title = widget.title ?? t('kind.table');
  return <Frame kind="table" id={widget.id} title={title}><ValueTable device={props.device} pins={pins} streams={streams} widget={widget} label={title} /></Frame>;
}

/** Only images of this server, until its operator allows others: the page's policy refuses them anyway. */
export function ImageWidget(props: WidgetProps) {
  const { bound, cell } = usePin(props);
  const text = typeof cell.value.value === 'string' && cell.value.value ? cell.value.value : (bound.url ?? String(props.widget.options.url ?? ''));
  const url = text && URL.canParse(text, location.href) ? new URL(text, location.href) : null;
  const allowed = url !== null && url.origin === location.origin && !url.pathname.startsWith('/api/');
  return (
    <Frame kind="image" id={props.widget.id} title={bound.title || t('kind.image')}>
      {allowed ? <img src={url.href} alt={bound.title} loading="lazy" /> : <p class="muted small">{url ? t('image.refused', { origin: url.host }) : t('image.none')}</p>}
    </Frame>
  );
}

export function NoteWidget({ widget }: WidgetProps) {
  return <Frame kind="note" id={widget.id} title={widget.title ?? t('kind.note')}><p class="plain">{String(widget.options.text ?? '')}</p></Frame>;
}

export function UnknownWidget({ widget }: WidgetProps) {
  return <Frame kind="unknown" id={widget.id} title={widget.title ?? widget.kind}><p class="muted small">{t('kind.unknown', { kind: widget.kind })}</p></Frame>;
}
