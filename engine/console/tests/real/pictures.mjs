// The pictures of README.md and the guides, made from the real server with real boards and a fixed seed:
// node tests/real/pictures.mjs OUT
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { endBrowser, go, open, settle, waitText } from '../journeys/world.mjs';
import { Board } from './board.mjs';
import { furnish } from './furnish.mjs';
import { startServer, until } from './server.mjs';
import { api, awake, click, enter, fill, MARA, PASSWORD } from './stage.mjs';

/** Largest picture, bytes. */
const LARGEST = 200_000;

const out = process.argv[2];
mkdirSync(out, { recursive: true });
const server = await startServer(...(process.env.LINCHPIN_CONSOLE_DIR ? ['--console', process.env.LINCHPIN_CONSOLE_DIR] : []));

async function take(page, name, clip) {
  await page.evaluate(() => document.activeElement?.blur());
  const path = join(out, `${name}.png`);
  await page.screenshot({ path, clip });
  const { size } = statSync(path);
  if (size > LARGEST) throw new Error(`${name} has ${size} bytes, ${LARGEST} are allowed`);
  console.log(`${path}: ${size} bytes`);
}

let boards = [];
try {
  // The first run, up to the three doors.
  const first = await open(server, { height: 800 });
  await first.page.goto(server.ready.setup);
  await fill(first.page, { org: 'Greenhouse Labs', name: 'Mara Lindqvist', email: MARA, password: PASSWORD });
  await take(first.page, 'set-up');
  await first.page.click('button[type="submit"]');
  await first.page.waitForFunction(() => location.pathname === '/devices/add');
  await settle(first.page);
  await take(first.page, 'three-doors');
  await first.close();

  const { page, close } = await enter(server, MARA, { height: 860 });
  for (const id of [1, 2, 3]) await api(page, 'DELETE', `/orgs/1/devices/${id}`);
  const made = await furnish(server, page);
  boards = made.boards;
  const north = made.first;
  /** A value of this moment is on the page. */
  let last = 20.2;
  const fresh = async (where) => {
    last = Math.round((last + 0.1) * 10) / 10;
    boards[0].write(0, String(last));
    await waitText(where, '.widget:has(h2[title="Now"])', String(last));
    await where.evaluate(() => new Promise((done) => setTimeout(done, 500)));
  };
  await go(page, `/devices/${north.id}`);
  await awake(page);
  await page.waitForFunction(() => document.querySelector('.plot-box canvas'));
  await page.setViewport({ width: 1280, height: 1090, deviceScaleFactor: 1 });
  await fresh(page);
  await take(page, 'dashboard');
  await page.setViewport({ width: 1280, height: 860, deviceScaleFactor: 1 });
  await go(page, '/devices');
  await take(page, 'devices');

  const phone = await enter(server, MARA, { width: 390, height: 844, dark: true });
  await go(phone.page, `/devices/${north.id}`);
  await awake(phone.page);
  await fresh(phone.page);
  await take(phone.page, 'phone');
  await phone.close();

  // A board that is taken over by another with its token, again and again, gets its reason and the fix.
  const twin = new Board(server, north.token);
  await twin.connected();
  twin.kill();
  await until('the diary has an end', async () => {
    await go(page, `/devices/${north.id}/settings`);
    await go(page, `/devices/${north.id}/diary`);
    return (await page.$$('.line-list .fix')).length > 0;
  });
  await take(page, 'diary', { x: 0, y: 0, width: 1280, height: 560 });

  // The waiting room: a wrong token, then the right one.
  await go(page, '/devices/add?door=sketch');
  await page.click('input[value="sketch"]');
  await click(page, 'Create the token');
  await page.waitForSelector('.secret');
  const token = await page.$eval('.secret span', (one) => one.textContent);
  const wrong = new Board(server, `${'A'.repeat(31)}B`);
  await page.waitForSelector('.attempts-list li');
  wrong.kill();
  const board = new Board(server, token);
  boards.push(board);
  await board.connected();
  for (const [pin, value] of [[0, '21.5'], [1, '47'], [2, '1013']]) board.write(pin, value);
  await page.waitForFunction(() => document.querySelectorAll('.first-pins .badge').length === 3);
  await page.evaluate(() => document.querySelector('.first-pins').scrollIntoView({ block: 'center' }));
  await page.evaluate(() => new Promise((done) => setTimeout(done, 300)));
  await take(page, 'waiting-room');

  // For the guide of organizations.
  await api(page, 'POST', '/orgs/1/orgs', { name: 'Botanic Garden', kind: 'business' });
  await api(page, 'POST', '/orgs/1/orgs', { name: 'City Nursery', kind: 'business' });
  await go(page, '/people/organizations');
  await take(page, 'organizations', { x: 0, y: 0, width: 1280, height: 520 });
  await api(page, 'POST', '/orgs/1/invites', { email: 'jonas@example.com', role: 2, below: false });
  await go(page, '/people/roles');
  await take(page, 'roles', { x: 0, y: 0, width: 1280, height: 640 });
  await close();
} finally {
  boards.forEach((one) => one.kill());
  await endBrowser();
  await server.end();
}
