// The audit log: who did what to what, refusals included.
import type { AuditEntry, Page } from '../api/types.ts';
import { useAsk } from '../api/use.ts';
import { Age, Empty, Loaded } from '../parts/basic.tsx';
import { Icon } from '../parts/icon.tsx';
import { O, viewAs } from '../session.ts';
import { dateTime, named, t } from '../words/words.ts';

/** "device 3 (North bay)" as the log has it: the name first, then what kind of thing it is. */
function Thing({ text }: { text: string }) {
  const [, kind, number, name] = /^([a-z ]+) (\d+)(?: \((.*)\))?$/s.exec(text) ?? [];
  if (!kind) return <>{text}</>;
  const words = named('object', kind, { number: number! });
  return name ? <>{name} <span class="muted">{words}</span></> : <>{words}</>;
}

export function Audit() {
  const audit = useAsk<Page<AuditEntry>>(`${O.value}/audit?limit=200`);
  return (
    <section class="card" aria-labelledby="audit-title">
      <header><h2 id="audit-title">{t('people.tab.audit')}</h2>{!viewAs.value && <a class="button small" download href={`/api/v1${O.value}/audit.jsonl`}><Icon name="download" size={16} />{t('audit.export')}</a>}</header>
      <Loaded asked={audit}>{(page) => page.items.length === 0 ? <Empty icon="history" tone="neutral" title={t('audit.none')} /> : (
        <div class="table-wrap" tabIndex={0} role="group" aria-label={t('people.tab.audit')}>
          <table class="table">
            <thead><tr><th class="num">{t('audit.number')}</th><th>{t('time')}</th><th>{t('audit.who')}</th><th>{t('audit.what')}</th><th>{t('audit.object')}</th><th>{t('audit.from')}</th></tr></thead>
            <tbody>{page.items.map((one) => (
              <tr key={one.number}>
                <td class="num muted">{String(one.number)}</td><td title={dateTime(one.at_ms)} class="muted"><Age at={one.at_ms} /></td><td>{named('actor', one.actor)}</td>
                <td class="words" title={one.action}>{named('action', one.action)}{one.outcome === 'refused' && <> <span class="badge bad">{t('audit.refused')}</span></>}</td><td class="words"><Thing text={one.object} /></td><td class="mono muted">{one.address}</td>
              </tr>
            ))}</tbody>
          </table>
        </div>
      )}</Loaded>
    </section>
  );
}
