// Ctrl+K: screens, devices and actions by name. Single letters go to places, `?` lists them.
import { useEffect } from 'preact/hooks';
import { signal, useComputed, useSignal } from '@preact/signals';
import { ask } from './api/client.ts';
import { query } from './api/query.ts';
import type { DevicePage } from './api/types.ts';
import { Dialog } from './parts/dialog.tsx';
import { Icon, type IconName } from './parts/icon.tsx';
import { go } from './router.ts';
import { may, O, signOut } from './session.ts';
import { places } from './shell.tsx';
import { letters, setTheme, theme } from './theme.ts';
import { t } from './words/words.ts';

const open = signal(false);
const keysOpen = signal(false);
export const openPalette = (): void => { open.value = true; };

interface Entry { text: string; kind: string; icon: IconName; run: () => void }

function entries(): Entry[] {
  const to = (href: string) => () => go(href);
  return [
    ...places().map((place) => ({ text: t(place.text), kind: t('palette.screen'), icon: place.icon, run: to(place.href) })),
    { text: t('nav.me'), kind: t('palette.screen'), icon: 'me', run: to('/me') },
    ...(may('device.create') ? [{ text: t('add.title'), kind: t('palette.action'), icon: 'plus' as const, run: to('/devices/add') }] : []),
    { text: t('waiting.title'), kind: t('palette.screen'), icon: 'wave', run: to('/devices/waiting') },
    { text: t('palette.theme'), kind: t('palette.action'), icon: 'settings', run: () => setTheme(theme.value === 'dark' ? 'light' : 'dark') },
    { text: t('keys.title'), kind: t('palette.action'), icon: 'about', run: () => { keysOpen.value = true; } },
    { text: t('me.signout'), kind: t('palette.action'), icon: 'out', run: () => void signOut() },
  ];
}

function Box() {
  const text = useSignal('');
  const chosen = useSignal(0);
  const devices = useSignal<Entry[]>([]);
  const found = useComputed(() => {
    const wanted = text.value.trim().toLowerCase();
    return [...entries().filter((entry) => entry.text.toLowerCase().includes(wanted)), ...devices.value].slice(0, 12);
  });
  useEffect(() => {
    const q = text.value.trim();
    if (q.length < 2) { devices.value = []; return; }
    const late = setTimeout(() => {
      ask<DevicePage>(`${O.value}/devices${query({ q, limit: 6, below: true })}`).then(({ columns }) => {
        devices.value = columns.id.map((id, n) => ({ text: columns.name[n]!, kind: t('palette.device'), icon: 'chip', run: () => go(`/devices/${id}`) }));
      }).catch(() => { devices.value = []; });
    }, 120);
    return () => clearTimeout(late);
  }, [text.value]);
  const close = () => { open.value = false; };
  const key = (event: KeyboardEvent) => {
    const last = found.value.length - 1;
    if (event.key === 'ArrowDown') chosen.value = Math.min(last, chosen.value + 1);
    else if (event.key === 'ArrowUp') chosen.value = Math.max(0, chosen.value - 1);
    else if (event.key === 'Enter' && found.value[chosen.value]) { close(); found.value[chosen.value]!.run(); } else return;
    event.preventDefault();
  };
  return (
    <dialog class="palette" aria-label={t('palette.open')} ref={(box) => { if (box && !box.open) box.showModal(); }} onClose={close}
      onMouseDown={(event) => { if (event.target === event.currentTarget) close(); }}>
      <input class="input" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-label={t('palette.hint')} aria-activedescendant={`palette-${chosen.value}`}
        placeholder={t('palette.hint')} value={text.value} onInput={(event) => { text.value = event.currentTarget.value; chosen.value = 0; }} onKeyDown={key} autocomplete="off" />
      <ul id="palette-list" role="listbox" aria-label={t('palette.open')}>
        {found.value.map((entry, n) => (
          <li key={n} id={`palette-${n}`} role="option" aria-selected={n === chosen.value} onPointerMove={() => { chosen.value = n; }} onClick={() => { close(); entry.run(); }}>
            <Icon name={entry.icon} size={18} /><span class="clip">{entry.text}</span><span class="kind">{entry.kind}</span>
          </li>
        ))}
        {found.value.length === 0 && <li role="option" aria-selected="false" aria-disabled="true" class="muted">{t('palette.nothing')}</li>}
      </ul>
    </dialog>
  );
}

const GO: Record<string, string> = { d: '/devices', t: '/templates', e: '/events', p: '/people', s: '/server', m: '/me', w: '/devices/waiting' };

function KeyList() {
  const rows: [string, string][] = [
    ['Ctrl K', t('palette.open')], ['/', t('keys.search')], ['g d', t('nav.devices')], ['g t', t('nav.templates')], ['g e', t('nav.events')],
    ['g p', t('nav.people')], ['g s', t('nav.server')], ['g m', t('nav.me')], ['g w', t('waiting.title')], ['?', t('keys.title')],
  ];
  return (
    <Dialog title={t('keys.title')} onClose={() => { keysOpen.value = false; }}>
      <dl class="facts">{rows.map(([keys, text]) => [<dt key={keys}><kbd>{keys}</kbd></dt>, <dd key={`${keys}d`}>{text}</dd>])}</dl>
      <p class="muted small">{t('keys.off')}</p>
    </Dialog>
  );
}

export const Palette = () => <>{open.value && <Box />}{keysOpen.value && <KeyList />}</>;

/** Keys of the whole page, while the frame is there. */
export function useKeys(): void {
  useEffect(() => {
    let first = '';
    const down = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') { event.preventDefault(); open.value = !open.value; return; }
      const target = event.target as HTMLElement;
      if (!letters.value || event.ctrlKey || event.metaKey || event.altKey || target.closest('input, textarea, select, dialog, [contenteditable], .grid.edit')) return;
      const before = first;
      first = '';
      if (before === 'g' && GO[event.key]) { event.preventDefault(); go(GO[event.key]!); } else if (event.key === 'g') first = 'g';
      else if (event.key === '?') keysOpen.value = true;
      else if (event.key === '/') { const box = document.querySelector<HTMLInputElement>('main input[type="search"]'); if (box) { event.preventDefault(); box.focus(); } }
    };
    addEventListener('keydown', down);
    return () => removeEventListener('keydown', down);
  }, []);
}
