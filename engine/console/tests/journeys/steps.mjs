// Steps that journeys share.
import { open, serve, settle, signIn } from './world.mjs';

/** Run with a server and a page that are ended whatever happens. */
export async function within(run, { server: options = ['--still'], page: look = {} } = {}) {
  const server = await serve(...options);
  const world = await open(server, look);
  try { await run({ server, ...world }); } finally { await world.close().catch(() => {}); server.end(); }
}

export async function enter(page, server, email) {
  await signIn(page, server, email);
  await page.waitForFunction(() => location.pathname === '/devices');
  await settle(page);
}

export const click = async (page, name, within = 'body') => {
  const found = await page.waitForSelector(`${within} ::-p-aria([name="${name}"])`);
  await found.click();
};
export const widget = (title) => `.widget:has(h2[title="${title}"])`;
