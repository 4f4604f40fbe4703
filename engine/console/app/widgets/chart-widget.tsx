// A chart of one to eight pins: history, then live; as a table as well.
import { useSignal } from '@preact/signals';
import { RANGES, useSeries, type Range } from '../api/series.ts';
import { propertiesOf } from '../live/store.ts';
import { link } from '../live/socket.ts';
import { pinNumber } from '../live/messages.ts';
import { Failed, Segments } from '../parts/basic.tsx';
import { Icon } from '../parts/icon.tsx';
import { Plot } from '../parts/plot.tsx';
import { PointTable } from '../parts/point-table.tsx';
import { t } from '../words/words.ts';
import { bind } from './bind.ts';
import type { DrawnProps } from './index.tsx';

const SHORT: Range[] = ['5m', '1h', '1d', '1w'];

export default function ChartWidget({ device, widget, streams }: DrawnProps) {
  const asked = String(widget.options.range ?? '1h') as Range;
  const range = useSignal<Range>(asked in RANGES ? asked : '1h');
  const asTable = useSignal(false);
  const series = useSeries(device, widget.pins, range.value, 600, link.value === 'live');
  const lines = widget.pins.map((pin, n) => {
    const bound = bind({ ...widget, title: null }, streams, propertiesOf(device, pinNumber(pin) ?? 0).value, n);
    return { name: bound.title, unit: bound.unit, decimals: bound.decimals, ...(series.points.get(pin) ?? { at_ms: [], last: [] }) };
  });
  const title = widget.title ?? lines.map((line) => line.name).join(', ');
  const stamp = series.stamp.value;
  return (
    <article class="widget k-chart" aria-labelledby={`${widget.id}-title`}>
      <header>
        <h2 id={`${widget.id}-title`} class="clip" title={title}>{title}</h2>
        <div class="row tight nowrap-row">
          <Segments label={t('range')} value={range.value} onValue={(next) => { range.value = next; }} options={SHORT.map((one) => ({ value: one, text: t(`range.${one}`) }))} />
          <button type="button" class="button small icon quiet" aria-pressed={asTable.value} aria-label={asTable.value ? t('chart.asline') : t('chart.astable')} title={asTable.value ? t('chart.asline') : t('chart.astable')} onClick={() => { asTable.value = !asTable.value; }}><Icon name={asTable.value ? 'chart' : 'table'} size={16} /></button>
        </div>
      </header>
      <div class="widget-body">
        {widget.pins.length === 0 ? <p class="muted small">{t('widget.nopin')}</p> : series.problem.value ? <Failed problem={series.problem.value} /> : asTable.value ? <PointTable lines={lines} label={title} /> : <Plot lines={lines} stamp={stamp} label={title} span_ms={RANGES[range.value]} />}
      </div>
    </article>
  );
}
