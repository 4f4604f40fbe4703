// Events in the order of time, with what was done about them.
import { useSignal } from '@preact/signals';
import { post } from '../api/client.ts';
import type { DeviceEvent, Page } from '../api/types.ts';
import { watch, type WatchOptions } from '../live/socket.ts';
import { useDo, type Asked } from '../api/use.ts';
import { Age, Failed, Field, toast } from '../parts/basic.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { dateTime, t } from '../words/words.ts';

const DOT: Record<DeviceEvent['level'], string> = { info: '', warning: 'warning', critical: 'bad', content: '', system: 'off' };
const BADGE: Record<DeviceEvent['level'], string> = { info: '', warning: 'warning', critical: 'bad', content: 'accent', system: '' };

/** The list comes from the disk, where an event arrives a moment after it is reported: ask again so often, after so long. */
const LOOKS = 8;
const LOOK_MS = 400;

/** Bring a list up to date whenever an event of these devices is reported; answers how to stop. */
export function followEvents(asked: Asked<Page<DeviceEvent>>, select: WatchOptions['select']): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const set = watch({ what: ['events'], select, onReport: (report) => {
    if (report.kind !== 'event' || ('devices' in select && !select.devices.includes(report.device))) return;
    let looks = 0;
    const look = async () => {
      await asked.again();
      const has = asked.body.peek()?.items.some((one) => one.device === report.device && one.at_ms === report.at_ms && one.code === report.code);
      if (!has && ++looks < LOOKS) timer = setTimeout(() => void look(), LOOK_MS);
    };
    clearTimeout(timer);
    timer = setTimeout(() => void look(), LOOK_MS);
  } });
  // What happened between the list and the watch, or while there was no link, is in no report.
  const end = set.fresh.subscribe((isFresh) => { if (isFresh) void asked.again(); });
  return () => { clearTimeout(timer); end(); set.close(); };
}

function Resolve({ event, onDone, onClose }: { event: DeviceEvent; onDone: () => void; onClose: () => void }) {
  const note = useSignal('');
  const { busy, problem, run } = useDo();
  const submit = () => void run(async () => {
    await post(`/orgs/${event.org}/events/${event.id}/resolve`, { note: note.value || null });
    toast(t('event.resolved'));
    onDone();
  });
  return (
    <Dialog title={t('event.resolve')} onClose={onClose} foot={<><button type="button" class="button" onClick={onClose}>{t('cancel')}</button><button type="button" class="button primary" aria-busy={busy.value} onClick={submit}>{t('event.resolve')}</button></>}>
      <p><strong>{event.title}</strong> <span class="muted">{event.device_name}</span></p>
      <Field label={t('event.note')} hint={t('event.note.hint')}>{(attributes) => <textarea {...attributes} maxLength={300} value={note.value} onInput={(e) => { note.value = e.currentTarget.value; }} />}</Field>
      <Failed problem={problem.value} />
    </Dialog>
  );
}

export function EventList({ events, mayResolve, withDevice, again }: { events: DeviceEvent[]; mayResolve: boolean; withDevice: boolean; again: () => void }) {
  const resolving = useSignal<DeviceEvent | null>(null);
  return (
    <>
      <ul class="line-list">
        {events.map((one) => (
          <li key={one.id}>
            <span class="when" title={dateTime(one.at_ms)}><Age at={one.at_ms} /></span>
            <span class="mark"><span class={`dot ${one.resolved_ms ? 'off' : DOT[one.level]}`} /></span>
            <div class="what">
              <div class="row tight">
                <strong>{one.title}</strong>
                <span class={`badge ${one.resolved_ms ? '' : BADGE[one.level]}`}>{t(`level.${one.level}`)}</span>
                {withDevice && <a class="small" href={`/devices/${one.device}/timeline`}>{one.device_name}</a>}
              </div>
              {one.text && <p class="muted">{one.text}</p>}
              {one.resolved_ms !== null
                ? <p class="small muted">{t('event.resolved.by', { name: one.resolved_by ?? '–' })} <Age at={one.resolved_ms} />{one.note && ` · ${one.note}`}</p>
                : mayResolve && <div><button type="button" class="button small" onClick={() => { resolving.value = one; }}>{t('event.resolve')}</button></div>}
            </div>
          </li>
        ))}
      </ul>
      {resolving.value && <Resolve event={resolving.value} onClose={() => { resolving.value = null; }} onDone={() => { resolving.value = null; again(); }} />}
    </>
  );
}
