// All journeys, one after the other, each with a server and a page of its own: node tests/journeys/run.mjs [name...]
import { endBrowser } from './world.mjs';
import { journeys } from './journeys.mjs';
import { people } from './people.mjs';
import { audits } from './audits.mjs';
import { baselines } from './baselines.mjs';

const wanted = process.argv.slice(2);
let failed = 0;
for (const [name, run] of [...Object.entries(journeys), ...Object.entries(people), ...Object.entries(audits), ...Object.entries(baselines)]) {
  if (wanted.length && !wanted.some((word) => name.includes(word))) continue;
  const begun = Date.now();
  try { await run(); console.log(`ok      ${name} (${Date.now() - begun} ms)`); } catch (error) { failed++; console.log(`FAILED  ${name}: ${error.stack ?? error}`); }
}
await endBrowser();
if (failed) { console.error(`${failed} failed`); process.exit(1); }
