// A chart by uPlot: redrawn at most ten times a second and only while it is in view; always beside a summary in words and
// a table with the same numbers.
import { useEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import uPlot from 'uplot';
import { language, localeName, number, t } from '../words/words.ts';
import { serverNow } from '../live/clock.ts';
import { theme } from '../theme.ts';

export interface Line { name: string; unit: string; decimals: number | null; at_ms: number[]; last: number[] }

const COLOURS = 8;
/** Shortest time between two redraws, ms. */
const REDRAW_MS = 100;

/** A canvas needs a colour, not `light-dark()`: the browser resolves it on an element, without a transition in between. */
function resolved(name: string, box: HTMLElement): string {
  box.style.setProperty('transition', 'none', 'important');
  box.style.color = `var(${name})`;
  const found = getComputedStyle(box).color;
  box.style.color = '';
  return found;
}

/** uPlot wants one list of times: merged, with gaps where a line has no point. */
export function aligned(lines: Line[]): uPlot.AlignedData {
  if (lines.length === 0) return [[]];
  const tables = lines.map((line): uPlot.AlignedData => [line.at_ms.map((ms) => ms / 1_000), line.last]);
  return lines.length === 1 ? tables[0]! : uPlot.join(tables);
}

/** Shortest time that a chart shows, s: a single point is not drawn over years. */
const LEAST_S = 60;

/** From the first point, within the range that was chosen, to now; at least a minute. */
export function window_s(first_s: number | null, now_s: number, span_s: number): [number, number] {
  return [Math.max(now_s - span_s, Math.min(first_s ?? now_s - span_s, now_s - LEAST_S)), now_s];
}

function options(lines: Line[], width: number, height: number, box: HTMLElement, span_ms: number): uPlot.Options {
  const ink = resolved('--ink-2', box);
  const grid = resolved('--line', box);
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
  const locale = localeName();
  const day = new Intl.DateTimeFormat(locale, { month: 'short', day: 'numeric' });
  const minute = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit' });
  const second = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
  return {
    width, height,
    legend: { show: false },
    cursor: { y: false, points: { size: 7 } },
    padding: [12, 28, 0, 0],
    scales: { x: { time: true, range: (u) => window_s(u.data[0]?.[0] ?? null, serverNow() / 1_000, span_ms / 1_000) } },
    axes: [
      { ...axis, size: 28, values: (_u, splits, _i, _space, step) => splits.map((s) => (step >= 86_400 ? day : step < 60 ? second : minute).format(s * 1_000)) },
      { ...axis, size: (_u, values) => 14 + Math.max(16, ...(values ?? []).map((text) => text.length * 6.5)), values: (_u, splits) => splits.map((n) => number(n)) },
    ],
    series: [{}, ...lines.map((line, n) => ({
      label: line.name, stroke: resolved(`--c${(n % COLOURS) + 1}`, box), width: 1.75, spanGaps: true, points: { show: (u: uPlot, at: number) => (u.data[at]?.length ?? 0) < 3, size: 5 },
    }))],
  };
}

function summary(lines: Line[]): string {
  return lines.map((line) => {
    if (line.last.length === 0) return t('chart.nopoints', { name: line.name });
    let low = Infinity;
    let high = -Infinity;
    for (const n of line.last) { low = Math.min(low, n); high = Math.max(high, n); }
    const say = (n: number) => `${number(n, line.decimals ?? undefined)} ${line.unit}`.trim();
    return t('chart.summary', { name: line.name, n: line.last.length, low: say(low), high: say(high), last: say(line.last.at(-1)!) });
  }).join(' ');
}

/** `lines` are drawn again whenever `stamp` changes. */
export function Plot({ lines, stamp, height, label, span_ms }: { lines: Line[]; stamp: number; height?: number; label: string; span_ms: number }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const hover = useSignal<number | null>(null);
  const latest = useRef(lines);
  latest.current = lines;
  const shape = `${lines.map((line) => line.name).join('\n')} ${theme.value} ${language.value} ${span_ms}`;
  const state = useRef({ inView: true, timer: 0 as unknown as ReturnType<typeof setTimeout> | 0, drawn: 0 });
  useEffect(() => {
    const area = box.current!;
    const size = () => ({ width: Math.max(80, area.clientWidth), height: height ?? Math.max(80, area.clientHeight) });
    const build = () => {
      plot.current?.destroy();
      const made = size();
      const chosen = options(latest.current, made.width, made.height, area, span_ms);
      chosen.hooks = { setCursor: [(u) => { hover.value = u.cursor.idx ?? null; }] };
      plot.current = new uPlot(chosen, aligned(latest.current), area);
    };
    build();
    const sized = new ResizeObserver(() => plot.current?.setSize(size()));
    sized.observe(area);
    const seen = new IntersectionObserver(([entry]) => { state.current.inView = entry!.isIntersecting; if (entry!.isIntersecting) plot.current?.setData(aligned(latest.current)); });
    seen.observe(area);
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', build);
    return () => { sized.disconnect(); seen.disconnect(); dark.removeEventListener('change', build); plot.current?.destroy(); plot.current = null; };
  }, [shape]);
  useEffect(() => {
    const now = state.current;
    // Out of view only the first points are drawn, for print and pictures.
    if ((!now.inView && now.drawn > 0 && lines.every((line) => line.last.length > 0)) || now.timer || document.hidden) return;
    const wait = Math.max(0, now.drawn + REDRAW_MS - performance.now());
    now.timer = setTimeout(() => { now.timer = 0; now.drawn = performance.now(); plot.current?.setData(aligned(latest.current)); }, wait);
  }, [stamp, shape]);
  const at = hover.value;
  const data = plot.current?.data;
  return (
    <figure class="plot" dir="ltr">
      <figcaption class="legend" dir="auto">
        {lines.map((line, n) => {
          const found = at !== null && data ? data[n + 1]?.[at] : line.last.at(-1);
          return <span key={line.name}><i class={`c${(n % COLOURS) + 1}`} aria-hidden="true" />{line.name}<strong class="tabular">{found === null || found === undefined ? '–' : `${number(found, line.decimals ?? undefined)} ${line.unit}`}</strong></span>;
        })}
      </figcaption>
      <div ref={box} class="plot-box" role="img" aria-label={`${label}. ${summary(lines)}`} />
    </figure>
  );
}
