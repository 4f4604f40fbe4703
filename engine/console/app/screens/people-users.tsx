// Users and invitations.
import { useSignal } from '@preact/signals';
import { post, put, remove } from '../api/client.ts';
import { foldEmail } from '../api/hash.ts';
import type { Invite, Page, Role, UserLine } from '../api/types.ts';
import { useAsk, useDo } from '../api/use.ts';
import { Age, Check, Empty, Failed, Field, Line, Loaded, Note, toast } from '../parts/basic.tsx';
import { Confirm, Dialog, Menu } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { may, me, O } from '../session.ts';
import { date, t } from '../words/words.ts';

function RolePick({ value, onValue }: { value: string; onValue: (role: string) => void }) {
  const roles = useAsk<Page<Role>>(`${O.value}/roles`);
  return (
    <Field label={t('people.role')}>
      {(attributes) => (
        <select {...attributes} value={value} required onChange={(event) => onValue(event.currentTarget.value)}>
          <option value="">{t('choose')}</option>
          {(roles.body.value?.items ?? []).map((role) => <option key={role.id} value={String(role.id)}>{role.name}</option>)}
        </select>
      )}
    </Field>
  );
}

export function InviteDialog({ onDone, onClose }: { onDone: () => void; onClose: () => void }) {
  const email = useSignal('');
  const role = useSignal('');
  const below = useSignal(false);
  const { busy, problem, run } = useDo();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await post(`${O.value}/invites`, { email: foldEmail(email.value), role: Number(role.value), below: below.value });
      toast(t('people.invited', { email: email.value }));
      onDone();
    });
  };
  return (
    <Dialog title={t('people.invite')} onClose={onClose}>
      <form class="form" onSubmit={submit}>
        <Line label={t('email')} type="email" value={email.value} onValue={(v) => { email.value = v; }} required autofocus hint={t('people.invite.hint')} />
        <RolePick value={role.value} onValue={(v) => { role.value = v; }} />
        <Check label={t('people.below')} checked={below.value} onValue={(on) => { below.value = on; }} />
        <Failed problem={problem.value} />
        <button type="submit" class="button primary" aria-busy={busy.value}>{t('people.invite.send')}</button>
      </form>
    </Dialog>
  );
}

function GrantDialog({ user, onDone, onClose }: { user: UserLine; onDone: () => void; onClose: () => void }) {
  const role = useSignal(String(user.role));
  const below = useSignal(user.below);
  const { busy, problem, run } = useDo();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => {
      await put(`${O.value}/users/${user.id}/grant`, { role: Number(role.value), below: below.value, until: null });
      toast(t('saved'));
      onDone();
    });
  };
  return (
    <Dialog title={t('people.grant', { name: user.name || user.email })} onClose={onClose}>
      <form class="form" onSubmit={submit}>
        <RolePick value={role.value} onValue={(v) => { role.value = v; }} />
        <Check label={t('people.below')} checked={below.value} onValue={(on) => { below.value = on; }} />
        <Failed problem={problem.value} />
        <button type="submit" class="button primary" aria-busy={busy.value}>{t('save')}</button>
      </form>
    </Dialog>
  );
}

type Act = { user: UserLine; what: 'grant' | 'suspend' | 'remove' };

export function Users() {
  const users = useAsk<Page<UserLine>>(`${O.value}/users`);
  const inviting = useSignal(false);
  const act = useSignal<Act | null>(null);
  const { problem, run } = useDo();
  const done = (words: string) => { act.value = null; toast(words); void users.again(); };
  const doIt = (user: UserLine, verb: 'logout' | 'reset' | 'resume' | 'suspend', words: string) => void run(async () => { await post(`${O.value}/users/${user.id}/${verb}`); done(words); });
  const drop = (user: UserLine) => void run(async () => { act.value = null; await remove(`${O.value}/users/${user.id}`); done(t('people.removed')); });
  const now = act.value;
  return (
    <section class="card" aria-labelledby="users-title">
      <header><h2 id="users-title">{t('people.tab.users')}</h2>{may('user.invite') && <button type="button" class="button primary small" onClick={() => { inviting.value = true; }}><Icon name="mail" size={16} />{t('people.invite')}</button>}</header>
      <Failed problem={problem.value} />
      <Loaded asked={users}>{(page) => (
        <ul class="item-list">
          {page.items.map((user) => (
            <li key={user.id}>
              <span class="avatar" aria-hidden="true">{(user.name || user.email).split(/\s+/).map((word) => word[0]).slice(0, 2).join('').toUpperCase()}</span>
              <div class="grow"><strong>{user.name || user.email}</strong><p class="muted small wrap-any">{user.email}</p></div>
              <span class="badge">{user.role_name}{user.below && ` ↓`}</span>
              {user.state !== 'active' && <span class={`badge ${user.state === 'suspended' ? 'bad' : 'warning'}`}>{t(`people.${user.state}`)}</span>}
              <span class="muted small seen-cell">{user.factor ? t('people.factor') : t('people.nofactor')}{user.seen_ms !== null && <> · <Age at={user.seen_ms} /></>}</span>
              <Menu label={t('people.actions', { name: user.name || user.email })} items={[
                may('role.assign') && user.id !== me.value?.user.id && { text: t('people.changerole'), icon: 'settings', run: () => { act.value = { user, what: 'grant' }; } },
                may('user.edit') && { text: t('people.logout'), icon: 'out', run: () => doIt(user, 'logout', t('people.loggedout')) },
                may('user.reset') && { text: t('people.reset'), icon: 'key', run: () => doIt(user, 'reset', t('people.resetsent')) },
                may('user.suspend') && user.id !== me.value?.user.id && (user.state === 'suspended' ? { text: t('people.resume'), icon: 'play' as const, run: () => doIt(user, 'resume', t('saved')) } : { text: t('people.suspend'), icon: 'pause' as const, run: () => { act.value = { user, what: 'suspend' }; } }),
                may('user.remove') && user.id !== me.value?.user.id && { text: t('remove'), icon: 'trash', danger: true, run: () => { act.value = { user, what: 'remove' }; } },
              ]} />
            </li>
          ))}
        </ul>
      )}</Loaded>
      {inviting.value && <InviteDialog onClose={() => { inviting.value = false; }} onDone={() => { inviting.value = false; }} />}
      {now?.what === 'grant' && <GrantDialog user={now.user} onClose={() => { act.value = null; }} onDone={() => done(t('saved'))} />}
      {now?.what === 'suspend' && <Confirm title={t('people.suspend.title', { name: now.user.name || now.user.email })} text={t('people.suspend.text')} action={t('people.suspend')} onClose={() => { act.value = null; }} onYes={() => { act.value = null; doIt(now.user, 'suspend', t('saved')); }} />}
      {now?.what === 'remove' && <Confirm title={t('people.remove.title', { name: now.user.name || now.user.email })} text={t('people.remove.text')} action={t('remove')} onClose={() => { act.value = null; }} onYes={() => drop(now.user)} />}
    </section>
  );
}

export function Invites() {
  const invites = useAsk<Page<Invite>>(`${O.value}/invites`);
  const inviting = useSignal(false);
  const { problem, run } = useDo();
  const end = (invite: Invite) => void run(async () => { await remove(`${O.value}/invites/${invite.id}`); toast(t('people.invite.ended')); await invites.again(); });
  const button = <button type="button" class="button primary small" onClick={() => { inviting.value = true; }}><Icon name="mail" size={16} />{t('people.invite')}</button>;
  return (
    <section class="card" aria-labelledby="invites-title">
      <header><h2 id="invites-title">{t('people.tab.invitations')}</h2>{(invites.body.value?.items.length ?? 0) > 0 && button}</header>
      <Failed problem={problem.value} />
      <Loaded asked={invites}>{(page) => page.items.length === 0 ? <Empty icon="mail" title={t('people.invite.none')} text={t('people.invite.none.text')}>{button}</Empty> : (
        <ul class="item-list">{page.items.map((one) => <li key={one.id}><Icon name="mail" /><div class="grow"><strong class="wrap-any">{one.email}</strong><p class="muted small">{one.role_name} · {t('people.invite.by', { name: one.by })} · <Age at={one.made_ms} /></p></div><span class="muted small">{t('until', { date: date(one.until_ms) })}</span><button type="button" class="button small" aria-label={t('people.invite.end', { email: one.email })} onClick={() => end(one)}>{t('people.invite.end.short')}</button></li>)}</ul>
      )}</Loaded>
      <div class="body"><Note>{t('people.invite.note')}</Note></div>
      {inviting.value && <InviteDialog onClose={() => { inviting.value = false; }} onDone={() => { inviting.value = false; void invites.again(); }} />}
    </section>
  );
}
