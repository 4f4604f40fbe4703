// Every screen with an address, and what to do there before it is looked at.
export const OPEN = [
  ['sign-in', '/sign-in'], ['welcome', '/welcome#secret'], ['invite', '/invite#token=x&email=lena@example.org'], ['reset', '/reset'], ['reset-new', '/reset#token=x'],
];
export const SIGNED_IN = [
  ['devices', '/devices'], ['devices-nofit', '/devices?q=zzzz'], ['add', '/devices/add'], ['waiting', '/devices/waiting'],
  ['dashboard', '/devices/1'], ['dashboard-2', '/devices/1?page=p2'], ['draft', '/devices/19'], ['timeline', '/devices/1/timeline'], ['diary', '/devices/1/diary'], ['data', '/devices/1/values'], ['wire', '/devices/1/wire'], ['settings', '/devices/1/settings'],
  ['edit', '/devices/1?edit=1'],
  ['templates', '/templates'], ['streams', '/templates/TMPLgreen001'], ['template-dashboard', '/templates/TMPLgreen001/dashboard'], ['template-events', '/templates/TMPLgreen001/events'], ['metadata', '/templates/TMPLgreen001/metadata'], ['connection', '/templates/TMPLgreen001/connection'], ['versions', '/templates/TMPLgreen001/history'],
  ['events', '/events'], ['users', '/people'], ['roles', '/people/roles'], ['organizations', '/people/organizations'], ['invitations', '/people/invitations'], ['audit', '/people/audit'],
  ['server', '/server'], ['shards', '/server/shards'], ['certificates', '/server/certificates'], ['backups', '/server/backups'], ['keys', '/server/keys'], ['limits', '/server/limits'], ['findings', '/server/findings'],
  ['me', '/me'], ['security', '/me/security'], ['personal-keys', '/me/keys'], ['privacy', '/me/privacy'], ['no-page', '/nowhere'], ['no-device', '/devices/999'],
];
/** Dialogs and menus: where they are opened, and the accessible names of what is clicked for it. */
export const DIALOGS = [
  ['widget-settings', '/devices/1?edit=1', ['Gauge: Air temperature', 'Widget settings']], ['add-widget', '/devices/1?edit=1', ['Add widget']], ['page-settings', '/devices/1?edit=1', ['Page settings']],
  ['stream', '/templates/TMPLgreen001', ['Mode']], ['new-template', '/templates', ['New template']], ['compare', '/templates/TMPLgreen001/history', ['Compare version 6 with the current one']],
  ['invite-dialog', '/people', ['Invite']], ['role', '/people/roles', ['Staff']], ['organization', '/people/organizations', ['Botanic Garden']], ['user-menu', '/people', ['Actions for Jonas Weber']],
  ['resolve', '/events', ['Resolve']], ['replace-token', '/devices/1/settings', ['Replace token']], ['new-key', '/me/keys', ['New key']], ['palette', '/devices', ['Search Ctrl K']],
];
