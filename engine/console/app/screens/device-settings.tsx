// What a device is: name, tags, metadata, template; its token, its owner and shares; and its end.
import { useSignal } from '@preact/signals';
import { ask, patch, remove } from '../api/client.ts';
import { D } from '../api/devices.ts';
import type { DeviceTemplate, Page, Share, TemplateLine } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { Age, Failed, Field, Line, Loaded, Secret, toast } from '../parts/basic.tsx';
import { Confirm } from '../parts/dialog.tsx';
import { go } from '../router.ts';
import { StepUp } from '../parts/step-up.tsx';
import { may as mayHere } from '../session.ts';
import { date, named, t } from '../words/words.ts';
import type { DeviceProps } from './device.tsx';

function About({ device, may, reload }: DeviceProps) {
  const name = useSignal(device.name);
  const tags = useSignal(device.tags.join(', '));
  const template = useSignal(device.template ?? '');
  const metadata = useSignal(device.metadata);
  const templates = useAsk<Page<TemplateLine>>(mayHere('template.view') ? `/orgs/${device.org}/templates` : null);
  const sheet = useAsk<DeviceTemplate>(device.template ? `${D(device.id)}/template` : null);
  const { busy, problem, run } = useDo();
  const fields = [...new Set([...(sheet.body.value?.metadata.map((field) => field.name) ?? []), ...Object.keys(metadata.value)])];
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await patch(D(device.id), { name: name.value.trim(), tags: [...new Set(tags.value.split(',').map((tag) => tag.trim()).filter(Boolean))], template: template.value || null, metadata: metadata.value });
      toast(t('saved'));
      reload();
    });
  };
  const readOnly = !may('device.edit');
  return (
    <form class="card pad stack" onSubmit={submit}>
      <h2>{t('settings.about')}</h2>
      <div class="form two">
        <Line label={t('name')} value={name.value} onValue={(v) => { name.value = v; }} required maxLength={64} readOnly={readOnly} />
        <Line label={t('settings.tags')} hint={t('settings.tags.hint')} value={tags.value} onValue={(v) => { tags.value = v; }} readOnly={readOnly} />
        <Field label={t('template')}>
          {(attributes) => (
            <select {...attributes} value={template.value} disabled={readOnly} onChange={(event) => { template.value = event.currentTarget.value; }}>
              <option value="">{t('add.template.none')}</option>
              {(templates.body.value?.items ?? (device.template ? [{ id: device.template, name: device.template_name ?? device.template }] : [])).map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
            </select>
          )}
        </Field>
        {fields.map((field) => <Line key={field} label={field} value={metadata.value[field] ?? ''} onValue={(v) => { metadata.value = { ...metadata.value, [field]: v }; }} readOnly={readOnly} maxLength={1_024} />)}
      </div>
      <Failed problem={problem.value} />
      {!readOnly && <div class="row"><button type="submit" class="button primary" aria-busy={busy.value}>{t('save')}</button></div>}
    </form>
  );
}

function TokenCard({ device }: DeviceProps) {
  const token = useSignal('');
  const asking = useSignal<'show' | 'new' | null>(null);
  const step = useSignal<'show' | 'new' | null>(null);
  const act = async (what: 'show' | 'new') => {
    const answer = await ask<{ token: string }>(`${D(device.id)}/token`, what === 'new' ? { method: 'POST', body: {} } : {});
    token.value = answer.token;
    if (what === 'new') toast(t('settings.token.replaced'));
  };
  return (
    <section class="card pad stack tight">
      <h2>{t('token')}</h2>
      <p class="muted">{t('settings.token.text')}</p>
      {token.value && <Secret text={token.value} label={t('token.copy')} />}
      <div class="row">
        <button type="button" class="button" onClick={() => { step.value = 'show'; }}>{t('settings.token.show')}</button>
        <button type="button" class="button" onClick={() => { asking.value = 'new'; }}>{t('settings.token.new')}</button>
      </div>
      {asking.value === 'new' && <Confirm title={t('settings.token.new')} text={t('settings.token.new.text')} action={t('settings.token.new')} onClose={() => { asking.value = null; }} onYes={() => { asking.value = null; step.value = 'new'; }} />}
      {step.value && <StepUp onClose={() => { step.value = null; }} work={async () => { await act(step.value!); }} />}
    </section>
  );
}

function Shares({ device }: DeviceProps) {
  const shares = useAsk<Page<Share>>(`${D(device.id)}/shares`);
  const { problem, run } = useDo();
  const end = (user: number) => void run(async () => { await remove(`${D(device.id)}/shares/${user}`); toast(t('settings.share.ended')); await shares.again(); });
  return (
    <section class="card">
      <header><h2>{t('settings.shares')}</h2></header>
      <Loaded asked={shares} lines={2}>{(page) => page.items.length === 0 ? <p class="muted pad">{t('settings.shares.none')}</p> : (
        <ul class="item-list">{page.items.map((one) => <li key={one.user}><div class="grow"><strong>{one.name}</strong><p class="muted small">{one.permissions.map((name) => named('permission', name)).join(', ')}</p></div>{one.until_ms && <span class="muted small">{date(one.until_ms)}</span>}<button type="button" class="button small" aria-label={t('settings.share.end', { name: one.name })} onClick={() => end(one.user)}>{t('remove')}</button></li>)}</ul>
      )}</Loaded>
      <Failed problem={problem.value} />
    </section>
  );
}

function Ending({ device, may }: DeviceProps) {
  const asking = useSignal<'erase' | 'remove' | null>(null);
  const { problem, run } = useDo();
  const erase = () => void run(async () => { asking.value = null; await remove(`${D(device.id)}/data`); toast(t('settings.erased')); });
  const end = () => void run(async () => { asking.value = null; await remove(D(device.id)); toast(t('devices.removed', { n: 1 })); go('/devices'); });
  if (!may('device.erase') && !may('device.delete')) return null;
  return (
    <section class="card pad stack tight">
      <h2>{t('settings.ending')}</h2>
      <Failed problem={problem.value} />
      <div class="row">
        {may('device.erase') && <button type="button" class="button danger" onClick={() => { asking.value = 'erase'; }}>{t('settings.erase')}</button>}
        {may('device.delete') && <button type="button" class="button danger" onClick={() => { asking.value = 'remove'; }}>{t('settings.remove')}</button>}
      </div>
      {asking.value === 'erase' && <Confirm title={t('settings.erase')} text={t('settings.erase.text')} action={t('settings.erase')} onYes={erase} onClose={() => { asking.value = null; }} />}
      {asking.value === 'remove' && <Confirm title={t('devices.remove.title', { n: 1 })} text={t('devices.remove.text')} action={t('remove')} onYes={end} onClose={() => { asking.value = null; }} />}
    </section>
  );
}

export default function Settings(props: DeviceProps) {
  const { device, may } = props;
  const facts: [string, string | null][] = [[t('settings.id'), String(device.id)], [t('nav.org'), device.org_name], [t('settings.owner'), device.owner_name], [t('settings.board'), device.board], [t('settings.firmware'), device.firmware], [t('settings.library'), device.library], [t('settings.transport'), device.transport], [t('settings.created'), date(device.created_ms)]];
  return (
    <div class="stack loose">
      <About {...props} />
      <section class="card pad stack">
        <h2>{t('settings.facts')}</h2>
        <dl class="facts">{facts.filter(([, text]) => text).map(([name, text]) => [<dt key={name}>{name}</dt>, <dd key={`${name}d`}>{text}</dd>])}{device.seen_ms && [<dt key="seen">{t('devices.seen')}</dt>, <dd key="seend"><Age at={device.seen_ms} /></dd>]}</dl>
      </section>
      {may('device.token') && <TokenCard {...props} />}
      {may('device.edit') && <Shares {...props} />}
      <Ending {...props} />
    </div>
  );
}
