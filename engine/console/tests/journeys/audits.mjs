// Every screen, light and dark, wide and narrow: axe finds nothing, nothing breaks the policy, the console says nothing,
// nothing is asked from elsewhere, and nothing is wider than the window.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { go, open, serve, settle, signIn } from './world.mjs';
import { DIALOGS, OPEN, SIGNED_IN } from './screens.mjs';

const axe = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../../node_modules/axe-core/axe.min.js'), 'utf8');

/** Violations of a page, one line each. axe is put in around the policy: the second run of the same screens counts reports. */
export async function violations(page) {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe);
  return page.evaluate(async () => {
    const found = await window.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return found.violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(' ')}: ${node.failureSummary?.split('\n')[1]?.trim() ?? ''}`));
  });
}

export const wider = (page) => page.evaluate(() => {
  const width = document.documentElement.clientWidth;
  return document.documentElement.scrollWidth > width ? [...document.querySelectorAll('main *')].filter((one) => one.getBoundingClientRect().right > width + 1).slice(0, 3).map((one) => `${one.tagName} ${one.className}`) : [];
});

async function screens({ width, dark, language = 'en' }, look) {
  const server = await serve('--still');
  await server.lever('attempt', { address: '10.0.0.7', code: 302 });
  try {
    for (const bypass of [true, false]) {
      const { page, wrong, close } = await open(server, { width, height: width < 500 ? 640 : 900, dark, language, bypass });
      const found = [];
      const check = async (name) => { for (const line of await look(page, bypass)) found.push(`${name}: ${line}`); };
      for (const [name, path] of OPEN) { await page.goto(`${server.url}${path}`); await settle(page); await check(name); }
      await signIn(page, server);
      await page.waitForFunction(() => location.pathname === '/devices');
      await settle(page);
      for (const [name, path] of SIGNED_IN) { await go(page, path); await check(name); }
      if (width > 500 && language === 'en') for (const [name, path, clicks] of DIALOGS) {
        await go(page, path);
        for (const words of clicks) await (await page.waitForSelector(`::-p-aria([name="${words}"]${words.includes(':') ? '' : '[role="button"]'})`)).click();
        await page.waitForSelector('dialog[open], [popover]:popover-open');
        await settle(page);
        await check(name);
        await page.keyboard.press('Escape');
        await page.waitForFunction(() => !document.querySelector('dialog[open], [popover]:popover-open'));
      }
      // A device that is not there is a 404, which Chromium writes to its console.
      const said = wrong.filter((line) => !line.includes('404 (Not Found)'));
      assert.deepEqual(found, []);
      if (!bypass) { assert.deepEqual(said, []); assert.deepEqual(await server.lever('reports'), []); }
      await close();
    }
  } finally { server.end(); }
}

const withAxe = (page, bypass) => (bypass ? violations(page) : []);
const withWidth = async (page, bypass) => [...(bypass ? await violations(page) : []), ...(await wider(page)).map((one) => `wider than the window: ${one}`)];

export const audits = {
  'every screen, 1280, light': () => screens({ width: 1280, dark: false }, withAxe),
  'every screen, 1280, dark': () => screens({ width: 1280, dark: true }, withAxe),
  'every screen, 320, light': () => screens({ width: 320, dark: false }, withWidth),
  'every screen, from the right, 320': () => screens({ width: 320, dark: true, language: 'rtl' }, async (page) => (await wider(page)).map((one) => `wider than the window: ${one}`)),
};
