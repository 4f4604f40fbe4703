// Texts in the person's language. A key stands for a sentence; `{name}` in it is filled in; a sentence with a number has a
// form for each plural. The English of the list of devices and of what comes before it is part of the first script; the
// rest of it and other languages are loaded when they are needed.
import { signal } from '@preact/signals';
import english from './en.json';
import type more from './en.more.json';

export type Key = keyof typeof english | keyof typeof more;
export type Sentence = string | Partial<Record<Intl.LDMLPluralRule, string>>;
export type Catalogue = Record<string, Sentence>;
export type Fill = Record<string, string | number>;

/** Languages by their own names. `rtl` is English, stretched and written from the right: it shows what a layout forgot. */
export const LANGUAGES: Record<string, string> = { en: 'English', de: 'Deutsch' };
const LOADERS: Record<string, () => Promise<Catalogue>> = {
  de: async () => (await import('./de.ts')).default as Catalogue,
  rtl: async () => { await loadWords(); return (await import('./pseudo.ts')).pseudo(whole); },
};

/** English as far as it is loaded. */
let whole: Catalogue = english as Catalogue;
const catalogue = signal<Catalogue>(whole);
export const language = signal('en');

/** The sentence of a key in a catalogue, filled in. */
export function sentence(from: Catalogue, locale: string, key: string, fill: Fill = {}): string {
  const found = from[key] ?? whole[key] ?? key;
  const n = Number(fill.n ?? 0);
  const text = typeof found === 'string' ? found : (found[new Intl.PluralRules(locale).select(n)] ?? found.other ?? key);
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = fill[name];
    return value === undefined ? whole : typeof value === 'number' ? new Intl.NumberFormat(locale).format(value) : value;
  });
}

/** The language with the region of the browser, for dates and numbers. */
export function localeName(): string {
  const code = language.value === 'rtl' ? 'en' : language.value;
  return navigator.languages.find((name) => name.split('-')[0] === code) ?? code;
}
const locale = localeName;
export const t = (key: Key, fill?: Fill): string => sentence(catalogue.value, locale(), key, fill);
/** A text whose key is made from a value, such as a permission's name; the value itself when there is none. */
export const named = (prefix: string, value: string, fill?: Fill): string => {
  const key = `${prefix}.${value}`;
  return key in whole ? sentence(catalogue.value, locale(), key, fill) : value;
};

/** Load the rest of English: before a screen that needs it. Safe to call often. */
export async function loadWords(): Promise<void> {
  if (whole !== english) return;
  whole = { ...(english as Catalogue), ...((await import('./more.ts')).default as Catalogue) };
  if (language.value === 'en') catalogue.value = whole;
}

export async function setLanguage(code: string): Promise<void> {
  const load = LOADERS[code];
  catalogue.value = load ? await load() : whole;
  language.value = load ? code : 'en';
  document.documentElement.lang = code in LANGUAGES ? code : 'en';
  document.documentElement.dir = code === 'rtl' ? 'rtl' : 'ltr';
}

/** The language that was chosen here, else the browser's. */
export function firstLanguage(): string {
  const asked = new URLSearchParams(location.search).get('words') ?? localStorage.getItem('linchpin.language');
  if (asked && (asked === 'en' || asked in LOADERS)) return asked;
  return navigator.languages.map((name) => name.split('-')[0]!).find((name) => name in LANGUAGES) ?? 'en';
}

const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();
function format<T extends Intl.NumberFormat | Intl.DateTimeFormat>(key: string, make: () => T): T {
  const whole = `${locale()} ${key}`;
  let found = formats.get(whole);
  if (!found) formats.set(whole, (found = make()));
  return found as T;
}

export const number = (n: number, decimals?: number): string =>
  format(`n${decimals ?? ''}`, () => new Intl.NumberFormat(locale(), decimals === undefined ? { maximumFractionDigits: 6 } : { minimumFractionDigits: decimals, maximumFractionDigits: decimals })).format(n);
export const percent = (n: number): string => format('%', () => new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 0 })).format(n);
/** Day and time to the second. */
export const dateTime = (ms: number): string => format('dt', () => new Intl.DateTimeFormat(locale(), { dateStyle: 'medium', timeStyle: 'medium' })).format(ms);
export const date = (ms: number): string => format('d', () => new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' })).format(ms);
export const time = (ms: number): string => format('t', () => new Intl.DateTimeFormat(locale(), { timeStyle: 'short' })).format(ms);
export const timeExact = (ms: number): string => format('te', () => new Intl.DateTimeFormat(locale(), { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3 })).format(ms);
/** The time alone today, else day and time. */
export const shortTime = (ms: number, now_ms: number): string =>
  new Date(ms).toDateString() === new Date(now_ms).toDateString() ? time(ms) : format('st', () => new Intl.DateTimeFormat(locale(), { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' })).format(ms);

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1_000]];

/** "3 min ago". An age below zero is a clock's mistake and reads as now. */
export function ago(age_ms: number): string {
  const [unit, size] = UNITS.find(([, size]) => age_ms >= size) ?? ['second', 1_000];
  const count = Math.floor(Math.max(0, age_ms) / size);
  return new Intl.RelativeTimeFormat(locale(), { numeric: 'auto', style: 'short' }).format(-count, unit);
}

/** "2 h 5 min": the two largest units. */
export function lasting(ms: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, ms);
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size);
    if (count > 0 || (unit === 'second' && parts.length === 0)) parts.push(new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'short' }).format(count));
    rest %= size;
    if (parts.length === 2) break;
  }
  return parts.join(' ');
}

export function bytes(n: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  let step = 0;
  while (n >= 1000 && step < units.length - 1) { n /= 1000; step++; }
  return new Intl.NumberFormat(locale(), { style: 'unit', unit: units[step], unitDisplay: 'short', maximumFractionDigits: n < 10 ? 1 : 0 }).format(n);
}
