// People of an organization: users, roles, organizations below, invitations, audit.
import { Empty, Head } from '../parts/basic.tsx';
import { path } from '../router.ts';
import { grant, may } from '../session.ts';
import { t, type Key } from '../words/words.ts';
import { Audit } from './people-audit.tsx';
import { Invites, Users } from './people-users.tsx';
import { Orgs } from './people-orgs.tsx';
import { Roles } from './people-roles.tsx';

const TABS: [string, string, () => preact.JSX.Element][] = [
  ['users', 'user.view', Users], ['roles', 'role.view', Roles], ['organizations', 'org.view', Orgs], ['invitations', 'user.invite', Invites], ['audit', 'audit.view', Audit],
];

export default function People({ tab }: { id: string; tab: string }) {
  const shown = TABS.filter(([, permission]) => may(permission));
  const current = shown.find(([name]) => name === (tab || 'users')) ?? null;
  const Tab = current?.[2];
  return (
    <div class="screen">
      <Head title={t('nav.people')} lead={grant.value?.org_name} />
      <nav class="tabs" aria-label={t('nav.people')}>
        {shown.map(([name]) => { const href = name === 'users' ? '/people' : `/people/${name}`; return <a key={name} href={href} aria-current={path.value === href ? 'page' : undefined}>{t(`people.tab.${name}` as Key)}</a>; })}
      </nav>
      {Tab ? <Tab /> : <Empty icon="lock" tone="neutral" title={t('wrong.forbidden')} text={t('wrong.forbidden.text')} />}
    </div>
  );
}
