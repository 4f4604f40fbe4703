// The password never leaves the page: what is sent is base64(SHA256(password || SHA256(lower(e-mail)))), as Blynk's
// clients do. `crypto.subtle` is absent on plain HTTP in a local network, so a library computes it.
import { sha256 } from '@noble/hashes/sha2.js';

/** Only ASCII letters are folded: other alphabets fold differently in different languages. */
export const foldEmail = (email: string): string => email.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());

export function passwordHash(email: string, password: string): string {
  const utf8 = new TextEncoder();
  const salt = sha256(utf8.encode(foldEmail(email)));
  const text = utf8.encode(password);
  const whole = new Uint8Array(text.length + salt.length);
  whole.set(text);
  whole.set(salt, text.length);
  return btoa(String.fromCharCode(...sha256(whole)));
}

/** How hard a password is to guess: 0 (none) to 4. Length counts most; repetition and sequences count little. */
export function strength(password: string, email: string): number {
  if (password.length < 8) return password.length === 0 ? 0 : 1;
  const lower = password.toLowerCase();
  const name = email.toLowerCase().split('@')[0] ?? '';
  let same = 0;
  for (let n = 1; n < lower.length; n++) {
    const step = lower.charCodeAt(n) - lower.charCodeAt(n - 1);
    if (step >= -1 && step <= 1) same++;
  }
  const kinds = [/[a-z]/, /[A-Z]/, /\d/, /[^A-Za-z0-9]/].filter((kind) => kind.test(password)).length;
  const worth = new Set(lower).size + (password.length - same) + kinds * 2 - (name.length > 2 && lower.includes(name) ? 8 : 0) - (/passw|qwert|12345|admin|letmein/.test(lower) ? 10 : 0);
  return worth < 16 ? 1 : worth < 24 ? 2 : worth < 32 ? 3 : 4;
}
