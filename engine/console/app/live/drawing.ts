// Values that came since the page was last drawn change it together, and only so often where its frames are slow.
import type { Report } from './messages.ts';

/** Where a frame with new values takes longer than this, ms, they are drawn only so often: keys and clicks go first. */
const SLOW_FRAME_MS = 25;
const SLOW_DRAW_MS = 300;
/** Values wait for a frame, in a page that is not seen for so long, ms. */
const UNSEEN_MS = 250;

export class Drawing {
  #undrawn: Report[] = [];
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When values were drawn last, and how long the frame took that they made, ms. */
  #drawnAt = 0;
  #drawn_ms = 0;
  readonly #take: (reports: Report[]) => void;

  /** `take` shows the values of many reports at once. */
  constructor(take: (reports: Report[]) => void) { this.#take = take; }

  /** Show it with the next frame. */
  add(report: Report): void {
    this.#undrawn.push(report);
    if (this.#undrawn.length > 1) return;
    const rest = this.#drawn_ms > SLOW_FRAME_MS ? this.#drawnAt + SLOW_DRAW_MS - performance.now() : 0;
    // A page that is not seen has no frames.
    const soon = () => {
      this.#frame = requestAnimationFrame(() => this.now());
      this.#timer = setTimeout(() => this.now(), UNSEEN_MS);
    };
    if (rest > 0) this.#timer = setTimeout(soon, rest); else soon();
  }

  /** Show what waits: other reports do not overtake it. */
  now(): void {
    const reports = this.#undrawn;
    this.forget();
    if (!reports.length) return;
    this.#drawnAt = performance.now();
    this.#take(reports);
    requestAnimationFrame(() => { this.#drawn_ms = performance.now() - this.#drawnAt; });
  }

  /** Let go of what waits. */
  forget(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#undrawn = [];
  }
}
