// The smaller parts of a template: events, metadata fields, connection rules.
import type { Signal } from '@preact/signals';
import type { EventKindSheet, MetaField, Template } from '../api/types.ts';
import { Check, Empty, Line } from '../parts/basic.tsx';
import { Icon } from '../parts/icon.tsx';
import { t, type Key } from '../words/words.ts';

const LEVELS: EventKindSheet['level'][] = ['info', 'warning', 'critical', 'content'];
const FIELDS: MetaField['kind'][] = ['text', 'number', 'time', 'contact', 'cost', 'coordinates', 'switch', 'list', 'device', 'time_zone'];
const FIELD_LIMIT = 64;
/** Events of all kinds that the server takes from a device in a day: no template allows more. */
const PER_DAY_MOST = 100;
/** Longest wait before a device counts as offline, s: a year. */
const WAIT_MOST_S = 31_536_000;

/** What was typed as a whole number from 0 to `most`; what is none is 0. */
export const whole = (typed: string, most: number): number => Math.min(most, Math.max(0, Math.round(Number(typed) || 0)));

export function Events({ draft, readOnly }: { draft: Signal<Template>; readOnly: boolean }) {
  const events = draft.value.events;
  const put = (next: EventKindSheet[]) => { draft.value = { ...draft.value, events: next }; };
  const set = (at: number, parts: Partial<EventKindSheet>) => put(events.map((one, n) => (n === at ? { ...one, ...parts } : one)));
  const button = !readOnly && events.length < FIELD_LIMIT && <button type="button" class="button small" onClick={() => put([...events, { code: `event_${events.length + 1}`, name: t('template.event.new'), level: 'info', text: '', per_day: 0 }])}><Icon name="plus" size={16} />{t('template.event.add')}</button>;
  return (
    <section class="card" aria-labelledby="events-title">
      <header><h2 id="events-title">{t('template.tab.events')}</h2>{events.length > 0 && button}</header>
      {events.length === 0 ? <Empty icon="events" title={t('template.event.none')} text={t('template.event.none.text')}>{button}</Empty> : (
        <ul class="item-list">
          {events.map((one, n) => (
            <li key={n}>
              <div class="form two grow">
                <Line label={t('name')} value={one.name} onValue={(name) => set(n, { name })} maxLength={64} readOnly={readOnly} />
                <Line label={t('template.event.code')} value={one.code} onValue={(code) => set(n, { code: code.replace(/[^\w-]/g, '') })} maxLength={64} readOnly={readOnly} />
                <div class="field"><label for={`level-${n}`}>{t('event.level')}</label><select id={`level-${n}`} class="input" value={one.level} disabled={readOnly} onChange={(event) => set(n, { level: event.currentTarget.value as EventKindSheet['level'] })}>{LEVELS.map((level) => <option key={level} value={level}>{t(`level.${level}`)}</option>)}</select></div>
                <Line label={t('template.event.text')} value={one.text} onValue={(text) => set(n, { text })} maxLength={300} readOnly={readOnly} />
                <Line label={t('template.event.perday')} hint={t('template.event.perday.hint')} inputMode="numeric" value={String(one.per_day)} onValue={(v) => set(n, { per_day: whole(v, PER_DAY_MOST) })} readOnly={readOnly} />
              </div>
              {!readOnly && <button type="button" class="button icon quiet" aria-label={t('template.event.remove', { name: one.name })} onClick={() => put(events.filter((_, at) => at !== n))}><Icon name="trash" size={18} /></button>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function Metadata({ draft, readOnly }: { draft: Signal<Template>; readOnly: boolean }) {
  const fields = draft.value.metadata;
  const put = (next: MetaField[]) => { draft.value = { ...draft.value, metadata: next }; };
  const set = (at: number, parts: Partial<MetaField>) => put(fields.map((one, n) => (n === at ? { ...one, ...parts } : one)));
  const button = !readOnly && fields.length < FIELD_LIMIT && <button type="button" class="button small" onClick={() => put([...fields, { name: t('template.field.new'), kind: 'text', unit: null, required: false }])}><Icon name="plus" size={16} />{t('template.field.add')}</button>;
  return (
    <section class="card" aria-labelledby="fields-title">
      <header><h2 id="fields-title">{t('template.tab.metadata')}</h2>{fields.length > 0 && button}</header>
      {fields.length === 0 ? <Empty icon="table" title={t('template.field.none')} text={t('template.field.none.text')}>{button}</Empty> : (
        <ul class="item-list">
          {fields.map((one, n) => (
            <li key={n}>
              <div class="form two grow">
                <Line label={t('name')} value={one.name} onValue={(name) => set(n, { name })} maxLength={64} readOnly={readOnly} />
                <div class="field"><label for={`field-${n}`}>{t('stream.kind')}</label><select id={`field-${n}`} class="input" value={one.kind} disabled={readOnly} onChange={(event) => set(n, { kind: event.currentTarget.value as MetaField['kind'] })}>{FIELDS.map((kind) => <option key={kind} value={kind}>{t(`field.${kind}` as Key)}</option>)}</select></div>
                {one.kind === 'number' && <Line label={t('stream.unit')} value={one.unit ?? ''} onValue={(v) => set(n, { unit: v || null })} maxLength={16} readOnly={readOnly} />}
                <Check label={t('template.field.required')} checked={one.required} disabled={readOnly} onValue={(required) => set(n, { required })} />
              </div>
              {!readOnly && <button type="button" class="button icon quiet" aria-label={t('template.field.remove', { name: one.name })} onClick={() => put(fields.filter((_, at) => at !== n))}><Icon name="trash" size={18} /></button>}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export function Connection({ draft, readOnly }: { draft: Signal<Template>; readOnly: boolean }) {
  const rules = draft.value.connection;
  const set = (parts: Partial<Template['connection']>) => { draft.value = { ...draft.value, connection: { ...rules, ...parts } }; };
  return (
    <section class="card pad form" aria-labelledby="connection-title">
      <h2 id="connection-title">{t('template.tab.connection')}</h2>
      <Check label={t('template.tls')} checked={rules.tls_required} disabled={readOnly} onValue={(tls_required) => set({ tls_required })} />
      <Line label={t('template.wait')} inputMode="numeric" hint={t('template.wait.hint')} value={String(rules.offline_wait_s)} onValue={(v) => set({ offline_wait_s: whole(v, WAIT_MOST_S) })} readOnly={readOnly} />
    </section>
  );
}
