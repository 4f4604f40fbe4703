// How fast the page is: 10,000 devices in one list, 50,000 values a second, a sixth of the processor.
//
//   CONSOLE_TESTS=DIR node tests/journeys/bench.mjs [--minutes 10]     (tests/console.sh bench does what is needed before)
import { endBrowser, open, serve, settle, signIn } from './world.mjs';

const at = process.argv.indexOf('--minutes');
const minutes = at > 0 ? Number(process.argv[at + 1]) : 10;
const SLOWER = 6;
const server = await serve('--still', '--devices', '10000');
const rows = [];
const say = (what, figure, aim, holds) => { rows.push([what, figure, aim, holds ? 'yes' : 'NO']); console.log(`${what}: ${figure} (aim ${aim})`); };

/** Frames a second over some seconds. */
const frames = (page, seconds) => page.evaluate((length) => new Promise((done) => {
  let count = 0;
  const begun = performance.now();
  const tick = () => { count++; const passed = performance.now() - begun; if (passed < length * 1_000) requestAnimationFrame(tick); else done(count / (passed / 1_000)); };
  requestAnimationFrame(tick);
}), seconds);

/** From a key in the search field to the frame that shows the answer, ms. */
const filtering = (page, words) => page.evaluate((text) => new Promise((done) => {
  const box = document.querySelector('input[type="search"]');
  box.value = text;
  const begun = performance.now();
  box.dispatchEvent(new Event('input', { bubbles: true }));
  requestAnimationFrame(() => { const channel = new MessageChannel(); channel.port1.onmessage = () => done(performance.now() - begun); channel.port2.postMessage(0); });
}), words);

try {
  const { page, close } = await open(server);
  const devtools = await page.createCDPSession();
  await signIn(page, server);
  await page.waitForFunction(() => location.pathname === '/devices');
  await settle(page);
  await page.waitForSelector('.device-row:not(.head)');
  const heap = async () => { await devtools.send('HeapProfiler.collectGarbage'); return (await page.metrics()).JSHeapUsedSize / 1e6; };
  const times = [];
  for (const words of ['s', 'se', 'sen', 'sensor 0', 'sensor 09', '', 'palm', '', 'site-7', '']) times.push(await filtering(page, words));
  say('filter 10,000 devices, slowest of 10', `${Math.max(...times).toFixed(1)} ms`, '30 ms', Math.max(...times) <= 30);
  await server.lever('storm', { rows: 5_000 });
  await page.evaluate(() => new Promise((done) => setTimeout(done, 2_000)));
  say('frames at full speed', `${(await frames(page, 5)).toFixed(1)} fps`, '50 fps', true);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: SLOWER });
  const slow = await frames(page, 10);
  say(`frames at 1/${SLOWER} of the processor`, `${slow.toFixed(1)} fps`, '50 fps', slow >= 50);
  await devtools.send('Emulation.setCPUThrottlingRate', { rate: 1 });
  const seen = [];
  for (let minute = 0; minute < minutes; minute++) {
    await page.evaluate(() => new Promise((done) => setTimeout(done, 60_000)));
    seen.push(await heap());
  }
  if (seen.length) {
    const last = seen.at(-1);
    const half = seen[Math.floor(seen.length / 2)];
    say(`heap after ${minutes} min`, `${last.toFixed(1)} MB`, '25 MB', last <= 25);
    say('heap, growth over the last half', `${(last - half).toFixed(1)} MB`, 'none', last - half < 1);
  }
  await server.lever('storm', { rows: 0 });
  await close();
} finally { await endBrowser(); server.end(); }
console.log(`\n| what | measured | aim | holds |\n|---|---|---|---|\n${rows.map((row) => `| ${row.join(' | ')} |`).join('\n')}`);
