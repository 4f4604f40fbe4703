import assert from 'node:assert/strict';
import test from 'node:test';
import { begin, redo, step, undo } from '../../app/layout/history.ts';
import { add, change, draft, drop, emptyLayout, fault, find, freePlace, guess, KINDS, move, overlaps, readingOrder, resize, roundRange, type Layout } from '../../app/layout/layout.ts';

const widgets = (layout: Layout) => layout.pages[0]!.widgets;
function filled(): Layout {
  let layout = emptyLayout('Overview');
  for (const kind of KINDS) layout = add(layout, 'p1', kind, kind === 'note' ? [] : ['V1']).layout;
  return layout;
}

test('new widgets go where there is room, and nothing overlaps', () => {
  const layout = filled();
  assert.equal(widgets(layout).length, KINDS.length);
  assert.equal(fault(layout, ['V1']), null);
  assert.deepEqual(freePlace([{ x: 0, y: 0, w: 9, h: 2 }], 3, 2), { x: 9, y: 0 });
});

test('any run of moves and sizes leaves a good layout', () => {
  let seed = 1;
  const random = (below: number) => { seed = (seed * 48_271) % 2_147_483_647; return seed % below; };
  let layout = filled();
  for (let n = 0; n < 2_000; n++) {
    const id = widgets(layout)[random(widgets(layout).length)]!.id;
    layout = random(2) ? move(layout, 'p1', id, random(9) - 4, random(9) - 4) : resize(layout, 'p1', id, random(5) - 2, random(5) - 2);
    const all = widgets(layout);
    for (const a of all) for (const b of all) assert.ok(a.id === b.id || !overlaps(a, b), `step ${n}: ${a.id} covers ${b.id}`);
  }
  assert.equal(fault(layout, ['V1']), null);
});

test('a widget stays in the grid', () => {
  const layout = add(emptyLayout('x'), 'p1', 'gauge', ['V0']);
  assert.equal(find(move(layout.layout, 'p1', layout.id, -5, -5), 'p1', layout.id)!.x, 0);
  assert.equal(find(move(layout.layout, 'p1', layout.id, 50, 0), 'p1', layout.id)!.x, 9);
  assert.equal(find(resize(layout.layout, 'p1', layout.id, 50, 50), 'p1', layout.id)!.w, 12);
  assert.equal(find(resize(layout.layout, 'p1', layout.id, -9, -9), 'p1', layout.id)!.h, 1);
});

test('faults are found', () => {
  const one = add(emptyLayout('x'), 'p1', 'gauge', ['V0']).layout;
  assert.match(fault(one, ['V1'])!, /no pin V0/);
  assert.match(fault(change(one, 'p1', 'w1', { pins: ['V300'] }))!, /no pin/);
  assert.match(fault(change(one, 'p1', 'w1', { id: 'W 1' }))!, /an id/);
  assert.match(fault(change(one, 'p1', 'w1', { title: 'x'.repeat(65) }))!, /title/);
  assert.match(fault(change(one, 'p1', 'w1', { options: { text: 'x'.repeat(3_000) } }))!, /options/);
  const two = { ...one, pages: [{ ...one.pages[0]!, widgets: [widgets(one)[0]!, { ...widgets(one)[0]!, id: 'w2' }] }] };
  assert.match(fault(two)!, /covers/);
  assert.match(fault({ version: 1, pages: [] })!, /pages/);
});

test('undo and redo', () => {
  const first = emptyLayout('x');
  const second = add(first, 'p1', 'led', ['V0']).layout;
  let history = step(begin(first), second);
  history = undo(history);
  assert.equal(history.now, first);
  assert.equal(undo(history).now, first);
  history = redo(history);
  assert.equal(history.now, second);
  history = step(undo(history), drop(second, 'p1', 'w1'));
  assert.equal(history.future.length, 0);
});

test('the order on a phone follows rows, unless the layout says otherwise', () => {
  const layout = filled();
  const order = readingOrder(widgets(layout));
  for (let n = 1; n < order.length; n++) assert.ok(order[n - 1]!.y < order[n]!.y || (order[n - 1]!.y === order[n]!.y && order[n - 1]!.x < order[n]!.x));
  const last = order.at(-1)!;
  const moved = change(layout, 'p1', last.id, { phone: { order: 0, h: null, hidden: false } });
  assert.equal(readingOrder(widgets(moved))[0]!.id, last.id);
});

test('a draft shows what was seen', () => {
  assert.equal(guess({ pin: 'V0', name: null, values: ['0', '1'] }), 'flag');
  assert.equal(guess({ pin: 'V0', name: null, values: ['21.5', '0'] }), 'number');
  assert.equal(guess({ pin: 'V0', name: null, values: ['open'] }), 'text');
  const layout = draft('Draft', [{ pin: 'V0', name: null, values: ['20', '24'] }, { pin: 'V1', name: null, values: ['1'] }, { pin: 'V2', name: null, values: ['hello'] }]);
  assert.deepEqual(widgets(layout).map((one) => one.kind).sort(), ['chart', 'gauge', 'led', 'text']);
  assert.equal(fault(layout, ['V0', 'V1', 'V2']), null);
  assert.deepEqual(roundRange([20, 24]), { min: 0, max: 50 });
  assert.deepEqual(roundRange([-3, 0.2]), { min: -5, max: 0.5 });
  assert.deepEqual(roundRange([0]), { min: 0, max: 1 });
});
