// The console through the eyes of a role, against the real server: it is the server that shows less, and the values stay live.
import assert from 'node:assert/strict';
import { go, waitText } from '../journeys/world.mjs';
import { Board } from './board.mjs';
import { click, createPerson, enter, makeDevice, makeTemplate, MARA } from './stage.mjs';

const names = (page) => page.$$eval('.device-row:not(.head) .name a', (all) => all.map((one) => one.textContent));

/** Mara owns one device and somebody else another: as a User she sees hers only, live. */
export async function view(server) {
  const { page, close } = await enter(server, MARA);
  const mine = await makeDevice(page, 'Orchard gate', await makeTemplate(page));
  createPerson(server, 'orchard@example.com', 'staff');
  const other = await enter(server, 'orchard@example.com');
  const theirs = await makeDevice(other.page, 'Orchard pump');
  await other.close();
  const board = new Board(server, mine.token);
  await board.connected();
  board.write(0, '21.5');
  await go(page, '/people/roles');
  await click(page, 'View as Viewer');
  await waitText(page, '.banner', 'the role Viewer');
  await page.waitForFunction(() => document.body.textContent.includes('Orchard pump') && document.body.textContent.includes('Orchard gate'));
  await click(page, 'Leave this view');
  await go(page, '/people/roles');
  await click(page, 'View as User');
  await page.waitForSelector(`a[href="/devices/${mine.id}"]`);
  assert.ok(!(await names(page)).includes('Orchard pump'));
  await waitText(page, '.linkstate', 'Live');
  await page.click(`a[href="/devices/${mine.id}"]`);
  await waitText(page, 'h1', 'Orchard gate');
  // The role sees no templates, but the dashboard of a device of one's own.
  await page.waitForFunction(() => [...document.querySelectorAll('.grid:not([inert]) [role="meter"], .grid:not([inert]) .widget')].some((one) => one.textContent.includes('21.5')));
  await page.click(`a[href="/devices/${mine.id}/values"]`);
  await page.waitForFunction(() => document.body.textContent.includes('21.5'));
  board.write(0, '33.5');
  await page.waitForFunction(() => document.body.textContent.includes('33.5'));
  await click(page, 'Leave this view');
  await page.waitForFunction(() => !document.querySelector('.banner'));
  await go(page, `/devices/${theirs.id}`);
  await waitText(page, 'h1', 'Orchard pump');
  board.kill();
  await close();
}
