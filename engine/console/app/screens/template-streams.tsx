// Datastreams of a template: a table, and one form for one of them.
import { useSignal, type Signal } from '@preact/signals';
import type { Stream, StreamKind, Template } from '../api/types.ts';
import { Check, Empty, Field, Line } from '../parts/basic.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { number, t, type Key } from '../words/words.ts';

const KINDS: StreamKind[] = ['integer', 'double', 'string', 'enumeration', 'location'];
const orNull = (text: string): number | null => (text.trim() === '' || !Number.isFinite(Number(text)) ? null : Number(text));

const fresh = (streams: Stream[]): Stream => {
  const used = new Set(streams.map((one) => one.pin));
  const free = Array.from({ length: 256 }, (_, n) => `V${n}`).find((pin) => !used.has(pin)) ?? 'V255';
  return { pin: free, name: '', alias: '', kind: 'double', unit: null, min: 0, max: 100, decimals: null, default: null, labels: [], stale_after_s: null, hidden: false, writable: false };
};

function Labels({ stream, onValue }: { stream: Stream; onValue: (labels: Stream['labels']) => void }) {
  const set = (at: number, parts: Partial<Stream['labels'][number]>) => onValue(stream.labels.map((one, n) => (n === at ? { ...one, ...parts } : one)));
  return (
    <fieldset class="field">
      <legend>{t('stream.labels')}</legend>
      <div class="bands">
        {stream.labels.map((one, n) => (
          <div class="row tight nowrap-row" key={n}>
            <input class="input small" aria-label={t('stream.label.value')} value={one.value} onInput={(event) => set(n, { value: event.currentTarget.value })} />
            <input class="input small" aria-label={t('stream.label.text')} value={one.text} onInput={(event) => set(n, { text: event.currentTarget.value })} />
            <button type="button" class="button small icon quiet" aria-label={t('remove')} onClick={() => onValue(stream.labels.filter((_, at) => at !== n))}><Icon name="close" size={16} /></button>
          </div>
        ))}
        <div><button type="button" class="button small" onClick={() => onValue([...stream.labels, { value: String(stream.labels.length), text: '' }])}><Icon name="plus" size={16} />{t('stream.label.add')}</button></div>
      </div>
    </fieldset>
  );
}

function StreamForm({ stream, taken, onSave, onRemove, onClose }: { stream: Stream; taken: string[]; onSave: (stream: Stream) => void; onRemove: (() => void) | null; onClose: () => void }) {
  const draft = useSignal(stream);
  const one = draft.value;
  const set = (parts: Partial<Stream>) => { draft.value = { ...draft.value, ...parts }; };
  const pinFault = !/^V(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/.test(one.pin) ? t('stream.pin.wrong') : taken.includes(one.pin) ? t('stream.pin.taken') : null;
  const rangeFault = one.min !== null && one.max !== null && one.min >= one.max ? t('stream.range.wrong') : null;
  const numeric = one.kind === 'integer' || one.kind === 'double';
  const isGood = !pinFault && !rangeFault && one.name.trim() !== '';
  return (
    <Dialog title={one.name || t('stream.new')} onClose={onClose} wide foot={<>
      {onRemove && <button type="button" class="button danger" onClick={onRemove}>{t('remove')}</button>}
      <button type="button" class="button" onClick={onClose}>{t('cancel')}</button>
      <button type="button" class="button primary" disabled={!isGood} onClick={() => onSave({ ...one, alias: one.alias || one.name.toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_|_$/g, '') })}>{t('apply')}</button>
    </>}>
      <div class="form two">
        <Line label={t('name')} value={one.name} onValue={(name) => set({ name })} required maxLength={64} autofocus />
        <Line label={t('pin')} value={one.pin} onValue={(pin) => set({ pin: pin.toUpperCase() })} fault={pinFault} maxLength={4} />
        <Field label={t('stream.kind')}>{(attributes) => <select {...attributes} value={one.kind} onChange={(event) => set({ kind: event.currentTarget.value as StreamKind })}>{KINDS.map((kind) => <option key={kind} value={kind}>{t(`stream.kind.${kind}` as Key)}</option>)}</select>}</Field>
        <Line label={t('stream.alias')} value={one.alias} onValue={(alias) => set({ alias })} maxLength={64} hint={t('stream.alias.hint')} />
        {numeric && <>
          <Line label={t('stream.unit')} value={one.unit ?? ''} onValue={(v) => set({ unit: v || null })} maxLength={16} />
          <Line label={t('stream.decimals')} inputMode="numeric" value={one.decimals === null ? '' : String(one.decimals)} onValue={(v) => set({ decimals: orNull(v) })} />
          <Line label={t('stream.min')} inputMode="decimal" value={one.min === null ? '' : String(one.min)} onValue={(v) => set({ min: orNull(v) })} />
          <Line label={t('stream.max')} inputMode="decimal" value={one.max === null ? '' : String(one.max)} onValue={(v) => set({ max: orNull(v) })} fault={rangeFault} />
        </>}
        <Line label={t('stream.default')} value={one.default ?? ''} onValue={(v) => set({ default: v || null })} maxLength={1_024} />
        <Line label={t('stream.stale')} inputMode="numeric" hint={t('stream.stale.hint')} value={one.stale_after_s === null ? '' : String(one.stale_after_s)} onValue={(v) => set({ stale_after_s: orNull(v) })} />
      </div>
      {one.kind === 'enumeration' && <Labels stream={one} onValue={(labels) => set({ labels })} />}
      <Check label={t('stream.writable')} checked={one.writable} onValue={(writable) => set({ writable })} />
      <Check label={t('stream.hidden')} checked={one.hidden} onValue={(hidden) => set({ hidden })} />
    </Dialog>
  );
}

export function Streams({ draft, readOnly }: { draft: Signal<Template>; readOnly: boolean }) {
  const editing = useSignal<{ stream: Stream; at: number } | null>(null);
  const streams = draft.value.streams;
  const put = (next: Stream[]) => { draft.value = { ...draft.value, streams: next }; editing.value = null; };
  const button = !readOnly && streams.length < 256 && <button type="button" class="button small" onClick={() => { editing.value = { stream: fresh(streams), at: -1 }; }}><Icon name="plus" size={16} />{t('stream.new')}</button>;
  const now = editing.value;
  return (
    <section class="card" aria-labelledby="streams-title">
      <header><h2 id="streams-title">{t('template.tab.streams')}</h2>{streams.length > 0 && button}</header>
      {streams.length === 0 ? <Empty icon="wave" title={t('stream.none')} text={t('stream.none.text')}>{button}</Empty> : (
        <div class="table-wrap" tabIndex={0} role="group" aria-label={t('template.tab.streams')}>
          <table class="table">
            <thead><tr><th>{t('pin')}</th><th>{t('name')}</th><th>{t('stream.kind')}</th><th>{t('stream.range')}</th><th>{t('stream.access')}</th></tr></thead>
            <tbody>
              {streams.map((one, at) => (
                <tr key={one.pin}>
                  <td class="mono">{one.pin}</td>
                  <td>{readOnly ? one.name : <button type="button" class="link" onClick={() => { editing.value = { stream: one, at }; }}>{one.name}</button>}</td>
                  <td>{t(`stream.kind.${one.kind}` as Key)}</td>
                  <td class="tabular">{one.kind === 'integer' || one.kind === 'double' ? `${one.min === null ? '' : number(one.min)} … ${one.max === null ? '' : number(one.max)} ${one.unit ?? ''}` : one.labels.map((label) => label.text).join(', ')}</td>
                  <td class="muted">{one.writable ? t('stream.readwrite') : t('stream.readonly')}{one.hidden && ` · ${t('stream.ishidden')}`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {now && <StreamForm stream={now.stream} taken={streams.filter((_, at) => at !== now.at).map((one) => one.pin)} onClose={() => { editing.value = null; }}
        onSave={(stream) => put(now.at < 0 ? [...streams, stream] : streams.map((one, at) => (at === now.at ? stream : one)))}
        onRemove={now.at < 0 ? null : () => put(streams.filter((_, at) => at !== now.at))} />}
    </section>
  );
}
