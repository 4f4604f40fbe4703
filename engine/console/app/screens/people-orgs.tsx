// The tree of organizations, and the rules of each.
import { useSignal } from '@preact/signals';
import { patch, post } from '../api/client.ts';
import type { Org, Page } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { Check, Empty, Failed, Line, Loaded, toast } from '../parts/basic.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { may, O } from '../session.ts';
import { t } from '../words/words.ts';

/** Parents before their children, siblings by name. */
export function inTree(orgs: Org[]): Org[] {
  const ids = new Set(orgs.map((one) => one.id));
  const below = (parent: number | null): Org[] => orgs.filter((one) => (one.parent !== null && ids.has(one.parent) ? one.parent : null) === parent).sort((a, b) => a.name.localeCompare(b.name)).flatMap((one) => [one, ...below(one.id)]);
  return below(null);
}

function OrgForm({ org, onDone, onClose }: { org: Org | null; onDone: () => void; onClose: () => void }) {
  const name = useSignal(org?.name ?? '');
  const factor = useSignal(org?.policy.factor ?? false);
  const plain = useSignal(org?.policy.plain ?? false);
  const hours = useSignal(String(org?.policy.session_hours ?? 12));
  const { busy, problem, run } = useDo();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      const body = { name: name.value.trim(), policy: { factor: factor.value, plain: plain.value, session_hours: Number(hours.value) || 12 } };
      if (org) await patch(`/orgs/${org.id}`, body);
      else await post(`${O.value}/orgs`, { ...body, kind: 'business' });
      toast(t('saved'));
      onDone();
    });
  };
  return (
    <Dialog title={org?.name ?? t('org.new')} onClose={onClose}>
      <form class="form" onSubmit={submit}>
        <Line label={t('name')} value={name.value} onValue={(v) => { name.value = v; }} required maxLength={64} autofocus />
        <Line label={t('org.hours')} inputMode="numeric" value={hours.value} onValue={(v) => { hours.value = v; }} />
        <Check label={t('org.factor')} checked={factor.value} onValue={(on) => { factor.value = on; }} />
        <Check label={t('org.plain')} checked={plain.value} onValue={(on) => { plain.value = on; }} />
        <Failed problem={problem.value} />
        <button type="submit" class="button primary" aria-busy={busy.value}>{t('save')}</button>
      </form>
    </Dialog>
  );
}

export function Orgs() {
  const orgs = useAsk<Page<Org>>(`${O.value}/orgs?below=true`);
  const open = useSignal<{ org: Org | null } | null>(null);
  const button = may('org.create') && <button type="button" class="button small" onClick={() => { open.value = { org: null }; }}><Icon name="plus" size={16} />{t('org.new')}</button>;
  return (
    <section class="card" aria-labelledby="orgs-title">
      <header><h2 id="orgs-title">{t('people.tab.organizations')}</h2>{button}</header>
      <Loaded asked={orgs}>{(page) => page.items.length === 0 ? <Empty icon="org" title={t('org.none')} text={t('org.none.text')} /> : (
        <ul class="item-list">
          {inTree(page.items).map((one) => (
            <li key={one.id} class="tree-row" ref={(row) => row?.style.setProperty('--depth', String(one.depth))}>
              <Icon name="org" />
              <div class="grow">{may('org.edit') ? <button type="button" class="link" onClick={() => { open.value = { org: one }; }}>{one.name}</button> : <strong>{one.name}</strong>}<p class="muted small">{t('org.counts', { n: one.devices })} · {t('org.users', { n: one.users })}</p></div>
              {one.policy.factor && <span class="badge accent">{t('org.factor.short')}</span>}
              {one.state === 'suspended' && <span class="badge bad">{t('people.suspended')}</span>}
            </li>
          ))}
        </ul>
      )}</Loaded>
      {open.value && <OrgForm org={open.value.org} onClose={() => { open.value = null; }} onDone={() => { open.value = null; void orgs.again(); }} />}
    </section>
  );
}
