// A page of widgets: 12 columns; on a phone one column in reading order.
import type { Stream } from '../api/types.ts';
import { Drawn } from '../widgets/index.tsx';
import { t } from '../words/words.ts';
import { readingOrder, type LayoutPage, type Widget } from './layout.ts';

/** Set a widget's place as the style sheet wants it: CSSOM, since the policy refuses style attributes. */
export function place(box: HTMLElement | null, widget: Widget): void {
  if (!box) return;
  box.style.setProperty('--x', String(widget.x + 1));
  box.style.setProperty('--y', String(widget.y + 1));
  box.style.setProperty('--w', String(widget.w));
  box.style.setProperty('--h', String(widget.h));
  box.style.setProperty('--ph', String(widget.phone.h ?? widget.h));
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
