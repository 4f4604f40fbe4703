// Roles: what each may do, for all devices or for owned ones; and the console as that role sees it.
import { useSignal } from '@preact/signals';
import { put, remove } from '../api/client.ts';
import type { Page, Role } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { Failed, Line, Loaded, Note, toast } from '../parts/basic.tsx';
import { Dialog, Menu } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { go } from '../router.ts';
import { grant, look, may, O } from '../session.ts';
import { named, t, type Key } from '../words/words.ts';

/** Every permission, by what it is about. Those of devices, events and dashboards may be for owned devices only. */
const GROUPS: [string, string[]][] = [
  ['device', ['view', 'control', 'create', 'edit', 'delete', 'erase', 'token', 'transfer', 'batch', 'export', 'diagnose']],
  ['template', ['view', 'edit', 'delete', 'publish']], ['event', ['view', 'resolve']], ['firmware', ['view', 'ship']], ['automation', ['view', 'edit', 'run']], ['dashboard', ['view', 'edit']], ['hook', ['manage']],
  ['user', ['view', 'invite', 'edit', 'suspend', 'remove', 'reset', 'transfer']], ['role', ['view', 'edit', 'assign']], ['org', ['view', 'edit', 'create', 'transfer', 'delete']],
  ['key', ['manage']], ['audit', ['view']], ['privacy', ['export', 'erase']], ['server', ['manage']],
];
const OWNABLE = ['device', 'event', 'dashboard'];
type Reach = 'none' | 'own' | 'all';

function RoleForm({ role, isNew, onDone, onClose }: { role: Role; isNew: boolean; onDone: () => void; onClose: () => void }) {
  const draft = useSignal(role);
  const { busy, problem, run } = useDo();
  const one = draft.value;
  const readOnly = role.builtin || !may('role.edit');
  const held = grant.value;
  const reach = (name: string): Reach => (one.org.includes(name) ? 'all' : one.own.includes(name) ? 'own' : 'none');
  const set = (name: string, next: Reach) => {
    const without = (list: string[]) => list.filter((other) => other !== name);
    draft.value = { ...one, org: next === 'all' ? [...without(one.org), name] : without(one.org), own: next === 'own' ? [...without(one.own), name] : without(one.own) };
  };
  const save = () => void run(async () => {
    await put(`${O.value}/roles/${one.id}`, { name: one.name, org: one.org, own: one.own });
    toast(t('saved'));
    onDone();
  });
  return (
    <Dialog title={isNew ? t('role.new') : role.name} onClose={onClose} wide foot={readOnly ? undefined : <><button type="button" class="button" onClick={onClose}>{t('cancel')}</button><button type="button" class="button primary" disabled={!one.name.trim()} aria-busy={busy.value} onClick={save}>{t('save')}</button></>}>
      {role.builtin ? <Note>{t('role.builtin.text')}</Note> : <Line label={t('name')} value={one.name} onValue={(name) => { draft.value = { ...one, name }; }} maxLength={32} readOnly={readOnly} autofocus />}
      <Failed problem={problem.value} />
      <div class="permissions">
        {GROUPS.map(([group, verbs]) => (
          <fieldset key={group}>
            <legend>{t(`role.group.${group}` as Key)}</legend>
            {verbs.map((verb) => {
              const name = `${group}.${verb}`;
              const mayGive = held?.all.includes(name) || held?.own.includes(name);
              return (
                <label key={name} class="row apart nowrap-row small">
                  <span>{named('permission', name)}</span>
                  <select class="input small reach" value={reach(name)} disabled={readOnly || !mayGive} onChange={(event) => set(name, event.currentTarget.value as Reach)}>
                    <option value="none">{t('role.none')}</option>
                    {OWNABLE.includes(group) && <option value="own">{t('role.own')}</option>}
                    <option value="all">{t('role.all')}</option>
                  </select>
                </label>
              );
            })}
          </fieldset>
        ))}
      </div>
    </Dialog>
  );
}

export function Roles() {
  const roles = useAsk<Page<Role>>(`${O.value}/roles`);
  const open = useSignal<{ role: Role; isNew: boolean } | null>(null);
  const { problem, run } = useDo();
  const drop = (role: Role) => void run(async () => { await remove(`${O.value}/roles/${role.id}`); toast(t('role.removed')); await roles.again(); });
  const lookAs = (role: Role) => { look(role); go('/devices'); };
  const fresh = (from?: Role) => { const used = (roles.body.value?.items ?? []).map((one) => one.id); open.value = { isNew: true, role: { id: Math.max(15, ...used) + 1, name: from ? t('role.copyof', { name: from.name }) : '', builtin: false, inherited: false, users: 0, org: from?.org ?? [], own: from?.own ?? [] } }; };
  return (
    <section class="card" aria-labelledby="roles-title">
      <header><h2 id="roles-title">{t('people.tab.roles')}</h2>{may('role.edit') && <button type="button" class="button small" onClick={() => fresh()}><Icon name="plus" size={16} />{t('role.new')}</button>}</header>
      <Failed problem={problem.value} />
      <Loaded asked={roles}>{(page) => (
        <ul class="item-list">
          {page.items.map((role) => (
            <li key={role.id}>
              <div class="grow"><button type="button" class="link" onClick={() => { open.value = { role, isNew: false }; }}>{role.name}</button><p class="muted small">{t('role.counts', { n: role.org.length, own: role.own.length })}</p></div>
              {role.builtin && <span class="badge">{t('role.builtin')}</span>}
              <span class="muted small">{t('role.users', { n: role.users })}</span>
              <button type="button" class="button small" aria-label={t('role.viewas', { name: role.name })} onClick={() => lookAs(role)}>{t('role.viewas.short')}</button>
              {may('role.edit') && <Menu label={t('people.actions', { name: role.name })} items={[{ text: t('role.copy'), icon: 'copy', run: () => fresh(role) }, !role.builtin && { text: t('remove'), icon: 'trash', danger: true, run: () => drop(role) }]} />}
            </li>
          ))}
        </ul>
      )}</Loaded>
      {open.value && <RoleForm role={open.value.role} isNew={open.value.isNew} onClose={() => { open.value = null; }} onDone={() => { open.value = null; void roles.again(); }} />}
    </section>
  );
}
