// Editing a dashboard: live values, drag or keyboard, undo and redo, and one save with the version it was made from.
import { useEffect, useRef } from 'preact/hooks';
import { useSignal } from '@preact/signals';
import { askWhole, Problem } from '../api/client.ts';
import type { Template } from '../api/types.ts';
import { announce, Failed, Note, toast } from '../parts/basic.tsx';
import { Confirm, Dialog } from '../parts/dialog.tsx';
import { Icon } from '../parts/icon.tsx';
import { unsaved } from '../router.ts';
import { Drawn } from '../widgets/index.tsx';
import { t, type Key } from '../words/words.ts';
import { place } from './grid.tsx';
import { add, change, drop, fault, find, freeId, isKind, KINDS, move, readingOrder, resize, SHAPES, type Kind, type Layout, type Widget } from './layout.ts';
import { begin, redo, step, undo, type History } from './history.ts';
import { WidgetSettings } from './widget-settings.tsx';
import { PageSettings } from './page-settings.tsx';

const ROW_PX = 88;

function say(widget: Widget): void {
  announce(t('edit.place', { column: widget.x + 1, row: widget.y + 1, w: widget.w, h: widget.h }));
}

interface Drag { id: string; from: { x: number; y: number }; start: Widget; sizing: boolean; base: Layout }

function Cell({ widget, device, template, chosen, onChoose, onKey, onGrab }: {
  widget: Widget; device: number; template: Template; chosen: boolean; onChoose: () => void; onKey: (event: KeyboardEvent) => void; onGrab: (event: PointerEvent, sizing: boolean) => void;
}) {
  const name = widget.title ?? template.streams.find((one) => one.pin === widget.pins[0])?.name ?? widget.pins[0] ?? '';
  const kind = isKind(widget.kind) ? t(`kind.${widget.kind}` as Key) : widget.kind;
  return (
    <div class="cell" role="group" tabIndex={0} aria-current={chosen ? 'true' : undefined} aria-label={t('edit.widget', { kind, name })} aria-describedby="edit-keys" data-id={widget.id} ref={(box) => place(box, widget)}
      onFocus={onChoose} onKeyDown={onKey} onPointerDown={(event) => onGrab(event, false)}>
      <div class="inner" inert><Drawn device={device} widget={widget} streams={template.streams} mayControl={false} /></div>
      {chosen && <span class="corner" aria-hidden="true" onPointerDown={(event) => { event.stopPropagation(); onGrab(event, true); }} />}
    </div>
  );
}

function AddDialog({ onAdd, onClose }: { onAdd: (kind: Kind) => void; onClose: () => void }) {
  return (
    <Dialog title={t('edit.add')} onClose={onClose} wide>
      <div class="kinds">{KINDS.map((kind) => <button key={kind} type="button" class="button" onClick={() => { onClose(); onAdd(kind); }}>{t(`kind.${kind}`)}</button>)}</div>
    </Dialog>
  );
}

interface Conflict { theirs: Template; etag: string }

/** Both versions, and the choice between them: nothing is lost silently. */
function ConflictDialog({ conflict, mine, onTheirs, onMine, onClose }: { conflict: Conflict; mine: Layout; onTheirs: () => void; onMine: () => void; onClose: () => void }) {
  const count = (layout: Layout) => t('edit.count', { n: layout.pages.reduce((sum, page) => sum + page.widgets.length, 0), pages: layout.pages.length });
  return (
    <Dialog title={t('edit.conflict')} onClose={onClose} foot={<>
      <button type="button" class="button" onClick={onTheirs}>{t('edit.conflict.theirs')}</button>
      <button type="button" class="button primary" onClick={onMine}>{t('edit.conflict.mine')}</button>
    </>}>
      <p class="muted">{t('edit.conflict.text')}</p>
      <dl class="facts">
        <dt>{t('edit.conflict.saved', { version: conflict.theirs.version })}</dt><dd>{count(conflict.theirs.layout)}</dd>
        <dt>{t('edit.conflict.yours')}</dt><dd>{count(mine)}</dd>
      </dl>
    </Dialog>
  );
}

export default function Editor({ template, etag, device, pins, onSaved, onClose }: { template: Template; etag: string; device: number; pins: string[]; onSaved: () => void; onClose: () => void }) {
  const history = useSignal<History>(begin(template.layout));
  const version = useSignal(etag);
  const pageId = useSignal(template.layout.pages[0]?.id ?? 'p1');
  const chosen = useSignal('');
  const dialog = useSignal<'add' | 'widget' | 'page' | 'leave' | null>(null);
  const problem = useSignal<Problem | null>(null);
  const conflict = useSignal<Conflict | null>(null);
  const busy = useSignal(false);
  const drag = useRef<Drag | null>(null);
  const grid = useRef<HTMLDivElement>(null);
  const layout = history.value.now;
  const page = layout.pages.find((one) => one.id === pageId.value) ?? layout.pages[0]!;
  const isChanged = history.value.past.length > 0;
  const edit = (next: Layout) => { history.value = step(history.value, next); };
  const back = () => { history.value = undo(history.value); announce(t('edit.undone')); };
  const forth = () => { history.value = redo(history.value); announce(t('edit.redone')); };
  useEffect(() => { unsaved.value = isChanged ? t('edit.unsaved') : ''; return () => { unsaved.value = ''; }; }, [isChanged]);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== 'z' || (event.target as Element).closest('input, textarea, select')) return;
      event.preventDefault();
      if (event.shiftKey) forth(); else back();
    };
    addEventListener('keydown', key);
    return () => removeEventListener('keydown', key);
  }, []);

  const remove = (id: string) => {
    const order = readingOrder(page.widgets);
    const next = order[order.findIndex((one) => one.id === id) + 1] ?? order[0];
    edit(drop(layout, page.id, id));
    toast(t('edit.removed'), { text: t('edit.undo'), run: back });
    requestAnimationFrame(() => grid.current?.querySelector<HTMLElement>(`[data-id="${next?.id}"]`)?.focus());
  };
  const onKey = (id: string) => (event: KeyboardEvent) => {
    const arrows: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    if (arrow) {
      event.preventDefault();
      const sign = document.documentElement.dir === 'rtl' ? -1 : 1;
      const next = (event.shiftKey ? resize : move)(layout, page.id, id, arrow[0] * sign, arrow[1]);
      edit(next);
      const at = find(next, page.id, id);
      if (at) say(at);
    } else if (event.key === 'Enter') { event.preventDefault(); chosen.value = id; dialog.value = 'widget'; } else if (event.key === 'Delete' || event.key === 'Backspace') { event.preventDefault(); remove(id); } else if (event.key.toLowerCase() === 'd' && (event.ctrlKey || event.metaKey)) { event.preventDefault(); copy(id); }
  };
  const copy = (id: string) => {
    const from = find(layout, page.id, id);
    if (!from || !isKind(from.kind)) return;
    const made = add(layout, page.id, from.kind, from.pins);
    const { x, y } = find(made.layout, page.id, made.id)!;
    edit(change(made.layout, page.id, made.id, { ...from, id: made.id, x, y }));
  };
  const grab = (id: string) => (event: PointerEvent, sizing: boolean) => {
    if (event.button !== 0) return;
    chosen.value = id;
    drag.current = { id, from: { x: event.clientX, y: event.clientY }, start: find(layout, page.id, id)!, sizing, base: layout };
    grid.current?.setPointerCapture(event.pointerId);
  };
  const dragged = (event: PointerEvent) => {
    const now = drag.current;
    if (!now || !grid.current) return;
    const column = (grid.current.clientWidth + 8) / 12;
    const sign = document.documentElement.dir === 'rtl' ? -1 : 1;
    const dx = Math.round(((event.clientX - now.from.x) * sign) / column);
    const dy = Math.round((event.clientY - now.from.y) / ROW_PX);
    const next = (now.sizing ? resize : move)(now.base, page.id, now.id, dx, dy);
    history.value = { ...history.value, now: next };
  };
  const dropped = () => {
    const now = drag.current;
    drag.current = null;
    if (!now) return;
    const next = history.value.now;
    history.value = { ...history.value, now: now.base };
    const at = find(next, page.id, now.id);
    if (JSON.stringify(next) !== JSON.stringify(now.base)) { edit(next); if (at) say(at); }
  };
  const addKind = (kind: Kind) => {
    const used = new Set(page.widgets.flatMap((one) => one.pins));
    const free = template.streams.find((one) => !used.has(one.pin))?.pin ?? pins[0];
    const made = add(layout, page.id, kind, SHAPES[kind].pins > 0 && free ? [free] : []);
    edit(made.layout);
    chosen.value = made.id;
    dialog.value = 'widget';
  };
  const save = async (over = version.value) => {
    const wrong = fault(layout, pins);
    if (wrong) { problem.value = new Problem(422, 'LAYOUT', wrong); return; }
    busy.value = true;
    problem.value = null;
    const path = `/orgs/${template.org}/templates/${template.id}`;
    try {
      const { id, org, version: _v, devices, changed_ms, ...sheet } = template;
      await askWhole(path, { method: 'PUT', body: { ...sheet, layout }, etag: over });
      unsaved.value = '';
      toast(t('edit.saved'));
      onSaved();
      onClose();
    } catch (error) {
      if (error instanceof Problem && error.status === 412) {
        const theirs = await askWhole<Template>(path);
        conflict.value = { theirs: theirs.body, etag: theirs.etag ?? '' };
      } else problem.value = error instanceof Problem ? error : new Problem(0, 'CONSOLE', String(error));
    }
    busy.value = false;
  };
  const widget = find(layout, page.id, chosen.value);
  return (
    <div class="stack">
      <div class="editbar" role="toolbar" aria-label={t('dashboard.edit')}>
        <button type="button" class="button small" onClick={() => { dialog.value = 'add'; }}><Icon name="plus" size={16} />{t('edit.add')}</button>
        <button type="button" class="button small icon quiet" aria-label={t('edit.undo')} title={t('edit.undo')} disabled={history.value.past.length === 0} onClick={back}><Icon name="undo" size={18} flip /></button>
        <button type="button" class="button small icon quiet" aria-label={t('edit.redo')} title={t('edit.redo')} disabled={history.value.future.length === 0} onClick={forth}><Icon name="redo" size={18} flip /></button>
        <button type="button" class="button small quiet" disabled={!widget} onClick={() => { dialog.value = 'widget'; }}><Icon name="settings" size={16} />{t('edit.settings')}</button>
        <button type="button" class="button small icon quiet danger" aria-label={t('edit.remove')} title={t('edit.remove')} disabled={!widget} onClick={() => widget && remove(widget.id)}><Icon name="trash" size={18} /></button>
        <span class="row tight apart-start">
          <button type="button" class="button small quiet" onClick={() => { if (isChanged) dialog.value = 'leave'; else onClose(); }}>{t('cancel')}</button>
          <button type="button" class="button small primary" aria-busy={busy.value} disabled={!isChanged} onClick={() => void save()}>{t('save')}</button>
        </span>
      </div>
      <div class="chips" role="group" aria-label={t('dashboard.pages')}>
        {layout.pages.map((one) => <button key={one.id} type="button" class="chip" aria-pressed={one.id === page.id} onClick={() => { pageId.value = one.id; chosen.value = ''; }}>{one.title || one.id}</button>)}
        <button type="button" class="chip" onClick={() => { dialog.value = 'page'; }}><Icon name="settings" size={14} />{t('edit.page')}</button>
        {layout.pages.length < 10 && <button type="button" class="chip" onClick={() => { const id = freeId(layout, 'p'); edit({ ...layout, pages: [...layout.pages, { id, title: t('edit.page.new'), roles: null, widgets: [] }] }); pageId.value = id; dialog.value = 'page'; }}><Icon name="plus" size={14} />{t('edit.page.add')}</button>}
      </div>
      <Failed problem={problem.value} />
      <p class="muted small" id="edit-keys">{t('edit.keys')}</p>
      {page.widgets.length === 0 && <Note>{t('edit.empty')}</Note>}
      <div ref={grid} class="grid edit" role="group" aria-label={page.title} onPointerMove={dragged} onPointerUp={dropped} onPointerCancel={dropped}>
        {readingOrder(page.widgets).map((one) => <Cell key={one.id} widget={one} device={device} template={template} chosen={one.id === chosen.value} onChoose={() => { chosen.value = one.id; }} onKey={onKey(one.id)} onGrab={grab(one.id)} />)}
      </div>
      {dialog.value === 'add' && <AddDialog onAdd={addKind} onClose={() => { dialog.value = null; }} />}
      {dialog.value === 'widget' && widget && <WidgetSettings widget={widget} streams={template.streams} onClose={() => { dialog.value = null; grid.current?.querySelector<HTMLElement>(`[data-id="${widget.id}"]`)?.focus(); }} onChange={(parts) => edit(change(layout, page.id, widget.id, parts))} />}
      {dialog.value === 'page' && <PageSettings page={page} last={layout.pages.length === 1} onClose={() => { dialog.value = null; }} onChange={(parts) => edit({ ...layout, pages: layout.pages.map((one) => (one.id === page.id ? { ...one, ...parts } : one)) })} onRemove={() => { dialog.value = null; edit({ ...layout, pages: layout.pages.filter((one) => one.id !== page.id) }); }} />}
      {dialog.value === 'leave' && <Confirm title={t('edit.leave')} text={t('edit.unsaved')} action={t('edit.discard')} onYes={() => { unsaved.value = ''; onClose(); }} onClose={() => { dialog.value = null; }} />}
      {conflict.value && <ConflictDialog conflict={conflict.value} mine={layout} onClose={() => { conflict.value = null; }}
        onTheirs={() => { unsaved.value = ''; onSaved(); onClose(); }} onMine={() => { const etag = conflict.value!.etag; conflict.value = null; version.value = etag; void save(etag); }} />}
    </div>
  );
}
