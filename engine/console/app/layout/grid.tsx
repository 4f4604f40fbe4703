// A page of widgets: 12 columns; on a phone one column in reading order.
import type { Stream } from '../api/types.ts';
import { Drawn } from '../widgets/index.tsx';
import { t } from '../words/words.ts';
import { readingOrder, type LayoutPage, type Widget } from './layout.ts';

/** Kinds of one line: on a phone they are as high as they need, in rows. */
const FLAT = ['value', 'led', 'switch', 'button', 'slider', 'number', 'choice', 'level'];
const FLAT_ROWS = 1.4;

/** Set a widget's place as the style sheet wants it: CSSOM, since the policy refuses style attributes. */
export function place(box: HTMLElement | null, widget: Widget): void {
  if (!box) return;
  box.style.setProperty('--x', String(widget.x + 1));
  box.style.setProperty('--y', String(widget.y + 1));
  box.style.setProperty('--w', String(widget.w));
  box.style.setProperty('--h', String(widget.h));
  box.style.setProperty('--ph', String(widget.phone.h ?? (FLAT.includes(widget.kind) ? FLAT_ROWS : widget.h)));
}

/** `old`: the link is down, what is shown is old. `waking`: nothing may be steered until the snapshot is there. */
export function Grid({ page, device, streams, mayControl, old, waking }: { page: LayoutPage; device: number; streams: Stream[]; mayControl: boolean; old?: boolean; waking?: boolean }) {
  return (
    <div class={`grid ${old ? 'old' : ''}`} role="group" aria-label={page.title || t('tab.dashboard')} inert={waking}>
      {readingOrder(page.widgets).map((widget) => (
        <div key={widget.id} class={`cell ${widget.phone.hidden ? 'no-phone' : ''}`} ref={(box) => place(box, widget)}>
          <Drawn device={device} widget={widget} streams={streams} mayControl={mayControl} />
        </div>
      ))}
    </div>
  );
}
