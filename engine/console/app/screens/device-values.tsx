// All latest values, one chart of chosen pins, and the export.
import { useEffect } from 'preact/hooks';
import { useComputed, useSignal } from '@preact/signals';
import { query } from '../api/query.ts';
import { D } from '../api/devices.ts';
import { RANGES, useSeries, type Range } from '../api/series.ts';
import type { DeviceTemplate } from '../api/types.ts';
import { useAsk } from '../api/use.ts';
import { blank } from '../layout/layout.ts';
import { serverNow } from '../live/clock.ts';
import { pinName, pinNumber } from '../live/messages.ts';
import { link, watch } from '../live/socket.ts';
import { asNumber, pinsOf, pinsSeen, reading } from '../live/store.ts';
import { Empty, Failed, Segments } from '../parts/basic.tsx';
import { lazy } from '../parts/lazy.tsx';
import { search, setSearch } from '../router.ts';
import { ValueTable } from '../widgets/show.tsx';
import { t } from '../words/words.ts';
import type { DeviceProps } from './device.tsx';
import type { Line } from '../parts/plot.tsx';

const Plot = lazy<{ lines: Line[]; stamp: number; label: string; span_ms: number }>(async () => ({ default: (await import('../parts/plot.tsx')).Plot }));
const PointTable = lazy<{ lines: Line[]; label: string }>(async () => ({ default: (await import('../parts/point-table.tsx')).PointTable }));
const NAMES = Object.keys(RANGES) as Range[];

export default function Values({ device, may }: DeviceProps) {
  const template = useAsk<DeviceTemplate>(device.template ? `${D(device.id)}/template` : null);
  const streams = template.body.value?.streams ?? [];
  useEffect(() => { const set = watch({ what: ['values'], select: { devices: [device.id] }, pins: 'all' }); return () => set.close(); }, [device.id]);
  const pins = useComputed(() => { void pinsSeen.value; return pinsOf(device.id); });
  const numeric = pins.value.filter((pin) => asNumber(reading(device.id, pin).peek().value) !== null).map(pinName);
  const asked = (search.value.get('pins') ?? '').split(',').filter((pin) => pinNumber(pin) !== null).slice(0, 8);
  const chosen = asked.length ? asked : numeric.slice(0, 2);
  const rangeAsked = search.value.get('range') as Range | null;
  const range: Range = rangeAsked && rangeAsked in RANGES ? rangeAsked : '1h';
  const asTable = useSignal(false);
  const series = useSeries(device.id, chosen, range, 800, link.value === 'live');
  const lines: Line[] = chosen.map((pin) => {
    const stream = streams.find((one) => one.pin === pin);
    return { name: stream ? `${pin} ${stream.name}` : pin, unit: stream?.unit ?? '', decimals: stream?.decimals ?? null, ...(series.points.get(pin) ?? { at_ms: [], last: [] }) };
  });
  const stamp = series.stamp.value;
  const toggle = (pin: string) => { const next = chosen.includes(pin) ? chosen.filter((one) => one !== pin) : [...chosen, pin].slice(-8); setSearch({ pins: next.join(',') || null }); };
  const exported = (output: 'CSV' | 'JSON') => `/api/v1${D(device.id)}/export${query({ output, format: 'ISO', pins: chosen.join(','), from_ms: Math.round(serverNow() - RANGES[range]), to_ms: Math.round(serverNow()) })}`;
  if (pins.value.length === 0) return <div class="card"><Empty icon="table" tone="neutral" title={t('values.none')} text={t('values.none.text')} /></div>;
  return (
    <div class="stack loose">
      <section class="card" aria-labelledby="history-title">
        <header>
          <h2 id="history-title">{t('values.history')}</h2>
          <div class="row">
            <Segments label={t('range')} value={range} onValue={(next) => setSearch({ range: next })} options={NAMES.map((one) => ({ value: one, text: t(`range.${one}`) }))} />
            <button type="button" class="button small" aria-pressed={asTable.value} onClick={() => { asTable.value = !asTable.value; }}>{asTable.value ? t('chart.asline') : t('chart.astable')}</button>
          </div>
        </header>
        <div class="body stack tight">
          <div class="chips" role="group" aria-label={t('values.pins')}>
            {numeric.map((pin) => <button key={pin} type="button" class="chip" aria-pressed={chosen.includes(pin)} onClick={() => toggle(pin)}>{`${pin} ${streams.find((one) => one.pin === pin)?.name ?? ''}`.trim()}</button>)}
          </div>
          {series.problem.value && <Failed problem={series.problem.value} />}
        </div>
        <div class="big-plot">{asTable.value ? <PointTable lines={lines} label={t('values.history')} /> : <Plot lines={lines} stamp={stamp} label={t('values.history')} span_ms={RANGES[range]} />}</div>
        {may('device.export') && <div class="body row"><a class="button small" download href={exported('CSV')}>{t('values.csv')}</a><a class="button small" download href={exported('JSON')}>{t('values.json')}</a><span class="muted small">{t('values.export.text')}</span></div>}
      </section>
      <section class="card" aria-labelledby="latest-title">
        <header><h2 id="latest-title">{t('values.latest')}</h2></header>
        <ValueTable device={device.id} pins={pins.value} streams={streams} widget={blank('w0', 'table', [], 0, 0)} label={t('values.latest')} />
      </section>
    </div>
  );
}
