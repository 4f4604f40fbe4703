// The diary: why the device came and went, and what to do about it.
import { D } from '../api/devices.ts';
import type { DiaryEntry, Page } from '../api/types.ts';
import { useAsk } from '../api/use.ts';
import { Age, Empty, Loaded } from '../parts/basic.tsx';
import { Icon } from '../parts/icon.tsx';
import { codeName, endFix, endSentence, loadEnds } from '../words/ends.ts';
import { dateTime, language, lasting, t } from '../words/words.ts';
import type { DeviceProps } from './device.tsx';

const DOT: Record<DiaryEntry['kind'], string> = { online: '', offline: 'off', refused: 'bad', note: 'warning' };

function Entry({ entry }: { entry: DiaryEntry }) {
  // The server writes English; other languages have the sentences of the codes.
  const own = entry.code > 0 && language.value !== 'en' && language.value !== 'rtl';
  const sentence = own ? endSentence(entry.code) : entry.sentence;
  const fix = own ? endFix(entry.code) : entry.fix;
  return (
    <li>
      <span class="when" title={dateTime(entry.at_ms)}><Age at={entry.at_ms} /></span>
      <span class="mark"><span class={`dot ${DOT[entry.kind]}`} /></span>
      <div class="what">
        <div class="row tight"><strong>{t(`diary.${entry.kind}`)}</strong>{entry.code > 0 && <span class="badge mono">{codeName(entry.code)}</span>}{entry.address && <span class="muted small mono">{entry.address}</span>}</div>
        <p>{sentence}{entry.lasted_ms !== null && <span class="muted"> {t('diary.lasted', { time: lasting(entry.lasted_ms) })}</span>}</p>
        {fix && <p class="fix"><Icon name="next" size={16} flip />{fix}</p>}
      </div>
    </li>
  );
}

export default function Diary({ device }: DeviceProps) {
  loadEnds();
  const diary = useAsk<Page<DiaryEntry>>(`${D(device.id)}/diary`);
  return (
    <div class="card pad">
      <Loaded asked={diary}>{(page) => page.items.length ? <ul class="line-list">{page.items.map((entry, n) => <Entry key={n} entry={entry} />)}</ul> : <Empty icon="history" tone="neutral" title={t('diary.none')} text={t('diary.none.text')}><a class="button" href="/devices/waiting">{t('waiting.title')}</a></Empty>}</Loaded>
    </div>
  );
}
