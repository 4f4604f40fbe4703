// Writes `app/words/ends.en.json` from docs/errors.md. German is written by hand; its test names what is missing.
import { readFileSync, writeFileSync } from 'node:fs';

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
const rows = page.split('\n').filter((line) => line.startsWith('| E0')).map((line) => line.split('|').map((cell) => cell.trim()));
const listed = Object.fromEntries(rows.map((cells) => [String(Number(cells[1].slice(1))), [cells[2], cells[3]]]));
writeFileSync(new URL('../app/words/ends.en.json', import.meta.url), `${JSON.stringify(listed, null, 0).replaceAll('],"', '],\n"')}\n`);
