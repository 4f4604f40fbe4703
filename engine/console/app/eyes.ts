// Through whose eyes the page looks. Its own file: the requests, the live socket and the session all go by it.
import { signal } from '@preact/signals';

/** The field that says it to the server. */
export const EYES = 'x-linchpin-view-as';
/** `ORGANIZATION/ROLE`; empty: through the person's own. */
export const eyes = signal('');
/** Called when the server does not give the view any more: the role is gone, or the right to see roles. */
export const onViewLost = { call: (): void => {} };

/** Paths that are the person's own: a role has no person. */
export const isOwn = (path: string): boolean => /^\/(me|session)(?![^/?])/.test(path);
/** What may be asked in a view: all that reads, a ticket for a live socket that has the view's eyes, and to sign out. */
export const isAllowed = (method: string, path: string): boolean => method === 'GET' || path === '/live/ticket' || (method === 'DELETE' && path === '/session');
