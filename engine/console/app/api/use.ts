// A question to the server as a component sees it: nothing yet, an answer, a problem; and whether a newer one is under way.
import { useEffect, useRef } from 'preact/hooks';
import { useSignal, type Signal } from '@preact/signals';
import { askWhole, Problem } from './client.ts';

export interface Asked<T> {
  body: Signal<T | null>;
  etag: Signal<string | null>;
  problem: Signal<Problem | null>;
  busy: Signal<boolean>;
  again: () => Promise<void>;
}

/** Ask `path` now and whenever it changes; `null` asks nothing. The old answer stays until the new one is there. */
export function useAsk<T>(path: string | null): Asked<T> {
  const body = useSignal<T | null>(null);
  const etag = useSignal<string | null>(null);
  const problem = useSignal<Problem | null>(null);
  const busy = useSignal(path !== null);
  const running = useRef<AbortController | null>(null);
  const again = async (): Promise<void> => {
    running.current?.abort();
    if (path === null) return;
    const mine = new AbortController();
    running.current = mine;
    busy.value = true;
    try {
      const answer = await askWhole<T>(path, { signal: mine.signal });
      if (mine.signal.aborted) return;
      body.value = answer.body;
      etag.value = answer.etag;
      problem.value = null;
    } catch (error) {
      if (mine.signal.aborted) return;
      problem.value = error instanceof Problem ? error : new Problem(0, 'CONSOLE', String(error));
    }
    busy.value = false;
  };
  useEffect(() => {
    void again();
    return () => running.current?.abort();
  }, [path]);
  return { body, etag, problem, busy, again };
}

/** Something that the person does: busy while it runs, and its problem after it. */
export function useDo(): { busy: Signal<boolean>; problem: Signal<Problem | null>; run: <T>(work: () => Promise<T>) => Promise<T | undefined> } {
  const busy = useSignal(false);
  const problem = useSignal<Problem | null>(null);
  const run = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    if (busy.peek()) return undefined;
    busy.value = true;
    problem.value = null;
    try { return await work(); } catch (error) {
      problem.value = error instanceof Problem ? error : new Problem(0, 'CONSOLE', String(error));
      return undefined;
    } finally { busy.value = false; }
  };
  return { busy, problem, run };
}
