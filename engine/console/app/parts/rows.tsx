// A long list: real rows while there are few, so that the browser's own search finds them; a window of rows when there
// are many. All rows have one height.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useSignal, type Signal } from '@preact/signals';

/** Lists up to here are drawn whole, once they have rested. */
const REAL_ROWS = 500;
/** Lists up to here are drawn whole at once. */
const FEW_ROWS = 24;
/** Time in which the number of rows does not change before what is not in view is drawn, ms, and how many at a time. */
const REST_MS = 150;
const AT_ONCE = 50;
/** Rows drawn beyond what is in view, each way. */
const MARGIN = 12;

export interface Shown { first: number; last: number }

const same = (a: Shown, b: Shown): boolean => a.first === b.first && a.last === b.last;
/** So many rows more, each way. */
const widened = ({ first, last }: Shown, count: number, by: number): Shown => ({ first: Math.max(0, Math.min(first, count) - by), last: Math.max(0, Math.min(count, last + by)) });

/** The rows to draw of `count`, of which `seen` are in view: those alone after a change, with a margin when the list rests,
 * and from the first one on while `drawn` of them are real rows. */
export function toDraw(seen: Shown, count: number, rests: boolean, drawn: number): Shown {
  if (count <= FEW_ROWS) return { first: 0, last: count };
  if (drawn > 0) return { first: 0, last: Math.min(count, Math.max(drawn, seen.last)) };
  return widened(seen, count, rests ? MARGIN : 0);
}

/** `visible` is set to the rows in view and their margin: what is worth watching. */
export function Rows({ count, height, visible, children }: { count: number; height: number; visible?: Signal<Shown>; children: (first: number, last: number) => ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  // In view, without a margin.
  const shown = useSignal<Shown>({ first: 0, last: Math.ceil(innerHeight / height) });
  // The length that rests, and how many real rows are drawn of it; 0: a window.
  const rested = useSignal({ count: -1, rows: 0 });
  const rests = rested.value.count === count;
  // What is in view comes at once, the rest when the list rests, in small steps: a key in the search field is not waited for.
  useEffect(() => {
    if (count <= FEW_ROWS) return;
    let timer = setTimeout(function grow() {
      if (count > REAL_ROWS) { rested.value = { count, rows: 0 }; return; }
      const rows = Math.max(rested.peek().count === count ? rested.peek().rows : 0, shown.peek().last) + AT_ONCE;
      rested.value = { count, rows };
      if (rows < count) timer = setTimeout(grow, 0);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [count]);
  useEffect(() => {
    let asked = 0;
    const measure = () => {
      asked = 0;
      const top = box.current?.getBoundingClientRect().top ?? 0;
      const seen = { first: Math.max(0, Math.floor(-top / height)), last: Math.max(0, Math.ceil((innerHeight - top) / height)) };
      if (!same(seen, shown.peek())) shown.value = seen;
      const watched = widened(seen, count, MARGIN);
      if (visible && !same(watched, visible.peek())) visible.value = watched;
    };
    const later = () => { asked ||= requestAnimationFrame(measure); };
    measure();
    addEventListener('scroll', later, { passive: true });
    addEventListener('resize', later);
    return () => { cancelAnimationFrame(asked); removeEventListener('scroll', later); removeEventListener('resize', later); };
  }, [count, height]);
  const { first, last } = toDraw(shown.value, count, rests, rests ? rested.value.rows : 0);
  const whole = first === 0 && last === count;
  useEffect(() => {
    if (box.current) box.current.style.height = whole ? '' : `${count * height}px`;
    if (inner.current) inner.current.style.transform = whole ? '' : `translateY(${first * height}px)`;
  }, [whole, count, height, first]);
  return <div ref={box} role="presentation"><div ref={inner} role="presentation">{children(first, last)}</div></div>;
}
