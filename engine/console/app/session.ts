// Who is signed in, and what they may do where.
import { computed, signal } from '@preact/signals';
import { ask, csrf, onSignedOut, post, Problem, remove, settled } from './api/client.ts';
import { passwordHash } from './api/hash.ts';
import type { Grant, Me, SessionAnswer } from './api/types.ts';
import { HINT, wasSignedIn } from './early.ts';
import { connect, disconnect, onAny, onUnopened, rights } from './live/socket.ts';
import { forget } from './live/store.ts';
import { go, path, search } from './router.ts';

/** `undefined`: not asked yet; `null`: nobody. */
export const me = signal<Me | null | undefined>(undefined);
/** The organization that the screens show. */
export const orgId = signal(Number(localStorage.getItem('linchpin.org')) || 0);
/** The role that the person views the console as; `null` for their own. */
export const viewAs = signal<{ name: string; all: string[]; own: string[] } | null>(null);

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
  if (seen && !seen.all.includes(permission) && !seen.own.includes(permission)) return false;
  return held.all.includes(permission) || held.own.includes(permission);
}

export function setOrg(id: number): void {
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
  viewAs.value = null;
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
onSignedOut.call = () => void check();
onUnopened.call = () => {
  if (!me.peek()) return;
  void ask<Me>('/me').catch((error) => { if (error instanceof Problem && error.status === 401) void check(); });
};
onAny((report) => { if (report.kind === 'revoked') void check(); });
rights.subscribe(() => { if (me.peek()) void ask<Me>('/me').then((found) => { me.value = found; }).catch(() => {}); });
