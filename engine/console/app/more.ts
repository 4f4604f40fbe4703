// What screens after the list of devices need besides their own code: the rest of the texts, the rest of the style sheet.
import { loadWords } from './words/words.ts';

let sheet: Promise<void> | null = null;

/** The page names the sheet: its address changes with its bytes. */
function loadSheet(): Promise<void> {
  sheet ??= new Promise((done) => {
    const href = document.querySelector<HTMLMetaElement>('meta[name="more-style"]')?.content;
    if (!href) { done(); return; }
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = href;
    // Without it a screen is plain, but there.
    link.onload = link.onerror = () => done();
    document.head.append(link);
  });
  return sheet;
}

/** Safe to call often. */
export const loadMore = (): Promise<unknown> => Promise.all([loadWords(), loadSheet()]);
