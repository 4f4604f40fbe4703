// English as no language: longer, accented, from right to left. What stays plain was not translated.
import type { Catalogue, Sentence } from './words.ts';

const FROM = 'aeiouAEIOUcnsy';
const TO = 'áéíóúÁÉÍÓÚçñšý';

function text(plain: string): string {
  const changed = plain.replace(/\{\w+\}|[a-zA-Z]/g, (part) => {
    const at = part.length === 1 ? FROM.indexOf(part) : -1;
    return at < 0 ? part : TO[at]!;
  });
  // A third longer, as German is; the marks make the direction of the whole sentence strong.
  return `\u200f${changed}${'~'.repeat(Math.ceil(plain.length / 3))}\u200f`;
}

export function pseudo(english: Catalogue): Catalogue {
  const made = (found: Sentence): Sentence =>
    typeof found === 'string' ? text(found) : (Object.fromEntries(Object.entries(found).map(([form, plain]) => [form, text(plain)])) as Sentence);
  return Object.fromEntries(Object.entries(english).map(([key, found]) => [key, made(found)]));
}
