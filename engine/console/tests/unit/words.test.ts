import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';

declare const __CONSOLE__: string;
const read = (path: string) => readFileSync(join(__CONSOLE__, path), 'utf8');
type Sentence = string | Record<string, string>;
const first = JSON.parse(read('app/words/en.json')) as Record<string, Sentence>;
const more = JSON.parse(read('app/words/en.more.json')) as Record<string, Sentence>;
const english: Record<string, Sentence> = { ...first, ...more };
const german = JSON.parse(read('app/words/de.json')) as Record<string, Sentence>;
const forms = (sentence: Sentence) => (typeof sentence === 'string' ? [sentence] : Object.values(sentence));
const blanks = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((hit) => hit[1]).sort().join();

function sources(folder = 'app'): [string, string][] {
  return readdirSync(join(__CONSOLE__, folder)).flatMap((name): [string, string][] => {
    const path = `${folder}/${name}`;
    if (statSync(join(__CONSOLE__, path)).isDirectory()) return sources(path);
    return /\.(tsx?|css)$/.test(name) ? [[path, read(path)]] : [];
  });
}
const code = sources();

test('German is complete and fills the same blanks', () => {
  assert.deepEqual(Object.keys(german).sort(), Object.keys(english).sort());
  assert.equal(Object.keys(english).length, Object.keys(first).length + Object.keys(more).length, 'no key in both');
  for (const [key, sentence] of Object.entries(english)) {
    assert.equal(typeof german[key], typeof sentence, key);
    for (const text of forms(german[key]!)) assert.equal(blanks(text).replace(/^n,|,n$|^n$/, ''), blanks(forms(sentence).at(-1)!).replace(/^n,|,n$|^n$/, ''), `${key}: ${text}`);
  }
});

test('what the first screens say is in the first script', () => {
  const early = ['app/shell.tsx', 'app/palette.tsx', 'app/parts/basic.tsx', 'app/parts/dialog.tsx', 'app/parts/lazy.tsx', 'app/screens/sign-in.tsx', 'app/screens/gate.tsx', 'app/screens/devices.tsx'].map(read).join('\n');
  assert.deepEqual(Object.keys(more).filter((key) => early.includes(`'${key}'`)), []);
});

test('every sentence is used', () => {
  const all = code.map(([, text]) => text).join('\n');
  const dynamic = [...all.matchAll(/`([\w.]+)\.\$\{/g)].map((hit) => `${hit[1]}.`).concat(['action.', 'actor.', 'object.', 'permission.', 'trouble.', 'strength.', 'limit.', 'work.']);
  const unused = Object.keys(english).filter((key) => !all.includes(`'${key}'`) && !dynamic.some((prefix) => key.startsWith(prefix)));
  assert.deepEqual(unused, []);
});

test('why connections end is said as docs/errors.md says it, in both languages', () => {
  const rows = read('../../docs/errors.md').split('\n').filter((line) => line.startsWith('| E0')).map((line) => line.split('|').map((cell) => cell.trim()));
  const listed = Object.fromEntries(rows.map((cells) => [String(Number(cells[1]!.slice(1))), [cells[2], cells[3]]]));
  assert.deepEqual(JSON.parse(read('app/words/ends.en.json')), listed, 'node engine/console/tests/ends.mjs');
  assert.deepEqual(Object.keys(JSON.parse(read('app/words/ends.de.json'))).sort(), Object.keys(listed).sort(), 'add the German sentence to app/words/ends.de.json');
});

test('each action and object of the audit log has words', () => {
  const source = read('../control/src/audit/action.rs');
  const wanted = [...source.matchAll(/ = \d+, "([^"]+)";/g)].map((hit) => `action.${hit[1]}`).concat([...source.matchAll(/=> "([^"]+)"/g)].map((hit) => `object.${hit[1]}`)).sort();
  assert.ok(wanted.length > 60, `${wanted.length} found`);
  assert.deepEqual(Object.keys(english).filter((key) => /^(action|object)\./.test(key)).sort(), wanted);
});

test('no HTML from text, no inline style, no literal text, no left and right', () => {
  const wrong: string[] = [];
  for (const [path, text] of code) {
    const lines = text.split('\n');
    if (lines.length > 300) wrong.push(`${path}: ${lines.length} lines`);
    lines.forEach((line, n) => {
      const at = `${path}:${n + 1}`;
      if (/innerHTML|outerHTML|insertAdjacentHTML|dangerously|setHTML|document\.write|\beval\(/.test(line)) wrong.push(`${at}: HTML from text`);
      if (path.endsWith('.tsx') && /\sstyle=/.test(line)) wrong.push(`${at}: inline style`);
      if (path.endsWith('.css') && /(^|[\s;{])(margin|padding|border)?-?(left|right)\s*:/.test(line)) wrong.push(`${at}: left or right`);
      if (path.endsWith('.tsx') && /<[a-zA-Z][^<>{}]*>[^<>{}]*[A-Za-z]{2,}[^<>{}]*<\//.test(line.replace(/=>/g, '')) && !/Record<|Signal<|useRef<|Array</.test(line)) wrong.push(`${at}: literal text`);
    });
  }
  assert.deepEqual(wrong, []);
});
