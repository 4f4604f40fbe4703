// Somebody opens the link of an invitation that came by mail, says who they are, and sees their devices:
//
//   node tests/real/invited.mjs LINK     (tests/e2e/tests/mail.rs takes the link from a real mail server)
import assert from 'node:assert/strict';
import { endBrowser, open, settle } from '../journeys/world.mjs';
import { fill, PASSWORD } from './stage.mjs';

const link = process.argv[2];
try {
  const { page, wrong, close } = await open({ url: new URL(link).origin });
  await page.goto(link);
  await fill(page, { name: 'Jonas Weber', password: PASSWORD });
  await page.click('input[type="checkbox"]');
  await page.click('button[type="submit"]');
  await page.waitForFunction(() => location.pathname === '/devices');
  await settle(page);
  assert.match(await page.$eval('.rail .me', (one) => one.textContent), /Jonas Weber/);
  assert.deepEqual(wrong, []);
  await close();
} finally { await endBrowser(); }
