// Who is signed in, and what they may do where.
import { batch, computed, signal } from '@preact/signals';
import { ask, csrf, onSignedOut, post, Problem, remove, settled } from './api/client.ts';
import { passwordHash } from './api/hash.ts';
import type { Device, Grant, Me, Role, SessionAnswer } from './api/types.ts';
import { HINT, wasSignedIn } from './early.ts';
import { eyes, onViewLost } from './eyes.ts';
import { askTicket } from './live/address.ts';
import { connect, disconnect, onAny, onUnopened, renew, rights } from './live/socket.ts';
import { forget } from './live/store.ts';
import { go, path, search } from './router.ts';

/** `undefined`: not asked yet; `null`: nobody. */
export const me = signal<Me | null | undefined>(undefined);
/** The organization that the screens show. */
export const orgId = signal(Number(localStorage.getItem('linchpin.org')) || 0);
/** The role whose eyes the person looks through; `null`: their own. The server shows less by it, the screens hide the rest. */
export const viewAs = signal<Role | null>(null);

export const grant = computed<Grant | null>(() => {
  const grants = me.value?.grants ?? [];
  return grants.find((g) => g.org === orgId.value) ?? grants[0] ?? null;
});
/** The path of the organization in the API. */
export const O = computed(() => `/orgs/${grant.value?.org ?? 0}`);

/** Does the person have this permission in the organization, for some of its devices at least? */
export function may(permission: string): boolean {
  const held = grant.value;
  if (!held) return false;
  const seen = viewAs.value;
  // A browser fetches a file without the view: it would hold what the role does not see.
  if (seen && (permission === 'device.export' || !(seen.org.includes(permission) || seen.own.includes(permission)))) return false;
  return held.all.includes(permission) || held.own.includes(permission);
}

/** The same with one device: as the server says, and in a view as the role could. */
export function mayWith(device: Device): (permission: string) => boolean {
  const seen = viewAs.value;
  if (!seen) return (permission) => device.may.includes(permission);
  const isOwner = device.owner === me.value?.user.id;
  return (permission) => may(permission) && (isOwner || seen.org.includes(permission) || device.may.includes(permission));
}

function view(role: Role | null): void {
  const now = role ? `${grant.peek()?.org ?? 0}/${role.id}` : '';
  if (now === eyes.peek()) return;
  batch(() => { viewAs.value = role; eyes.value = now; });
  forget();
  renew();
}
/** Look through the eyes of a role in the organization that is shown. */
export const look = (role: Role): void => view(role);
export const leaveView = (): void => view(null);

export function setOrg(id: number): void {
  leaveView();
  orgId.value = id;
  localStorage.setItem('linchpin.org', String(id));
  hint();
}

async function begin(): Promise<void> {
  const found = await ask<Me>('/me');
  csrf.value = found.csrf;
  me.value = found;
  hint();
  connect();
}

/** For the next visit: see early.ts. */
const hint = (): void => localStorage.setItem(HINT, String(grant.peek()?.org ?? 0));

/** Is there a session? Asked once, at the start. */
export async function resume(): Promise<void> {
  if (!wasSignedIn() && ['/', '/sign-in', '/welcome', '/invite', '/reset', '/verify', '/stop'].includes(path.peek())) { me.value = null; return; }
  try { await begin(); } catch { me.value = null; }
}

/** Sign in. Answers what is still due, such as `factor`. */
export async function signIn(email: string, password: string, code?: string): Promise<string[]> {
  const answer = await post<SessionAnswer>('/session', { email, hash: passwordHash(email, password), ...(code ? { code } : {}) });
  csrf.value = answer.csrf;
  if (answer.due.length === 0) await begin();
  return answer.due;
}

/** Give the second factor after a sign-in at another server. Answers what is still due: nothing. */
export async function secondFactor(code: string): Promise<string[]> {
  csrf.value = (await ask<Me>('/me')).csrf;
  await post('/session/step-up', { code });
  await begin();
  return [];
}

/** Where to go after signing in: the address that was asked for, within this site, else the devices. */
export function landing(): string {
  const next = search.peek().get('next') ?? '';
  return /^\/(?![/\\])/.test(next) && !next.startsWith('/sign-in') ? next : '/devices';
}

export async function signOut(): Promise<void> {
  await remove('/session').catch(() => {});
  end();
  go('/sign-in');
}

function end(): void {
  disconnect();
  forget();
  csrf.value = '';
  batch(() => { viewAs.value = null; eyes.value = ''; });
  localStorage.removeItem(HINT);
  me.value = null;
}

let checking = false;
/** Somebody says that the session is over. It may have become another one: a new password or factor ends all sessions and begins one. */
async function check(): Promise<void> {
  if (!me.peek() || checking) return;
  checking = true;
  try {
    await settled();
    await begin();
  } catch (error) {
    // No answer: the link comes back by itself, or is refused then.
    if (error instanceof Problem && error.status !== 401) connect();
    else {
      const from = path.peek();
      end();
      go(`/sign-in?next=${encodeURIComponent(from)}&over=1`, true);
    }
  } finally { checking = false; }
}
onViewLost.call = leaveView;
askTicket.call = async () => (await post<{ ticket: string }>('/live/ticket')).ticket;
onSignedOut.call = () => void check();
onUnopened.call = () => {
  if (!me.peek()) return;
  void ask<Me>('/me').catch((error) => { if (error instanceof Problem && error.status === 401) void check(); });
};
onAny((report) => { if (report.kind === 'revoked') void check(); });
rights.subscribe(() => { if (me.peek()) void ask<Me>('/me').then((found) => { me.value = found; }).catch(() => {}); });
