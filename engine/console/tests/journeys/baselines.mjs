// Screens as they looked when somebody last looked at them: half size, compared in the browser with a small tolerance.
// LINCHPIN_BLESS=1 takes them anew; a missing one fails.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { browse, go, open, serveAt, settle, signIn } from './world.mjs';
import { SIGNED_IN } from './screens.mjs';

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../pictures');
/** 29 November 2026, 12:00 UTC. */
const START_MS = 1_795_953_600_000;
const SHOWN = ['devices', 'add', 'waiting', 'dashboard', 'dashboard-2', 'timeline', 'diary', 'data', 'settings', 'edit', 'templates', 'streams', 'events', 'users', 'roles', 'organizations', 'audit', 'server', 'backups', 'findings', 'me', 'personal-keys'];
/** A pixel differs when one of its colours does by more than this (of 255): letters are drawn a little otherwise by other versions. */
const APART = 48;
/** So much of a picture may differ. */
const SHARE = 0.012;

/** The share of pixels that differ, counted in a page: the browser reads PNG. 1 for another size. */
async function difference(page, a, b) {
  return page.evaluate(async (one, two, apart) => {
    const pixels = async (data) => {
      const image = await createImageBitmap(new Blob([Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))], { type: 'image/png' }));
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext('2d');
      context.drawImage(image, 0, 0);
      return context.getImageData(0, 0, image.width, image.height);
    };
    const [x, y] = [await pixels(one), await pixels(two)];
    if (x.width !== y.width || x.height !== y.height) return 1;
    let differs = 0;
    for (let at = 0; at < x.data.length; at += 4) {
      if (Math.abs(x.data[at] - y.data[at]) > apart || Math.abs(x.data[at + 1] - y.data[at + 1]) > apart || Math.abs(x.data[at + 2] - y.data[at + 2]) > apart) differs++;
    }
    return differs / (x.width * x.height);
  }, a, b, APART);
}

async function pictures({ width, height, dark, name: look }) {
  const bless = process.env.LINCHPIN_BLESS === '1';
  const server = await serveAt(START_MS, '--still');
  const wrong = [];
  try {
    await server.lever('attempt', { address: '10.0.0.7', code: 302 });
    const { page, close } = await open(server, { width, height, scale: 0.5, dark, start_ms: START_MS });
    const judge = await (await browse()).newPage();
    await signIn(page, server);
    await page.waitForFunction(() => location.pathname === '/devices');
    await settle(page);
    mkdirSync(FOLDER, { recursive: true });
    for (const [name, path] of SIGNED_IN.filter(([one]) => SHOWN.includes(one))) {
      await go(page, path);
      await page.evaluate(() => { document.activeElement?.blur(); document.querySelectorAll('.toasts > *').forEach((one) => one.remove()); return document.fonts.ready; });
      // Two frames: charts are drawn in the one after their data.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
      const file = join(FOLDER, `${name}-${look}.png`);
      let taken = await page.screenshot({ encoding: 'base64' });
      if (bless) { writeFileSync(file, Buffer.from(taken, 'base64')); continue; }
      if (!existsSync(file)) { wrong.push(`${name}-${look}: there is no picture to compare with`); continue; }
      const known = readFileSync(file).toString('base64');
      let share = await difference(judge, known, taken);
      // Under load something may come a moment later than the screen.
      for (let again = 0; share > SHARE && again < 10; again++) {
        await page.evaluate(() => new Promise((done) => setTimeout(done, 200)));
        taken = await page.screenshot({ encoding: 'base64' });
        share = await difference(judge, known, taken);
      }
      if (share > SHARE) {
        const kept = process.env.CONSOLE_TESTS ? join(process.env.LINCHPIN_CACHE ?? process.env.CONSOLE_TESTS, `${name}-${look}-now.png`) : null;
        if (kept) writeFileSync(kept, Buffer.from(taken, 'base64'));
        wrong.push(`${name}-${look}: ${(share * 100).toFixed(1)} % differ (allowed ${SHARE * 100} %); now: ${kept}`);
      }
    }
    await close();
    await judge.close();
  } finally { server.end(); }
  assert.deepEqual(wrong, []);
  const strangers = readdirSync(FOLDER).filter((file) => file.endsWith(`-${look}.png`) && !SHOWN.some((name) => file === `${name}-${look}.png`));
  assert.deepEqual(strangers, [], 'pictures of screens that there are not');
}

export const baselines = {
  'screens look as they did, 1280, light': () => pictures({ width: 1280, height: 900, dark: false, name: 'wide' }),
  'screens look as they did, 320, dark': () => pictures({ width: 320, height: 640, dark: true, name: 'phone' }),
};
