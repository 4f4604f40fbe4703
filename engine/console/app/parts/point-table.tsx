// The numbers of a chart as a table, the newest first.
import { dateTime, number, t } from '../words/words.ts';
import { aligned, type Line } from './plot.tsx';

/** Rows that are drawn; an export has all. */
const ROWS = 200;

export function PointTable({ lines, label }: { lines: Line[]; label: string }) {
  const data = aligned(lines);
  const times = data[0] as number[];
  const rows = times.map((_, n) => n).reverse().slice(0, ROWS);
  return (
    <div class="table-wrap tall" tabIndex={0} role="group" aria-label={label}>
      <table class="table compact">
        <thead><tr><th>{t('time')}</th>{lines.map((line) => <th key={line.name} class="num">{line.name}{line.unit && <span class="unit">{line.unit}</span>}</th>)}</tr></thead>
        <tbody>
          {rows.map((n) => <tr key={n}><td class="tabular nowrap">{dateTime(times[n]! * 1_000)}</td>{lines.map((line, at) => { const value = data[at + 1]?.[n]; return <td key={line.name} class="num">{value === null || value === undefined ? '–' : number(value, line.decimals ?? undefined)}</td>; })}</tr>)}
        </tbody>
      </table>
      {rows.length === 0 && <p class="muted pad">{t('chart.empty')}</p>}
    </div>
  );
}
