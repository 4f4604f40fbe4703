// Light or dark, and the switch for single-letter keys: choices of this browser.
import { signal } from '@preact/signals';

export type Theme = 'system' | 'light' | 'dark';
export const theme = signal<Theme>((localStorage.getItem('linchpin.theme') as Theme | null) ?? 'system');
/** Single letters act as shortcuts. Off for those who speak to their computer (WCAG 2.1.4). */
export const letters = signal(localStorage.getItem('linchpin.letters') !== 'off');

export function applyTheme(): void {
  if (theme.value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}
export function setTheme(next: Theme): void {
  theme.value = next;
  localStorage.setItem('linchpin.theme', next);
  applyTheme();
}
export function setLetters(on: boolean): void {
  letters.value = on;
  localStorage.setItem('linchpin.letters', on ? 'on' : 'off');
}
