// What is drawn of a long list, and when the browser's address follows what is typed.
import assert from 'node:assert/strict';
import test from 'node:test';

const told: string[] = [];
const listeners = new Map<string, () => void>();
const place = { pathname: '/devices', search: '' };
Object.assign(globalThis, {
  location: place,
  history: { replaceState: (_s: unknown, _t: string, to: string) => told.push(`replace ${to}`), pushState: (_s: unknown, _t: string, to: string) => told.push(`push ${to}`) },
  addEventListener: (name: string, run: () => void) => listeners.set(name, run),
  scrollTo: () => {},
  document: { addEventListener: () => {} },
});
const { toDraw } = await import('../../app/parts/rows.tsx');
const { go, search, setSearch, typeSearch } = await import('../../app/router.ts');

/** Timers of the test's own time, which passes by `tick`. */
function clock(context: { after(run: () => void): void }): (ms: number) => void {
  const real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };
  context.after(() => { Object.assign(globalThis, real); });
  let now = 0;
  let next = 1;
  const due = new Map<number, { at: number; run: () => void }>();
  Object.assign(globalThis, {
    setTimeout: (run: () => void, ms: number) => { due.set(next, { at: now + ms, run }); return next++; },
    clearTimeout: (one: number) => { due.delete(one); },
  });
  return (ms) => { now += ms; for (const [one, { at, run }] of [...due]) if (at <= now) { due.delete(one); run(); } };
}

test('a key draws what is in view, the rest comes when the list rests', () => {
  const seen = { first: 100, last: 117 };
  assert.deepEqual(toDraw(seen, 10_000, false, 0), seen);
  assert.deepEqual(toDraw(seen, 10_000, true, 0), { first: 88, last: 129 });
  assert.deepEqual(toDraw({ first: 0, last: 17 }, 10_000, true, 0), { first: 0, last: 29 });
  assert.deepEqual(toDraw({ first: 9_990, last: 10_007 }, 10_000, true, 0), { first: 9_978, last: 10_000 });
});

test('few rows are whole at once, more of them grow, and never beyond their number', () => {
  assert.deepEqual(toDraw({ first: 0, last: 5 }, 24, false, 0), { first: 0, last: 24 });
  assert.deepEqual(toDraw({ first: 0, last: 17 }, 25, false, 0), { first: 0, last: 17 });
  assert.deepEqual(toDraw({ first: 3, last: 20 }, 300, true, 67), { first: 0, last: 67 });
  assert.deepEqual(toDraw({ first: 90, last: 107 }, 300, true, 67), { first: 0, last: 107 }, 'what is in view is always drawn');
  assert.deepEqual(toDraw({ first: 3, last: 20 }, 30, true, 67), { first: 0, last: 30 });
  // The list has become shorter than where one was; and it is empty.
  assert.deepEqual(toDraw({ first: 400, last: 417 }, 60, false, 0), { first: 60, last: 60 });
  assert.deepEqual(toDraw({ first: 0, last: 17 }, 0, true, 0), { first: 0, last: 0 });
});

test('the page goes by what is typed at once, the address when nothing more is typed', (context) => {
  const tick = clock(context);
  for (const q of ['p', 'pa', 'pal']) { typeSearch({ q }); tick(150); }
  assert.deepEqual([search.value.get('q'), told], ['pal', []]);
  tick(50);
  assert.deepEqual(told, ['replace /devices?q=pal'], 'told once');
  told.length = 0;
  // The step back leads to what was typed, and nothing is told twice.
  typeSearch({ q: 'palm' });
  go('/devices/7');
  tick(1_000);
  assert.deepEqual(told, ['replace /devices?q=palm', 'push /devices/7']);
  told.length = 0;
  go('/devices', true);
  typeSearch({ q: 'x' });
  setSearch({ show: 'online' });
  tick(1_000);
  assert.deepEqual(told.at(-1), 'replace /devices?q=x&show=online');
  told.length = 0;
  typeSearch({ q: null });
  listeners.get('pagehide')!();
  assert.deepEqual(told, ['replace /devices?show=online'], 'who leaves finds it again');
  told.length = 0;
  // The browser's own step back wins over what was typed before it.
  typeSearch({ q: 'late' });
  listeners.get('popstate')!();
  tick(1_000);
  assert.deepEqual([told, search.value.get('q')], [[], null]);
});
