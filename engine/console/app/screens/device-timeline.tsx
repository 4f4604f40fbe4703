// The events of one device.
import { useEffect } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import type { DeviceEvent, Page } from '../api/types.ts';
import { useAsk } from '../api/use.ts';
import { Empty, Loaded, Segments } from '../parts/basic.tsx';
import { t } from '../words/words.ts';
import type { DeviceProps } from './device.tsx';
import { EventList, followEvents } from './event-list.tsx';

export default function Timeline({ device, may }: DeviceProps) {
  const show = useSignal<'all' | 'open'>('all');
  const org = `/orgs/${device.org}`;
  const events = useAsk<Page<DeviceEvent>>(`${org}/events?device=${device.id}${show.value === 'open' ? '&open=true' : ''}`);
  useEffect(() => followEvents(events, { devices: [device.id] }), [device.id, show.value]);
  return (
    <div class="stack">
      <div class="row"><Segments label={t('event.filter')} value={show.value} onValue={(next) => { show.value = next; }} options={[{ value: 'all', text: t('event.all') }, { value: 'open', text: t('event.open') }]} /></div>
      <div class="card pad">
        <Loaded asked={events}>{(page) => page.items.length ? <EventList events={page.items} mayResolve={may('event.resolve')} withDevice={false} again={() => void events.again()} /> : <Empty icon="events" tone="neutral" title={t('event.none')} text={t('event.none.device')} />}</Loaded>
      </div>
    </div>
  );
}
