// A component whose code is loaded when it is first drawn.
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { signal } from '@preact/signals';
import { t } from '../words/words.ts';
import { Skeleton } from './basic.tsx';

export type Lazy<P> = ComponentType<P> & { /** Fetch it now: it will be drawn soon. Safe to call often. */ early: () => void };

export function lazy<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): Lazy<P> {
  const found = signal<ComponentType<P> | null>(null);
  const failed = signal(false);
  const fetchIt = () => { if (!found.peek()) load().then((part) => { found.value = part.default; }, () => { failed.value = true; }); };
  function Lazy(props: P) {
    useEffect(fetchIt, []);
    const Found = found.value;
    if (failed.value) return <p class="muted" role="alert">{t('wrong.offline.text')}</p>;
    return Found ? <Found {...props} /> : <Skeleton lines={3} />;
  }
  return Object.assign(Lazy, { early: fetchIt });
}
