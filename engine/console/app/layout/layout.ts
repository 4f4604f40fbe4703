// A layout: one for desktop and phone, stored with the template. 12 columns; rows of 80 px and 8 px between them.
// Everything here is a pure function: it takes a layout and answers another one.

export const KINDS = ['value', 'gauge', 'level', 'led', 'switch', 'button', 'slider', 'number', 'choice', 'text', 'terminal', 'chart', 'table', 'image', 'note'] as const;
export type Kind = (typeof KINDS)[number];
export type Tone = 'good' | 'warning' | 'bad';
export interface Band { from: number; tone: Tone }
export interface Phone { order: number | null; h: number | null; hidden: boolean }
export interface Widget {
  id: string; kind: string; pins: string[]; x: number; y: number; w: number; h: number;
  title: string | null; unit: string | null; min: number | null; max: number | null; decimals: number | null;
  bands: Band[]; confirm: boolean; phone: Phone; options: Record<string, unknown>;
}
export interface LayoutPage { id: string; title: string; roles: number[] | null; widgets: Widget[] }
export interface Layout { version: 1; pages: LayoutPage[] }

export const COLUMNS = 12;
export const ROWS = 1_000;
export const MAX_H = 20;
export const PAGES = 10;
export const WIDGETS = 100;
export const LAYOUT_BYTES = 64 * 1_024;
export const OPTION_BYTES = 2 * 1_024;

/** Size of a new widget of each kind, columns and rows; and the pins it takes at most. */
export const SHAPES: Record<Kind, { w: number; h: number; pins: number }> = {
  value: { w: 3, h: 2, pins: 1 }, gauge: { w: 3, h: 3, pins: 1 }, level: { w: 3, h: 2, pins: 1 }, led: { w: 2, h: 2, pins: 1 },
  switch: { w: 3, h: 2, pins: 1 }, button: { w: 3, h: 2, pins: 1 }, slider: { w: 4, h: 2, pins: 1 }, number: { w: 3, h: 2, pins: 1 },
  choice: { w: 4, h: 2, pins: 1 }, text: { w: 4, h: 2, pins: 1 }, terminal: { w: 6, h: 4, pins: 1 }, chart: { w: 6, h: 4, pins: 8 },
  table: { w: 6, h: 4, pins: 8 }, image: { w: 4, h: 4, pins: 1 }, note: { w: 4, h: 2, pins: 0 },
};
export const isKind = (kind: string): kind is Kind => (KINDS as readonly string[]).includes(kind);

export const emptyLayout = (title: string): Layout => ({ version: 1, pages: [{ id: 'p1', title, roles: null, widgets: [] }] });

export const blank = (id: string, kind: Kind, pins: string[], x: number, y: number): Widget => ({
  id, kind, pins, x, y, w: SHAPES[kind].w, h: SHAPES[kind].h, title: null, unit: null, min: null, max: null, decimals: null,
  bands: [], confirm: false, phone: { order: null, h: null, hidden: false }, options: {},
});

/** An id that the layout has not: a letter and the first free number. */
export function freeId(layout: Layout, letter: 'w' | 'p'): string {
  const used = new Set(letter === 'p' ? layout.pages.map((page) => page.id) : layout.pages.flatMap((page) => page.widgets.map((widget) => widget.id)));
  let n = 1;
  while (used.has(`${letter}${n}`)) n++;
  return `${letter}${n}`;
}

type Rect = Pick<Widget, 'x' | 'y' | 'w' | 'h'>;
export const overlaps = (a: Rect, b: Rect): boolean => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

/** Inside the grid: position and size clamped. */
export function clamp(rect: Rect): Rect {
  const w = Math.min(COLUMNS, Math.max(1, rect.w));
  const h = Math.min(MAX_H, Math.max(1, rect.h));
  return { x: Math.min(COLUMNS - w, Math.max(0, rect.x)), y: Math.min(ROWS - h, Math.max(0, rect.y)), w, h };
}

/** Push down whatever `first` covers, and what that covers then, until nothing overlaps. */
export function settle(widgets: Widget[], first: string): Widget[] {
  const placed: Widget[] = [];
  const order = [...widgets].sort((a, b) => Number(b.id === first) - Number(a.id === first) || a.y - b.y || a.x - b.x);
  for (const widget of order) {
    let y = widget.y;
    for (;;) {
      const hit = placed.find((other) => overlaps({ ...widget, y }, other));
      if (!hit) break;
      y = hit.y + hit.h;
    }
    placed.push(y === widget.y ? widget : { ...widget, y });
  }
  return widgets.map((widget) => placed.find((one) => one.id === widget.id)!);
}

const onPage = (layout: Layout, page: string, change: (widgets: Widget[]) => Widget[]): Layout => ({
  ...layout, pages: layout.pages.map((one) => (one.id === page ? { ...one, widgets: change(one.widgets) } : one)),
});

/** Change a widget; what it covers then moves down. */
export function change(layout: Layout, page: string, id: string, parts: Partial<Widget>): Layout {
  return onPage(layout, page, (widgets) => settle(widgets.map((one) => {
    if (one.id !== id) return one;
    const next = { ...one, ...parts };
    return { ...next, ...clamp(next) };
  }), id));
}
export const move = (layout: Layout, page: string, id: string, dx: number, dy: number): Layout => {
  const widget = find(layout, page, id);
  return widget ? change(layout, page, id, { x: widget.x + dx, y: widget.y + dy }) : layout;
};
export const resize = (layout: Layout, page: string, id: string, dw: number, dh: number): Layout => {
  const widget = find(layout, page, id);
  return widget ? change(layout, page, id, { w: Math.min(widget.w + dw, COLUMNS - widget.x), h: widget.h + dh }) : layout;
};
export const drop = (layout: Layout, page: string, id: string): Layout => onPage(layout, page, (widgets) => widgets.filter((one) => one.id !== id));
export const find = (layout: Layout, page: string, id: string): Widget | undefined => layout.pages.find((one) => one.id === page)?.widgets.find((one) => one.id === id);

/** The first place, row by row, where this size is free. */
export function freePlace(widgets: Rect[], w: number, h: number): { x: number; y: number } {
  for (let y = 0; y < ROWS - h; y++) {
    for (let x = 0; x + w <= COLUMNS; x++) if (!widgets.some((one) => overlaps({ x, y, w, h }, one))) return { x, y };
  }
  return { x: 0, y: ROWS - h };
}

/** Add a widget of this kind where there is room. */
export function add(layout: Layout, page: string, kind: Kind, pins: string[]): { layout: Layout; id: string } {
  const id = freeId(layout, 'w');
  const widgets = layout.pages.find((one) => one.id === page)?.widgets ?? [];
  const place = freePlace(widgets, SHAPES[kind].w, SHAPES[kind].h);
  return { layout: onPage(layout, page, (all) => [...all, blank(id, kind, pins, place.x, place.y)]), id };
}

/** Widgets in reading order, for phones and readers: as the layout says, else by row and column. */
export const readingOrder = (widgets: Widget[]): Widget[] => [...widgets].sort((a, b) => (a.phone.order ?? Infinity) - (b.phone.order ?? Infinity) || a.y - b.y || a.x - b.x);

/** The first fault of a layout, in words for its author; `null` for a good one. The server checks the same. */
export function fault(layout: Layout, pins?: string[]): string | null {
  if (JSON.stringify(layout).length > LAYOUT_BYTES) return `larger than ${LAYOUT_BYTES} bytes`;
  if (layout.pages.length < 1 || layout.pages.length > PAGES) return `${layout.pages.length} pages; 1 to ${PAGES}`;
  for (const page of layout.pages) {
    if (page.widgets.length > WIDGETS) return `${page.id}: ${page.widgets.length} widgets; at most ${WIDGETS}`;
    for (const one of page.widgets) {
      const found = widgetFault(one, pins);
      if (found) return `${one.id}: ${found}`;
      const under = page.widgets.find((other) => other.id !== one.id && overlaps(one, other));
      if (under) return `${one.id} covers ${under.id}`;
    }
  }
  const ids = layout.pages.flatMap((page) => page.widgets.map((widget) => widget.id));
  const twice = ids.find((id, n) => ids.indexOf(id) !== n);
  return twice ? `${twice} is there twice` : null;
}

function widgetFault(widget: Widget, pins?: string[]): string | null {
  if (!/^[a-z0-9]{1,16}$/.test(widget.id)) return 'an id has 1 to 16 of a-z and 0-9';
  if (widget.kind.length < 1 || widget.kind.length > 32) return 'a kind has 1 to 32 characters';
  if (widget.pins.length > 8) return `${widget.pins.length} pins; at most 8`;
  const bad = widget.pins.find((pin) => !/^V(\d|[1-9]\d|1\d\d|2[0-4]\d|25[0-5])$/.test(pin) || (pins && !pins.includes(pin)));
  if (bad) return `no pin ${bad}`;
  const at = clamp(widget);
  if (at.x !== widget.x || at.y !== widget.y || at.w !== widget.w || at.h !== widget.h) return 'outside the grid';
  if ((widget.title?.length ?? 0) > 64) return 'a title has at most 64 characters';
  if (widget.bands.length > 8) return 'at most 8 bands';
  return JSON.stringify(widget.options).length > OPTION_BYTES ? `options are larger than ${OPTION_BYTES} bytes` : null;
}

/** What was seen of a pin, for a first draft. */
export interface Seen { pin: string; name: string | null; values: string[] }

/** What a pin probably is: 0 and 1 only, a number, or text. */
export function guess(seen: Seen): 'flag' | 'number' | 'text' {
  const values = seen.values.filter((value) => value !== '');
  if (values.length === 0) return 'text';
  if (values.every((value) => value === '0' || value === '1')) return 'flag';
  return values.every((value) => Number.isFinite(Number(value))) ? 'number' : 'text';
}

/** The smallest of 1, 2, 5, 10, 20, 50, ... that is at least this. */
function round(n: number): number {
  const unit = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].map((digit) => digit * unit).find((one) => one >= n * (1 - 1e-9))!;
}

/** A range with round ends that holds these numbers and half as much again, since more will come. */
export function roundRange(values: number[]): { min: number; max: number } {
  const low = Math.min(0, ...values);
  const high = Math.max(0, ...values);
  return { min: low < 0 ? -round(-low * 1.5) : 0, max: high > 0 ? round(high * 1.5) : 1 };
}

/** A first dashboard from what a device has sent: nothing has to be understood before something moves. */
export function draft(title: string, all: Seen[]): Layout {
  const widgets: Widget[] = [];
  const place = (kind: Kind, pins: string[], parts: Partial<Widget> = {}) => {
    const made = { ...blank(`w${widgets.length + 1}`, kind, pins, 0, 0), ...parts };
    widgets.push({ ...made, ...freePlace(widgets, made.w, made.h) });
  };
  const numbers = all.filter((seen) => guess(seen) === 'number');
  numbers.forEach((seen, n) => {
    if (n >= 2) { place('value', [seen.pin]); return; }
    place('gauge', [seen.pin], roundRange(seen.values.map(Number)));
  });
  for (const seen of all.filter((one) => guess(one) === 'flag')) place('led', [seen.pin]);
  if (numbers.length > 0) place('chart', numbers.slice(0, 4).map((seen) => seen.pin), { w: 12 });
  for (const seen of all.filter((one) => guess(one) === 'text')) place('text', [seen.pin]);
  return { version: 1, pages: [{ id: 'p1', title, roles: null, widgets }] };
}
