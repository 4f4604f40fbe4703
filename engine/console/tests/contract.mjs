// Compares what the page asks with what the server answers (docs/openapi.json): node tests/contract.mjs SCRATCH
//
// Every call in app/ is read from its source: method, path, names of the query and of the body. Each must be a route of the
// server. The type that the page expects of an answer is then checked by the compiler against the server's own schema.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { callsOf } from './contract/calls.mjs';
import { typeOf } from './contract/schema.mjs';

const room = join(dirname(fileURLToPath(import.meta.url)), '..');
const scratch = join(process.argv[2], 'contract');
const api = JSON.parse(readFileSync(join(room, '../../docs/openapi.json'), 'utf8'));
/** Of live sockets: docs/live.md has them, no row of the server's table. */
const SOCKETS = new Set(['GET /live', 'POST /live/ticket']);
/** The server has these not yet: a route that is there must leave this list. */
const AWAITED = new Set([]);

const routes = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, route]) => {
  const short = path.replace(/^\/api\/v1/, '');
  return { name: `${method.toUpperCase()} ${short}`, method: method.toUpperCase(), parts: short.split('/'), route };
}));

/** The route of a call; a part that is fixed counts more than one in braces. */
function routeOf(call) {
  const parts = call.path.split('/');
  const fits = routes.filter((one) => one.method === call.method && one.parts.length === parts.length
    && one.parts.every((part, n) => part === parts[n] || (part.startsWith('{') && parts[n] === '{}')));
  return fits.sort((a, b) => a.parts.filter((part) => part.startsWith('{')).length - b.parts.filter((part) => part.startsWith('{')).length)[0];
}

const wrong = [];
const files = (folder) => readdirSync(folder).sort().flatMap((name) => {
  const path = join(folder, name);
  return statSync(path).isDirectory() ? files(path) : /\.tsx?$/.test(name) ? [path] : [];
});

const calls = files(join(room, 'app')).flatMap((file) => callsOf(readFileSync(file, 'utf8'), relative(room, file), wrong));
const lines = ["import type * as T from '../page.ts';", `export type Schemas = {\n${Object.entries(api.components.schemas).map(([name, schema]) => `  ${name}: ${typeOf(schema)};`).join('\n')}\n};`];
const used = new Set();
for (const call of calls) {
  if (SOCKETS.has(`${call.method} ${call.path}`)) continue;
  const found = routeOf(call);
  if (AWAITED.has(`${call.method} ${call.path}`)) {
    if (found) wrong.push(`${call.at}: the server has ${found.name} now: take it off the list of awaited ones`);
    continue;
  }
  if (!found) { wrong.push(`${call.at}: the server has no ${call.method} ${call.path}`); continue; }
  used.add(found.name);
  const known = (found.route.parameters ?? []).filter((one) => one.in === 'query').map((one) => one.name);
  for (const name of call.query) if (!known.includes(name)) wrong.push(`${call.at}: ${found.name} knows no ?${name}= (${known.join(', ') || 'it knows none'})`);
  const body = found.route.requestBody?.content['application/json']?.schema;
  if (call.body) {
    const names = Object.keys(body?.properties ?? {});
    for (const name of call.body.names) if (!names.includes(name)) wrong.push(`${call.at}: ${found.name} takes no "${name}" (${names.join(', ')})`);
    if (!call.body.open) for (const name of body?.required ?? []) if (!call.body.names.includes(name)) wrong.push(`${call.at}: ${found.name} wants "${name}"`);
  }
  if (!call.answer || call.answer === 'void') continue;
  const answer = found.route.responses['2XX'].content?.['application/json']?.schema;
  if (!answer) { wrong.push(`${call.at}: ${found.name} answers nothing, the page expects ${call.answer}`); continue; }
  const expected = call.answer.replace(/(?<![\w.'"])[A-Z]\w*/g, (name) => `T.${name}`);
  lines.push(`// ${call.at}: ${found.name}`, `export const answer${lines.length} = (from: ${typeOf(answer)}): ${expected} => from;`);
}

if (calls.length < 80) wrong.push(`only ${calls.length} calls were found in the sources: the reader of calls is broken`);
mkdirSync(join(scratch, 'made'), { recursive: true });
writeFileSync(join(scratch, 'page.ts'), `export type * from ${JSON.stringify(join(room, 'app/api/types.ts'))};\n`);
writeFileSync(join(scratch, 'made/contract.ts'), `${lines.join('\n')}\n`);
writeFileSync(join(scratch, 'tsconfig.json'), JSON.stringify({ extends: join(room, 'tsconfig.json'), compilerOptions: { noEmit: true, types: [], noUnusedLocals: false }, include: ['made/contract.ts'] }));
try { execFileSync(join(room, 'node_modules/.bin/tsc'), ['-p', join(scratch, 'tsconfig.json'), '--pretty', 'false'], { encoding: 'utf8' }); } catch (error) {
  const about = (line) => { const at = /contract\.ts[:(](\d+)/.exec(line); return at ? `${lines.join('\n').split('\n')[Number(at[1]) - 2] ?? ''}\n    ${line}` : `    ${line}`; };
  wrong.push(...`${error.stdout}`.trim().split('\n').map(about));
}
if (wrong.length) { console.error(`the page and docs/openapi.json differ:\n  ${wrong.join('\n  ')}`); process.exit(1); }
console.log(`${calls.length} calls of the page are the server's ${used.size} routes`);
