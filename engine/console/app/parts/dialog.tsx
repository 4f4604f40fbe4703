// Native dialogs and menus: the browser holds the focus, closes with Escape and gives the focus back.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { t } from '../words/words.ts';
import { Icon, type IconName } from './icon.tsx';

export function Dialog({ title, onClose, children, wide, foot, kind = '' }: { title: string; onClose: () => void; children: ComponentChildren; wide?: boolean; foot?: ComponentChildren; kind?: string }) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = box.current!;
    if (!dialog.open) dialog.showModal();
    return () => dialog.close();
  }, []);
  return (
    <dialog ref={box} class={`${wide ? 'wide' : ''} ${kind}`} aria-labelledby={id} onClose={onClose} onCancel={onClose}
      onMouseDown={(event) => { if (event.target === box.current) onClose(); }}>
      <div class="dialog-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="button quiet icon small" aria-label={t('close')} onClick={onClose}><Icon name="close" size={18} /></button>
      </div>
      <div class="dialog-body">{children}</div>
      {foot && <div class="dialog-foot">{foot}</div>}
    </dialog>
  );
}

/** Asks before what cannot be taken back. */
export function Confirm({ title, text, action, onYes, onClose, danger = true, children }: { title: string; text: string; action: string; onYes: () => void; onClose: () => void; danger?: boolean; children?: ComponentChildren }) {
  return (
    <Dialog title={title} onClose={onClose} foot={<>
      <button type="button" class="button" onClick={onClose}>{t('cancel')}</button>
      <button type="button" class={`button primary ${danger ? 'danger' : ''}`} onClick={onYes}>{action}</button>
    </>}>
      <p class="muted">{text}</p>
      {children}
    </Dialog>
  );
}

export interface MenuItem { text: string; icon?: IconName; run: () => void; danger?: boolean }

/** A button that opens a short list of actions. */
export function Menu({ label, items, icon = 'more' }: { label: string; items: (MenuItem | null | false)[]; icon?: IconName }) {
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const place = (event: Event) => {
    if ((event as ToggleEvent).newState !== 'open' || !button.current || !list.current) return;
    const from = button.current.getBoundingClientRect();
    const size = list.current.getBoundingClientRect();
    const rtl = document.documentElement.dir === 'rtl';
    const x = rtl ? from.x : from.x + from.width - size.width;
    const y = from.y + from.height + size.height + 8 > innerHeight ? from.y - size.height - 4 : from.y + from.height + 4;
    list.current.style.left = `${Math.max(8, Math.min(x, innerWidth - size.width - 8))}px`;
    list.current.style.top = `${Math.max(8, y)}px`;
    list.current.querySelector('button')?.focus();
  };
  const step = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
    event.preventDefault();
    const all = [...list.current!.querySelectorAll('button')];
    const here = all.indexOf(document.activeElement as HTMLButtonElement);
    all[(here + (event.key === 'ArrowDown' ? 1 : all.length - 1)) % all.length]?.focus();
  };
  const shown = items.filter((item): item is MenuItem => Boolean(item));
  if (shown.length === 0) return null;
  return (
    <>
      <button ref={button} type="button" class="button icon" popovertarget={id} aria-label={label} title={label}><Icon name={icon} /></button>
      <div ref={list} id={id} class="menu" popover="auto" onToggle={place} onKeyDown={step}>
        {shown.map((item) => (
          <button key={item.text} type="button" class={item.danger ? 'danger' : ''} onClick={() => { list.current?.hidePopover(); item.run(); }}>
            {item.icon && <Icon name={item.icon} size={18} />}{item.text}
          </button>
        ))}
      </div>
    </>
  );
}
