// A widget by its kind; a kind that this console does not know is drawn as a labelled box and stays in the layout.
import type { ComponentType } from 'preact';
import { lazy } from '../parts/lazy.tsx';
import { Choice, NumberWidget, Push, Slider, Switch, Terminal, TextWidget } from './controls.tsx';
import { Gauge, ImageWidget, Led, Level, NoteWidget, TableWidget, UnknownWidget, ValueWidget, type WidgetProps } from './show.tsx';

export interface DrawnProps extends WidgetProps { mayControl: boolean }

const ChartWidget = lazy<DrawnProps>(() => import('./chart-widget.tsx'));

const DRAWN: Record<string, ComponentType<DrawnProps>> = {
  value: ValueWidget, gauge: Gauge, level: Level, led: Led, switch: Switch, button: Push, slider: Slider, number: NumberWidget,
  choice: Choice, text: TextWidget, terminal: Terminal, chart: ChartWidget, table: TableWidget, image: ImageWidget, note: NoteWidget,
};

export function Drawn(props: DrawnProps) {
  const Kind = DRAWN[props.widget.kind] ?? UnknownWidget;
  return <Kind {...props} />;
}
