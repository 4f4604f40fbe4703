// Why connections end, in words: as `docs/errors.md` has it, and in other languages. Loaded by the screens that show it.
import { signal } from '@preact/signals';
import { language } from './words.ts';

export type Ends = Record<string, [happened: string, fix: string]>;
const ends = signal<Ends>({});
const LOADERS: Record<string, () => Promise<{ default: unknown }>> = { en: () => import('./ends.en.ts'), de: () => import('./ends.de.ts') };
let loaded = '';

/** Load the sentences of the present language; safe to call often. */
export function loadEnds(): void {
  const code = LOADERS[language.value] ? language.value : 'en';
  if (loaded === code) return;
  loaded = code;
  void LOADERS[code]!().then((part) => { ends.value = part.default as Ends; }, () => { loaded = ''; });
}

/** `E0302` for 302. */
export const codeName = (code: number): string => `E${String(code).padStart(4, '0')}`;
export const endSentence = (code: number): string => ends.value[String(code)]?.[0] ?? codeName(code);
export const endFix = (code: number): string => ends.value[String(code)]?.[1] ?? '';
