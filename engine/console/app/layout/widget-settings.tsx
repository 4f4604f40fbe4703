// Settings of one widget: what is left empty comes from the datastream.
import { useSignal } from '@preact/signals';
import type { Stream } from '../api/types.ts';
import { Check, Field, Line } from '../parts/basic.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { t, type Key } from '../words/words.ts';
import { isKind, KINDS, SHAPES, type Band, type Tone, type Widget } from './layout.ts';

const orNull = (text: string): number | null => (text.trim() === '' || !Number.isFinite(Number(text)) ? null : Number(text));
const NUMERIC = ['value', 'gauge', 'level', 'slider', 'number', 'chart'];

function Bands({ bands, onValue }: { bands: Band[]; onValue: (bands: Band[]) => void }) {
  const set = (at: number, parts: Partial<Band>) => onValue(bands.map((band, n) => (n === at ? { ...band, ...parts } : band)));
  return (
    <fieldset class="field">
      <legend>{t('widget.bands')}</legend>
      <div class="bands">
        {bands.map((band, n) => (
          <div class="row tight nowrap-row" key={n}>
            <input class="input small" type="number" step="any" aria-label={t('widget.band.from')} value={band.from} onInput={(event) => set(n, { from: Number(event.currentTarget.value) })} />
            <select class="input small" aria-label={t('widget.band.tone')} value={band.tone} onChange={(event) => set(n, { tone: event.currentTarget.value as Tone })}>
              {(['good', 'warning', 'bad'] as Tone[]).map((tone) => <option key={tone} value={tone}>{t(`widget.tone.${tone}`)}</option>)}
            </select>
            <button type="button" class="button small icon quiet" aria-label={t('remove')} onClick={() => onValue(bands.filter((_, at) => at !== n))}><Icon name="close" size={16} /></button>
          </div>
        ))}
        {bands.length < 8 && <div><button type="button" class="button small" onClick={() => onValue([...bands, { from: (bands.at(-1)?.from ?? 0) + 10, tone: 'warning' }])}><Icon name="plus" size={16} />{t('widget.band.add')}</button></div>}
      </div>
    </fieldset>
  );
}

function Pins({ widget, streams, onValue }: { widget: Widget; streams: Stream[]; onValue: (pins: string[]) => void }) {
  const most = isKind(widget.kind) ? SHAPES[widget.kind].pins : 8;
  if (most === 0) return null;
  if (most === 1) {
    return (
      <Field label={t('widget.stream')}>
        {(attributes) => (
          <select {...attributes} value={widget.pins[0] ?? ''} onChange={(event) => onValue(event.currentTarget.value ? [event.currentTarget.value] : [])}>
            <option value="">{t('choose')}</option>
            {streams.map((one) => <option key={one.pin} value={one.pin}>{`${one.pin} · ${one.name}`}</option>)}
          </select>
        )}
      </Field>
    );
  }
  return (
    <fieldset class="field">
      <legend>{t('widget.streams', { n: most })}</legend>
      {streams.map((one) => <Check key={one.pin} label={`${one.pin} · ${one.name}`} checked={widget.pins.includes(one.pin)} disabled={!widget.pins.includes(one.pin) && widget.pins.length >= most} onValue={(on) => onValue(on ? [...widget.pins, one.pin] : widget.pins.filter((pin) => pin !== one.pin))} />)}
    </fieldset>
  );
}

export function WidgetSettings({ widget, streams, onChange, onClose }: { widget: Widget; streams: Stream[]; onChange: (parts: Partial<Widget>) => void; onClose: () => void }) {
  // The dialog edits a copy: one step of undo for all of it.
  const draft = useSignal(widget);
  const set = (parts: Partial<Widget>) => { draft.value = { ...draft.value, ...parts }; };
  const option = (name: string, value: unknown) => set({ options: { ...draft.value.options, [name]: value } });
  const one = draft.value;
  const stream = streams.find((s) => s.pin === one.pins[0]);
  const writes = ['switch', 'button', 'slider', 'number', 'choice', 'text', 'terminal'].includes(one.kind);
  const done = () => { if (JSON.stringify(one) !== JSON.stringify(widget)) onChange(one); onClose(); };
  return (
    <Dialog title={t('edit.settings')} onClose={onClose} foot={<><button type="button" class="button" onClick={onClose}>{t('cancel')}</button><button type="button" class="button primary" onClick={done}>{t('apply')}</button></>}>
      <Field label={t('widget.kind')}>
        {(attributes) => (
          <select {...attributes} value={one.kind} onChange={(event) => set({ kind: event.currentTarget.value })}>
            {!isKind(one.kind) && <option value={one.kind}>{one.kind}</option>}
            {KINDS.map((kind) => <option key={kind} value={kind}>{t(`kind.${kind}` as Key)}</option>)}
          </select>
        )}
      </Field>
      <Pins widget={one} streams={streams} onValue={(pins) => set({ pins })} />
      <Line label={t('widget.title')} value={one.title ?? ''} placeholder={stream?.name ?? ''} maxLength={64} onValue={(v) => set({ title: v || null })} />
      {NUMERIC.includes(one.kind) && (
        <div class="form two">
          <Line label={t('stream.unit')} value={one.unit ?? ''} placeholder={stream?.unit ?? ''} maxLength={16} onValue={(v) => set({ unit: v || null })} />
          <Line label={t('stream.decimals')} inputMode="numeric" value={one.decimals === null ? '' : String(one.decimals)} placeholder={stream?.decimals?.toString() ?? ''} onValue={(v) => set({ decimals: orNull(v) })} />
          <Line label={t('stream.min')} inputMode="decimal" value={one.min === null ? '' : String(one.min)} placeholder={stream?.min?.toString() ?? ''} onValue={(v) => set({ min: orNull(v) })} />
          <Line label={t('stream.max')} inputMode="decimal" value={one.max === null ? '' : String(one.max)} placeholder={stream?.max?.toString() ?? ''} onValue={(v) => set({ max: orNull(v) })} />
        </div>
      )}
      {['value', 'gauge', 'level'].includes(one.kind) && <Bands bands={one.bands} onValue={(bands) => set({ bands })} />}
      {one.kind === 'note' && <Field label={t('kind.text')}>{(attributes) => <textarea {...attributes} maxLength={1_500} value={String(one.options.text ?? '')} onInput={(event) => option('text', event.currentTarget.value)} />}</Field>}
      {one.kind === 'image' && <Line label={t('widget.url')} value={String(one.options.url ?? '')} onValue={(v) => option('url', v)} maxLength={512} />}
      {one.kind === 'button' && <Line label={t('widget.text')} value={String(one.options.text ?? '')} onValue={(v) => option('text', v)} maxLength={32} />}
      {(one.kind === 'switch' || one.kind === 'button') && (
        <div class="form two">
          <Line label={t('widget.on')} value={String(one.options.on ?? '1')} onValue={(v) => option('on', v)} maxLength={64} />
          <Line label={t('widget.off')} value={String(one.options.off ?? '0')} onValue={(v) => option('off', v)} maxLength={64} />
        </div>
      )}
      {writes && <Check label={t('widget.confirm')} checked={one.confirm} onValue={(confirm) => set({ confirm })} />}
      <Check label={t('widget.hidden')} checked={one.phone.hidden} onValue={(hidden) => set({ phone: { ...one.phone, hidden } })} />
    </Dialog>
  );
}
