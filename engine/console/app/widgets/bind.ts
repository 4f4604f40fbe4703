// What a widget shows of a pin: the device's own properties first, then the layout, then the template.
import type { Stream } from '../api/types.ts';
import type { Band, Tone, Widget } from '../layout/layout.ts';
import { asNumber, asText, type Properties } from '../live/store.ts';
import type { Value } from '../live/messages.ts';
import { number } from '../words/words.ts';

export interface Bound {
  pin: string; title: string; unit: string; min: number; max: number; decimals: number | null; bands: Band[];
  labels: { value: string; text: string }[]; isDisabled: boolean; onText: string | null; offText: string | null; url: string | null; stale_after_ms: number | null; writable: boolean;
}

const finite = (text: string | undefined): number | null => { const n = text === undefined ? null : asNumber(text); return n; };

/** The attributes of the widget's pin number `n`. */
export function bind(widget: Widget, streams: Stream[], properties: Properties, n = 0): Bound {
  const pin = widget.pins[n] ?? '';
  const stream = streams.find((one) => one.pin === pin);
  const options = properties.labels?.split(', ').map((text, at) => ({ value: String(at), text }));
  return {
    pin,
    title: (n === 0 ? (properties.label ?? widget.title) : properties.label) ?? stream?.name ?? pin,
    unit: widget.unit ?? stream?.unit ?? '',
    min: finite(properties.min) ?? widget.min ?? stream?.min ?? 0,
    max: finite(properties.max) ?? widget.max ?? stream?.max ?? 100,
    decimals: widget.decimals ?? stream?.decimals ?? null,
    bands: widget.bands,
    labels: options ?? stream?.labels ?? [],
    isDisabled: properties.isDisabled === '1' || properties.isDisabled === 'true',
    onText: properties.onLabel ?? null, offText: properties.offLabel ?? null,
    url: properties.url ?? properties.urls ?? null,
    stale_after_ms: stream?.stale_after_s ? stream.stale_after_s * 1_000 : null,
    writable: stream?.writable ?? true,
  };
}

/** A value as its widget writes it: a label, a number with its decimals, or the text as it is. */
export function shown(value: Value, bound: Bound): string {
  const text = asText(value);
  const label = bound.labels.find((one) => one.value === text);
  if (label) return label.text;
  const n = asNumber(value);
  if (n === null) return text;
  return bound.decimals === null ? (typeof value === 'string' && !/e/i.test(value) && Math.abs(n) < 10_000 ? value : number(n)) : number(n, bound.decimals);
}

/** Where in the range a number lies, 0 to 1. */
export function share(n: number, bound: Bound): number {
  return bound.max === bound.min ? 0 : Math.min(1, Math.max(0, (n - bound.min) / (bound.max - bound.min)));
}

/** The tone of the last band that begins at or below a number. */
export function tone(n: number | null, bands: Band[]): Tone | null {
  if (n === null) return null;
  let found: Tone | null = null;
  let from = -Infinity;
  for (const band of bands) if (band.from <= n && band.from >= from) { found = band.tone; from = band.from; }
  return found;
}

/** On or off, for switches and lamps: zero, empty and false are off. */
export const isOn = (value: Value): boolean => { const n = asNumber(value); return n !== null ? n !== 0 : !['', 'off', 'false', 'low'].includes(asText(value).toLowerCase()); };
