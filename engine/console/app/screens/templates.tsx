// Templates: what devices of one kind have in common.
import { useSignal } from '@preact/signals';
import { ask } from '../api/client.ts';
import type { Page, Template, TemplateLine } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { emptyLayout } from '../layout/layout.ts';
import { Age, Empty, Failed, Head, Line, Loaded } from '../parts/basic.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { go } from '../router.ts';
import { may, O } from '../session.ts';
import { t } from '../words/words.ts';

function NewTemplate({ onClose }: { onClose: () => void }) {
  const name = useSignal('');
  const from = useSignal<Partial<Template> | null>(null);
  const wrong = useSignal('');
  const { busy, problem, run } = useDo();
  const read = async (file: File | undefined) => {
    if (!file) return;
    try {
      const parsed = JSON.parse(await file.text()) as Partial<Template>;
      if (!parsed.layout || !Array.isArray(parsed.streams)) throw new Error('no template');
      from.value = parsed;
      if (!name.peek() && parsed.name) name.value = parsed.name;
      wrong.value = '';
    } catch { wrong.value = t('template.import.wrong'); }
  };
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const { streams, events, metadata, connection, layout, description } = from.value ?? {};
      const made = await ask<Template>(`${O.value}/templates`, { body: { name: name.value.trim(), description: description ?? '', layout: layout ?? emptyLayout(t('template.page')), ...(streams ? { streams, events, metadata, connection } : {}) } });
      go(`/templates/${made.id}`);
    });
  };
  return (
    <Dialog title={t('template.new')} onClose={onClose}>
      <form class="form" onSubmit={submit}>
        <Line label={t('name')} value={name.value} onValue={(v) => { name.value = v; }} required maxLength={64} autofocus />
        <div class="field"><label for="template-file">{t('template.import')}</label><input id="template-file" class="input" type="file" accept="application/json,.json" onChange={(event) => void read(event.currentTarget.files?.[0])} />{wrong.value && <span class="fault" role="alert">{wrong.value}</span>}</div>
        <Failed problem={problem.value} />
        <button type="submit" class="button primary" aria-busy={busy.value}>{t('template.create')}</button>
      </form>
    </Dialog>
  );
}

export default function Templates() {
  const making = useSignal(false);
  const templates = useAsk<Page<TemplateLine>>(`${O.value}/templates`);
  const button = may('template.edit') && <button type="button" class="button primary" onClick={() => { making.value = true; }}><Icon name="plus" size={18} />{t('template.new')}</button>;
  const has = (templates.body.value?.items.length ?? 0) > 0;
  return (
    <div class="screen">
      <Head title={t('nav.templates')} lead={t('template.lead')}>{has && button}</Head>
      <Loaded asked={templates}>{(page) => page.items.length === 0 ? <div class="card"><Empty icon="templates" title={t('template.none')} text={t('template.none.text')}>{button}</Empty></div> : (
        <div class="cards">
          {page.items.map((one) => (
            <article key={one.id} class="card template-card">
              <h2><a href={`/templates/${one.id}`}>{one.name}</a></h2>
              <p class="muted">{one.description || t('template.nodescription')}</p>
              <p class="foot"><span>{t('template.devices', { n: one.devices })}</span><span>{t('template.streams', { n: one.streams })}</span><span>{t('template.version', { version: one.version })} · <Age at={one.changed_ms} /></span></p>
            </article>
          ))}
        </div>
      )}</Loaded>
      {making.value && <NewTemplate onClose={() => { making.value = false; }} />}
    </div>
  );
}
