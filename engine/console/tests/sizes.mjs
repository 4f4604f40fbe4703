// Size gates, in bytes of gzip: what a browser loads until the list of devices stands, and all chunks together.
import { readFileSync, statSync, existsSync } from 'node:fs';
import { join } from 'node:path';

const FIRST_BYTES = 60_000;
const AIM_BYTES = 40_000;
const ALL_BYTES = 180_000;
const dist = process.env.LINCHPIN_CONSOLE_DIST;
const meta = JSON.parse(readFileSync(join(dist, 'meta.json'), 'utf8'));
const outputs = new Map(Object.entries(meta.outputs).map(([path, output]) => [path.split('/assets/')[1], output]));
const size = (name) => statSync(join(dist, 'assets', existsSync(join(dist, 'assets', `${name}.gz`)) ? `${name}.gz` : name)).size;

/** A chunk and all that it imports at once. */
function closure(name, into = new Set()) {
  if (into.has(name)) return into;
  into.add(name);
  for (const used of outputs.get(name).imports.filter((one) => one.kind === 'import-statement')) closure(used.path.split('/assets/')[1], into);
  return into;
}
const entry = (source) => [...outputs].find(([, output]) => output.entryPoint === source)[0];
const first = new Set([entry('app/style/index.css')]);
for (const source of ['app/main.tsx', 'app/screens/devices.tsx']) closure(entry(source), first);
const sum = (names) => [...names].reduce((total, name) => total + size(name), 0);
const route = sum(first);
const all = sum(outputs.keys());
console.log(`first route ${route} bytes gzip in ${first.size} files (aim ${AIM_BYTES}, limit ${FIRST_BYTES}); all ${outputs.size} chunks ${all} (limit ${ALL_BYTES})`);
if (route > FIRST_BYTES || all > ALL_BYTES) { console.error('too large'); process.exit(1); }
