// Addresses: the path and the query hold the whole state of a view.
import { computed, signal } from '@preact/signals';

const current = signal(location.pathname + location.search);
/** The path without its last slash. */
export const path = computed(() => current.value.split('?')[0]!.replace(/(.)\/$/, '$1'));
export const search = computed(() => new URLSearchParams(current.value.split('?')[1] ?? ''));
/** What would be lost by leaving; empty when nothing would. */
export const unsaved = signal('');

addEventListener('popstate', () => { current.value = location.pathname + location.search; });
addEventListener('beforeunload', (event) => { if (unsaved.peek()) event.preventDefault(); });

/** Go to an address of the console. `replace` leaves no step back. */
export function go(to: string, replace = false): void {
  if (unsaved.peek() && !confirm(unsaved.peek())) return;
  unsaved.value = '';
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  const moved = to.split('?')[0] !== path.peek();
  current.value = to;
  if (moved) scrollTo(0, 0);
}

/** Change parts of the query in place; `null` takes a part out. */
export function setSearch(parts: Record<string, string | null>): void {
  const next = new URLSearchParams(search.peek());
  for (const [name, value] of Object.entries(parts)) if (value) next.set(name, value); else next.delete(name);
  const text = next.toString();
  go(path.peek() + (text ? `?${text}` : ''), true);
}

/** Links stay in the page, unless the person wants a new window. */
document.addEventListener('click', (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (link.pathname.startsWith('/api/') || link.pathname.startsWith('/assets/')) return;
  if (link.hash && link.pathname === location.pathname) return;
  event.preventDefault();
  go(link.pathname + link.search);
});
