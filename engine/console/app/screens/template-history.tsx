// Versions of a template: who changed it when, what is different, and the way back.
import { useSignal } from '@preact/signals';
import { post } from '../api/client.ts';
import type { Page, Template, TemplateVersion } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { Age, Empty, Failed, Loaded, toast } from '../parts/basic.tsx';
import { Confirm, Dialog } from '../parts/dialog.tsx';
import { O } from '../session.ts';
import { t } from '../words/words.ts';

/** Every leaf of a value with its path: `streams.V1.max` = `100`. Items of lists go by their pin, id, code or name. */
function leaves(value: unknown, path: string, into: Map<string, string>): Map<string, string> {
  if (Array.isArray(value)) value.forEach((item, n) => { const one = item as Record<string, unknown> | null; leaves(item, `${path}.${String(one?.pin ?? one?.id ?? one?.code ?? one?.name ?? n)}`, into); });
  else if (value !== null && typeof value === 'object') for (const [name, inner] of Object.entries(value)) leaves(inner, path ? `${path}.${name}` : name, into);
  else into.set(path, JSON.stringify(value));
  return into;
}

/** Lines of what differs between two templates. */
export function difference(before: Template, after: Template): { path: string; before: string | null; after: string | null }[] {
  const strip = ({ version: _v, changed_ms: _c, devices: _d, ...rest }: Template) => rest;
  const old = leaves(strip(before), '', new Map());
  const now = leaves(strip(after), '', new Map());
  return [...new Set([...old.keys(), ...now.keys()])].filter((path) => old.get(path) !== now.get(path)).map((path) => ({ path, before: old.get(path) ?? null, after: now.get(path) ?? null }));
}

function Diff({ template, version, onClose }: { template: Template; version: number; onClose: () => void }) {
  const old = useAsk<Template>(`${O.value}/templates/${template.id}/versions/${version}`);
  return (
    <Dialog title={t('template.diff', { version })} onClose={onClose} wide>
      <Loaded asked={old}>{(before) => {
        const lines = difference(before, template);
        return lines.length === 0 ? <p class="muted">{t('template.diff.none')}</p> : (
          <div class="diff" tabIndex={0} role="group" aria-label={t('template.diff', { version })}>{lines.map((line) => <div key={line.path}><span class="muted">{line.path}</span>{'  '}{line.before !== null && <del>{line.before}</del>}{' → '}{line.after !== null ? <ins>{line.after}</ins> : <span class="muted">{'∅'}</span>}</div>)}</div>
        );
      }}</Loaded>
    </Dialog>
  );
}

export function History({ template, readOnly, again }: { template: Template; readOnly: boolean; again: () => void }) {
  const versions = useAsk<Page<TemplateVersion>>(`${O.value}/templates/${template.id}/versions`);
  const shown = useSignal<number | null>(null);
  const restoring = useSignal<number | null>(null);
  const { problem, run } = useDo();
  const restore = () => void run(async () => {
    const version = restoring.value!;
    restoring.value = null;
    await post(`${O.value}/templates/${template.id}/restore`, { version });
    toast(t('template.restored', { version }));
    again();
    await versions.again();
  });
  return (
    <section class="card" aria-labelledby="history-title">
      <header><h2 id="history-title">{t('template.tab.history')}</h2></header>
      <Failed problem={problem.value} />
      <Loaded asked={versions}>{(page) => page.items.length === 0 ? <Empty icon="history" tone="neutral" title={t('template.history.none')} text={t('template.history.none.text')} /> : (
        <ul class="item-list">
          {page.items.map((one) => (
            <li key={one.version}>
              <div class="grow"><strong>{t('template.version', { version: one.version })}</strong>{one.version === template.version && <> <span class="badge accent">{t('template.current')}</span></>}<p class="muted small">{one.note || '–'} · {one.by ?? '–'} · <Age at={one.at_ms} /></p></div>
              {one.version !== template.version && <div class="row tight">
                <button type="button" class="button small" aria-label={t('template.compare', { version: one.version })} onClick={() => { shown.value = one.version; }}>{t('template.compare.short')}</button>
                {!readOnly && <button type="button" class="button small" aria-label={t('template.restore', { version: one.version })} onClick={() => { restoring.value = one.version; }}>{t('template.restore.short')}</button>}
              </div>}
            </li>
          ))}
        </ul>
      )}</Loaded>
      {shown.value !== null && <Diff template={template} version={shown.value} onClose={() => { shown.value = null; }} />}
      {restoring.value !== null && <Confirm danger={false} title={t('template.restore', { version: restoring.value })} text={t('template.restore.text')} action={t('template.restore.short')} onYes={restore} onClose={() => { restoring.value = null; }} />}
    </section>
  );
}
