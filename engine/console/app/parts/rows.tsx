// A long list: real rows while there are few, so that the browser's own search finds them; a window of rows when there
// are many. All rows have one height.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useSignal, type Signal } from '@preact/signals';

/** Lists up to here are drawn whole, once they have rested. */
const REAL_ROWS = 500;
/** Time in which the number of rows does not change before the rest is drawn, ms, and how many at a time. */
const REST_MS = 150;
const AT_ONCE = 50;
/** Rows drawn beyond what is in view, each way. */
const MARGIN = 12;

export interface Shown { first: number; last: number }

/** `visible` is set to the rows in view and their margin: what is worth watching. */
export function Rows({ count, height, visible, children }: { count: number; height: number; visible?: Signal<Shown>; children: (first: number, last: number) => ComponentChildren }) {
  const box = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const shown = useSignal<Shown>({ first: 0, last: Math.min(count, 40) });
  const grown = useSignal({ count: 0, rows: 0 });
  const drawn = grown.value.count === count ? grown.value.rows : 0;
  const whole = count <= Math.max(AT_ONCE, drawn);
  // What is in view comes at once, the rest in small steps: a key in the search field is not waited for.
  useEffect(() => {
    if (count <= AT_ONCE || count > REAL_ROWS) return;
    let timer = setTimeout(function grow() {
      const rows = Math.max(grown.peek().count === count ? grown.peek().rows : 0, shown.peek().last) + AT_ONCE;
      grown.value = { count, rows };
      if (rows < count) timer = setTimeout(grow, 0);
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [count]);
  useEffect(() => {
    let asked = 0;
    const measure = () => {
      asked = 0;
      const top = box.current?.getBoundingClientRect().top ?? 0;
      const first = Math.max(0, Math.floor(-top / height) - MARGIN);
      const last = Math.min(count, Math.ceil((innerHeight - top) / height) + MARGIN);
      const before = shown.peek();
      if (first === before.first && last === before.last) return;
      shown.value = { first, last };
      if (visible) visible.value = shown.peek();
    };
    const later = () => { asked ||= requestAnimationFrame(measure); };
    measure();
    if (visible) visible.value = shown.peek();
    addEventListener('scroll', later, { passive: true });
    addEventListener('resize', later);
    return () => { cancelAnimationFrame(asked); removeEventListener('scroll', later); removeEventListener('resize', later); };
  }, [count, height]);
  const { first, last } = whole ? { first: 0, last: count }
    : drawn ? { first: 0, last: Math.min(count, Math.max(drawn, shown.value.last)) }
      : { first: Math.min(shown.value.first, count), last: Math.min(shown.value.last, count) };
  useEffect(() => {
    if (box.current) box.current.style.height = whole ? '' : `${count * height}px`;
    if (inner.current) inner.current.style.transform = whole ? '' : `translateY(${first * height}px)`;
  }, [whole, count, height, first]);
  return <div ref={box} role="presentation"><div ref={inner} role="presentation">{children(first, last)}</div></div>;
}
