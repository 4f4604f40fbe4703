// Journeys against the real binary: node tests/real/run.mjs [name...]. LINCHPIN_BIN names the binary, CONSOLE_BROWSER the
// browser, LINCHPIN_CLIENTS the folder with the npm client.
import { join } from 'node:path';
import { browse, BROWSER, endBrowser } from '../journeys/world.mjs';
import * as all from './journeys.mjs';
import { startServer } from './server.mjs';
import { tour } from './tour.mjs';
import { view } from './view.mjs';

const journeys = { ...all, view };
const ORDER = ['firstRun', 'ownBoard', 'controls', 'editing', 'people', 'view', 'factor', 'siblings', 'exports', 'operator', 'overTls'];
const wanted = process.argv.slice(2);
let failed = 0;

/** What the pages looked like, into the folder that CONSOLE_SHOTS names. */
async function shots(name) {
  if (!process.env.CONSOLE_SHOTS) return;
  const pages = await (await browse()).pages();
  for (const [n, page] of pages.entries()) await page.screenshot({ path: join(process.env.CONSOLE_SHOTS, `${name}-${n}.png`) }).catch(() => {});
}
const server = await startServer(...(process.env.LINCHPIN_CONSOLE_DIR ? ["--console", process.env.LINCHPIN_CONSOLE_DIR] : []));
try {
  // Looking at every screen with axe is the work of one browser.
  for (const name of BROWSER === 'chromium' ? [...ORDER, 'tour'] : ORDER) {
    // Everybody comes after the first.
    if (name !== 'firstRun' && wanted.length && !wanted.includes(name)) continue;
    const begun = Date.now();
    try { await (name === 'tour' ? tour(server, null) : journeys[name](server)); console.log(`ok      ${BROWSER}: ${name} (${Date.now() - begun} ms)`); } catch (error) {
      failed++;
      await shots(name);
      console.log(`FAILED  ${BROWSER}: ${name}: ${error.stack ?? error}`);
      if (name === 'firstRun') break;
    }
  }
} finally {
  await endBrowser();
  if (failed) console.log(server.log().split('\n').slice(-40).join('\n'));
  await server.end();
}
process.exit(failed ? 1 : 0);
