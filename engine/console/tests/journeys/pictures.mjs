// Pictures of every screen, for people to look at: node tests/journeys/pictures.mjs OUT [name...]
// Light and dark, 1280 and 320 pixels wide; --rtl and --de for those languages.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { endBrowser, go, open, serve, settle, signIn } from './world.mjs';
import { OPEN, SIGNED_IN } from './screens.mjs';

const [out, ...rest] = process.argv.slice(2);
const names = rest.filter((word) => !word.startsWith('--'));
const language = rest.includes('--rtl') ? 'rtl' : rest.includes('--de') ? 'de' : 'en';
mkdirSync(out, { recursive: true });
const looks = rest.includes('--one') ? [[1280, false]] : rest.includes('--phone') ? [[320, true]] : [[1280, false], [1280, true], [320, false], [320, true]];
const server = await serve();
await server.lever('attempt', { address: '10.0.0.7', code: 302 });
await server.lever('attempt', { address: '192.168.1.40', code: 301 });
const wants = (name) => names.length === 0 || names.includes(name);
try {
  await takeAll();
} finally {
  await endBrowser();
  server.end();
}

async function takeAll() {
  for (const [width, dark] of looks) {
    const { page, wrong, close } = await open(server, { width, height: width === 320 ? 640 : 900, dark, language });
    const take = async (name) => { await new Promise((done) => setTimeout(done, 350)); await page.screenshot({ path: join(out, `${name}-${width}-${dark ? 'dark' : 'light'}.png`), fullPage: true }); };
    for (const [name, path] of OPEN.filter(([name]) => wants(name))) { await page.goto(`${server.url}${path}`); await settle(page); await take(name); }
    await signIn(page, server);
    await page.waitForFunction(() => location.pathname === '/devices');
    await settle(page);
    for (const [name, path] of SIGNED_IN.filter(([name]) => wants(name))) { await go(page, path); await new Promise((done) => setTimeout(done, 300)); await take(name); }
    if (wrong.length) console.log(width, dark, [...new Set(wrong)].slice(0, 8));
    await close();
  }
  console.log('reports', (await server.lever('reports')).length);
}
