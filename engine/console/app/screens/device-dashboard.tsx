// The dashboard of a device: its template's layout with live values; without one, a draft from what it sends.
import { useEffect, useMemo } from 'preact/hooks';
import { useComputed, useSignal } from '@preact/signals';

import { D } from '../api/devices.ts';
import type { DeviceTemplate, Latest, Stream, Template } from '../api/types.ts';
import { ask } from '../api/client.ts';
import { useAsk, useDo } from '../api/use.ts';
import { draft, type Layout } from '../layout/layout.ts';
import { link, watch, type Watch } from '../live/socket.ts';
import { asText, pinsOf, pinsSeen, putProperty, putValue, reading } from '../live/store.ts';
import { pinName, pinNumber } from '../live/messages.ts';
import { Empty, Failed, Note, Skeleton, toast, Wrong } from '../parts/basic.tsx';
import { Icon } from '../parts/icon.tsx';
import { Grid } from '../layout/grid.tsx';
import { lazy } from '../parts/lazy.tsx';
import { search, setSearch } from '../router.ts';
import { grant, may as mayHere } from '../session.ts';
import { t } from '../words/words.ts';
import type { DeviceProps } from './device.tsx';

const Editor = lazy<{ template: Template; etag: string; device: number; pins: string[]; onSaved: () => void; onClose: () => void }>(() => import('../layout/editor.tsx'));

/** Pins whose every value a terminal shows. */
const terminals = (layout: Layout): number[] => layout.pages.flatMap((page) => page.widgets).filter((one) => one.kind === 'terminal').map((one) => pinNumber(one.pins[0] ?? '')).filter((pin): pin is number => pin !== null);

/** A stream for a pin that no template describes. */
const plain = (pin: string): Stream => ({ pin, name: pin, alias: '', kind: 'string', unit: null, min: null, max: null, decimals: null, default: null, labels: [], stale_after_s: null, hidden: false, writable: true });

function Draft({ device, may, reload }: DeviceProps) {
  // Drawn once there is something to draw, and again only for new pins: nothing jumps while one looks.
  const values = useMemo(() => new Map<string, string[]>(), [device.id]);
  const pins = useComputed(() => { void pinsSeen.value; return pinsOf(device.id); });
  const names = pins.value.map(pinName);
  for (const pin of pins.value) {
    const text = asText(reading(device.id, pin).peek().value);
    const seen = values.get(pinName(pin)) ?? [];
    if (!seen.includes(text)) values.set(pinName(pin), [...seen, text].slice(-20));
  }
  const layout = useMemo(() => draft(t('draft.page'), names.map((pin) => ({ pin, name: null, values: values.get(pin) ?? [] }))), [names.join(',')]);
  const { busy, problem, run } = useDo();
  const adopt = () => void run(async () => {
    const made = await ask<Template>(`/orgs/${device.org}/templates`, { body: { name: device.name, description: '', from_device: device.id, layout } });
    await ask(D(device.id), { method: 'PATCH', body: { template: made.id } });
    toast(t('draft.adopted'));
    reload();
  });
  if (names.length === 0) {
    return <div class="card"><Empty icon="wave" title={device.online === null ? t('draft.never') : t('draft.waiting')} text={device.online === null ? t('draft.never.text') : t('draft.waiting.text')}>{device.online === null && <a class="button" href="/devices/waiting">{t('waiting.title')}</a>}</Empty></div>;
  }
  return (
    <div class="stack">
      <div class="note accent"><Icon name="about" size={18} /><div class="grow row apart"><span>{t('draft.note', { n: names.length })}</span>{may('device.edit') && grant.value?.all.includes('template.edit') && <button type="button" class="button small primary" aria-busy={busy.value} onClick={adopt}>{t('draft.adopt')}</button>}</div></div>
      <Failed problem={problem.value} />
      <Grid page={layout.pages[0]!} device={device.id} streams={names.map(plain)} mayControl={may('device.control')} />
    </div>
  );
}

function useLive(device: number, pins: string[] | 'all', every: number[]): Watch | null {
  const held = useSignal<Watch | null>(null);
  const key = pins === 'all' ? 'all' : pins.join(',');
  useEffect(() => {
    const numbers = pins === 'all' ? ('all' as const) : pins.map(pinNumber).filter((pin): pin is number => pin !== null);
    const set = watch({ what: ['values', 'presence'], select: { devices: [device] }, pins: numbers, every });
    held.value = set;
    return () => set.close();
  }, [device, key, every.join(',')]);
  return held.value;
}

/** The editor saves the template as a whole, so it asks for all of it. */
function Edited({ device, again }: DeviceProps & { again: () => void }) {
  const whole = useAsk<Template>(device.template ? `/orgs/${device.org}/templates/${device.template}` : null);
  const template = whole.body.value;
  if (whole.problem.value && !template) return <Wrong problem={whole.problem.value} again={() => void whole.again()} />;
  if (!template) return <Skeleton />;
  return <Editor template={template} etag={whole.etag.value ?? ''} device={device.id} pins={template.streams.map((one) => one.pin)} onSaved={again} onClose={() => setSearch({ edit: null })} />;
}

function Saved({ template, layout, again, ...props }: DeviceProps & { template: DeviceTemplate; layout: Layout; again: () => void }) {
  const { device, may } = props;
  const editing = search.value.get('edit') === '1';
  const role = grant.value?.role ?? 0;
  const pages = layout.pages.filter((page) => page.roles === null || page.roles.includes(role) || may('dashboard.edit'));
  const pageId = search.value.get('page') ?? pages[0]?.id;
  const page = pages.find((one) => one.id === pageId) ?? pages[0];
  const pins = editing ? ('all' as const) : [...new Set(layout.pages.flatMap((one) => one.widgets.flatMap((widget) => (widget.kind === 'table' && widget.pins.length === 0 ? template.streams.map((stream) => stream.pin) : widget.pins))))];
  const set = useLive(device.id, pins, terminals(layout));
  const fresh = set?.fresh.value ?? false;
  const mayEdit = (grant.value?.all.includes('dashboard.edit') ?? false) && mayHere('dashboard.edit') && mayHere('template.view');
  if (editing && mayEdit) return <Edited {...props} again={again} />;
  return (
    <div class="stack">
      <div class="row apart">
        {pages.length > 1 ? <div class="chips" role="group" aria-label={t('dashboard.pages')}>{pages.map((one) => <button key={one.id} type="button" class="chip" aria-pressed={one.id === page?.id} onClick={() => setSearch({ page: one.id })}>{one.title}</button>)}</div> : <span />}
        {mayEdit && <button type="button" class="button small" onClick={() => setSearch({ edit: '1' })}><Icon name="edit" size={16} />{t('dashboard.edit')}</button>}
      </div>
      {set && set.refused.value > 0 && <Note tone="warning">{t('watch.refused', { code: `E${String(set.refused.value).padStart(4, '0')}` })}</Note>}
      {page && page.widgets.length > 0
        ? <Grid page={page} device={device.id} streams={template.streams} mayControl={may('device.control')} old={!fresh && link.value !== 'live'} waking={!fresh} />
        : <div class="card"><Empty icon="templates" title={t('dashboard.empty')} text={t('dashboard.empty.text')}>{mayEdit && <button type="button" class="button primary" onClick={() => setSearch({ edit: '1' })}>{t('dashboard.edit')}</button>}</Empty></div>}
    </div>
  );
}

function Unplanned(props: DeviceProps) {
  useLive(props.device.id, 'all', []);
  return <Draft {...props} />;
}

export default function Dashboard(props: DeviceProps) {
  const { device } = props;
  const latest = useAsk<Latest[]>(`${D(device.id)}/values`);
  const template = useAsk<DeviceTemplate>(device.template ? `${D(device.id)}/template` : null);
  useMemo(() => {
    for (const one of latest.body.value ?? []) {
      const pin = pinNumber(one.pin);
      if (pin === null) continue;
      if (one.at_ms) putValue(device.id, pin, one.value, one.at_ms);
      for (const [name, text] of Object.entries(one.properties)) putProperty(device.id, pin, name, text);
    }
  }, [latest.body.value]);
  if (device.template === null) return <Unplanned {...props} />;
  if (template.problem.value && !template.body.value) return <Wrong problem={template.problem.value} again={() => void template.again()} />;
  if (!template.body.value) return <Skeleton />;
  const { layout } = template.body.value;
  // Who may not see dashboards sees the values as they come.
  if (layout === null) return <Unplanned {...props} />;
  return <Saved {...props} template={template.body.value} layout={layout} again={() => void template.again()} />;
}

