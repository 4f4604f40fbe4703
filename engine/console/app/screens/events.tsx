// Events over all devices, open ones first.
import { useEffect } from 'preact/hooks';
import type { DeviceEvent, Page } from '../api/types.ts';
import { query } from '../api/query.ts';
import { useAsk } from '../api/use.ts';
import { Empty, Head, Loaded, Segments } from '../parts/basic.tsx';
import { search, setSearch } from '../router.ts';
import { grant, may, O } from '../session.ts';
import { t } from '../words/words.ts';
import { EventList, followEvents } from './event-list.tsx';

export default function Events() {
  const show = search.value.get('show') === 'all' ? 'all' : 'open';
  const level = search.value.get('level') ?? '';
  const events = useAsk<Page<DeviceEvent>>(`${O.value}/events${query({ below: true, open: show === 'open' ? true : null, limit: 500 })}`);
  useEffect(() => followEvents(events, { subtree: { org: grant.peek()?.org ?? 0, below: true } }), [O.value, show]);
  return (
    <div class="screen narrow">
      <Head title={t('nav.events')} lead={t('event.lead')} />
      <div class="row">
        <Segments label={t('event.filter')} value={show} onValue={(next) => setSearch({ show: next })} options={[{ value: 'open', text: t('event.open') }, { value: 'all', text: t('event.all') }]} />
        <select class="input filter" aria-label={t('event.level')} value={level} onChange={(event) => setSearch({ level: event.currentTarget.value || null })}>
          <option value="">{t('event.anylevel')}</option>
          {(['critical', 'warning', 'info', 'system'] as const).map((one) => <option key={one} value={one}>{t(`level.${one}`)}</option>)}
        </select>
      </div>
      <div class="card pad">
        <Loaded asked={events}>{(page) => {
          const items = page.items.filter((one) => !level || one.level === level);
          return items.length ? <EventList events={items} mayResolve={may('event.resolve')} withDevice again={() => void events.again()} /> : <Empty icon="good" tone="neutral" title={show === 'open' ? t('event.none.open') : t('event.none')} text={t('event.none.text')} />;
        }}</Loaded>
      </div>
    </div>
  );
}
