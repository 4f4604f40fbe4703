// One template: datastreams, dashboard, events, metadata, connection, history. One draft for all of it, saved at once.
import { useEffect } from 'preact/hooks';
import { useSignal, type Signal } from '@preact/signals';
import { askWhole, Problem, remove } from '../api/client.ts';
import type { DevicePage, Template } from '../api/types.ts';
import { useAsk } from '../api/use.ts';
import { Empty, Failed, Head, Line, Skeleton, toast, Wrong } from '../parts/basic.tsx';
import { Confirm, Menu } from '../parts/dialog.tsx';
import { lazy } from '../parts/lazy.tsx';
import { go, path, setSearch, search, unsaved } from '../router.ts';
import { may, O } from '../session.ts';
import { t, type Key } from '../words/words.ts';
import { Connection, Events, Metadata } from './template-parts.tsx';
import { Streams } from './template-streams.tsx';
import { History } from './template-history.tsx';

const Editor = lazy<{ template: Template; etag: string; device: number; pins: string[]; onSaved: () => void; onClose: () => void }>(() => import('../layout/editor.tsx'));
const Preview = lazy<{ template: Template; device: number }>(() => import('./template-preview.tsx'));
const TABS = ['streams', 'dashboard', 'events', 'metadata', 'connection', 'history'] as const;

/** Everything in one file: what "import" of the list reads. */
function download(template: Template): void {
  const { name, description, streams, events, metadata, connection, layout } = template;
  const url = URL.createObjectURL(new Blob([JSON.stringify({ name, description, streams, events, metadata, connection, layout }, null, 2)], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${template.id}.json`;
  link.click();
  URL.revokeObjectURL(url);
}

function Dashboard({ template, etag, again }: { template: Template; etag: string; again: () => void }) {
  // A device of the template lends its live values.
  const devices = useAsk<DevicePage>(`${O.value}/devices?template=${template.id}&limit=1`);
  const editing = search.value.get('edit') === '1';
  const columns = devices.body.value?.columns;
  const at = columns?.template.indexOf(template.id) ?? -1;
  const device = columns && at >= 0 ? columns.id[at]! : 0;
  if (devices.busy.value && !devices.body.value) return <Skeleton />;
  if (editing) return <Editor template={template} etag={etag} device={device} pins={template.streams.map((one) => one.pin)} onSaved={again} onClose={() => setSearch({ edit: null })} />;
  const edit = may('dashboard.edit') && <button type="button" class="button primary" onClick={() => setSearch({ edit: '1' })}>{t('dashboard.edit')}</button>;
  if (template.layout.pages.every((page) => page.widgets.length === 0)) return <div class="card"><Empty icon="templates" title={t('dashboard.empty')} text={template.streams.length ? t('dashboard.empty.text') : t('dashboard.nostreams')}>{template.streams.length > 0 && edit}</Empty></div>;
  return <div class="stack"><div class="row apart"><span class="muted small">{device ? t('template.preview') : t('template.preview.none')}</span>{edit}</div><Preview template={template} device={device} /></div>;
}

function About({ draft, readOnly }: { draft: Signal<Template>; readOnly: boolean }) {
  return (
    <div class="card pad form two">
      <Line label={t('name')} value={draft.value.name} onValue={(name) => { draft.value = { ...draft.value, name }; }} required maxLength={64} readOnly={readOnly} />
      <Line label={t('template.description')} value={draft.value.description} onValue={(description) => { draft.value = { ...draft.value, description }; }} maxLength={200} readOnly={readOnly} />
    </div>
  );
}

function Loaded({ id, tab, template, etag, again }: { id: string; tab: string; template: Template; etag: string; again: () => Promise<void> }) {
  const draft = useSignal(template);
  const base = useSignal(template);
  const version = useSignal(etag);
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(false);
  const removing = useSignal(false);
  const readOnly = !may('template.edit');
  const current = (TABS as readonly string[]).includes(tab) ? tab : 'streams';
  const isChanged = JSON.stringify(draft.value) !== JSON.stringify(base.value);
  useEffect(() => { base.value = template; draft.value = template; version.value = etag; }, [template]);
  useEffect(() => { if (current !== 'dashboard') unsaved.value = isChanged ? t('edit.unsaved') : ''; return () => { unsaved.value = ''; }; }, [isChanged, current]);
  const save = async () => {
    busy.value = true;
    problem.value = null;
    try {
      const { id: _i, org: _o, version: _v, devices: _d, changed_ms: _c, ...sheet } = draft.value;
      await askWhole(`${O.value}/templates/${id}`, { method: 'PUT', body: sheet, etag: version.value });
      unsaved.value = '';
      toast(t('saved'));
      await again();
    } catch (error) { problem.value = error instanceof Problem ? error : new Problem(0, 'CONSOLE', String(error)); }
    busy.value = false;
  };
  const drop = async () => {
    removing.value = false;
    try { await remove(`${O.value}/templates/${id}`); toast(t('template.removed')); go('/templates'); } catch (error) { problem.value = error instanceof Problem ? error : null; }
  };
  return (
    <div class="screen">
      <Head title={template.name} crumb={{ href: '/templates', text: t('nav.templates') }} lead={<><span class="mono">{template.id}</span> · {t('template.devices', { n: template.devices })} · {t('template.version', { version: template.version })}</>}>
        <Menu label={t('more')} items={[
          { text: t('template.export'), icon: 'download', run: () => download(template) },
          may('template.delete') && { text: t('template.remove'), icon: 'trash', danger: true, run: () => { removing.value = true; } },
        ]} />
      </Head>
      <nav class="tabs" aria-label={t('template.tabs')}>
        {TABS.map((name) => { const href = name === 'streams' ? `/templates/${id}` : `/templates/${id}/${name}`; return <a key={name} href={href} aria-current={path.value === href ? 'page' : undefined}>{t(`template.tab.${name}` as Key)}</a>; })}
      </nav>
      <Failed problem={problem.value} />
      {current === 'streams' && <div class="stack"><About draft={draft} readOnly={readOnly} /><Streams draft={draft} readOnly={readOnly} /></div>}
      {current === 'dashboard' && <Dashboard template={template} etag={etag} again={() => void again()} />}
      {current === 'events' && <Events draft={draft} readOnly={readOnly} />}
      {current === 'metadata' && <Metadata draft={draft} readOnly={readOnly} />}
      {current === 'connection' && <Connection draft={draft} readOnly={readOnly} />}
      {current === 'history' && <History template={template} readOnly={readOnly} again={() => void again()} />}
      {isChanged && current !== 'dashboard' && (
        <div class="savebar" role="region" aria-label={t('template.changes')}>
          <strong>{t('template.changes')}</strong>
          <div class="row tight"><button type="button" class="button small" onClick={() => { draft.value = base.value; }}>{t('edit.discard')}</button><button type="button" class="button small primary" aria-busy={busy.value} onClick={() => void save()}>{t('save')}</button></div>
        </div>
      )}
      {removing.value && <Confirm title={t('template.remove')} text={t('template.remove.text', { n: template.devices })} action={t('remove')} onYes={() => void drop()} onClose={() => { removing.value = false; }} />}
    </div>
  );
}

export default function TemplateScreen({ id, tab }: { id: string; tab: string }) {
  const template = useAsk<Template>(`${O.value}/templates/${id}`);
  if (!template.body.value) return template.problem.value ? <Wrong top problem={template.problem.value} again={() => void template.again()} /> : <Skeleton />;
  return <Loaded id={id} tab={tab} template={template.body.value} etag={template.etag.value ?? ''} again={template.again} />;
}

