// Addresses: the path and the query hold the whole state of a view.
import { computed, signal } from '@preact/signals';

const current = signal(location.pathname + location.search);
/** The path without its last slash. */
export const path = computed(() => current.value.split('?')[0]!.replace(/(.)\/$/, '$1'));
export const search = computed(() => new URLSearchParams(current.value.split('?')[1] ?? ''));
/** What would be lost by leaving; empty when nothing would. */
export const unsaved = signal('');

addEventListener('popstate', () => { clearTimeout(typed); typed = undefined; current.value = location.pathname + location.search; });
addEventListener('pagehide', writeTyped);
addEventListener('beforeunload', (event) => { if (unsaved.peek()) event.preventDefault(); });

/** The browser is told of what is typed once it rests this long, ms: to tell it takes longer than to filter 10,000 rows, and
 * browsers count how often they are told. */
const TYPED_MS = 200;
let typed: ReturnType<typeof setTimeout> | undefined;
function writeTyped(): void {
  if (typed === undefined) return;
  clearTimeout(typed);
  typed = undefined;
  history.replaceState(null, '', current.peek());
}

/** Go to an address of the console. `replace` leaves no step back. */
export function go(to: string, replace = false): void {
  if (unsaved.peek() && !confirm(unsaved.peek())) return;
  unsaved.value = '';
  // The step back leads to what was typed.
  writeTyped();
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  const moved = to.split('?')[0] !== path.peek();
  current.value = to;
  if (moved) scrollTo(0, 0);
}

/** The present address with other parts of its query. */
function searched(parts: Record<string, string | null>): string {
  const next = new URLSearchParams(search.peek());
  for (const [name, value] of Object.entries(parts)) if (value) next.set(name, value); else next.delete(name);
  const text = next.toString();
  return path.peek() + (text ? `?${text}` : '');
}

/** Change parts of the query in place; `null` takes a part out. */
export const setSearch = (parts: Record<string, string | null>): void => go(searched(parts), true);

/** The same at each key: the page goes by it at once, the browser's address when nothing more is typed. */
export function typeSearch(parts: Record<string, string | null>): void {
  clearTimeout(typed);
  typed = setTimeout(writeTyped, TYPED_MS);
  current.value = searched(parts);
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
