// What an organization sets for its people and devices, against the mock server.
import assert from 'node:assert/strict';
import { click, enter, widget, within } from './steps.mjs';
import { go, waitText } from './world.mjs';

export const people = {
  'limits of events and of a wait are set with the template': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/templates/TMPLgreen001/events');
    const most = 'li:nth-child(1) input[inputmode="numeric"]';
    assert.equal(await (await page.waitForSelector(most)).evaluate((one) => one.value), '0');
    // More than the server takes in a day of all events, and what is no number.
    for (const [typed, shown] of [['5', '5'], ['500', '100'], ['-3', '0'], ['x', '0'], ['7', '7']]) {
      await page.$eval(most, (one, text) => { one.value = text; one.dispatchEvent(new Event('input', { bubbles: true })); }, typed);
      await page.waitForFunction((s, text) => document.querySelector(s).value === text, {}, most, shown);
    }
    await click(page, 'Save');
    await page.waitForFunction(() => !document.querySelector('.savebar'));
    await page.click('a[href="/templates/TMPLgreen001/connection"]');
    await page.waitForSelector('input[inputmode="numeric"]');
    await page.$eval('input[inputmode="numeric"]', (one) => { one.value = '90'; one.dispatchEvent(new Event('input', { bubbles: true })); });
    await click(page, 'Save');
    await page.waitForFunction(() => !document.querySelector('.savebar'));
    const saved = await page.evaluate(async () => (await fetch('/api/v1/orgs/1/templates/TMPLgreen001')).json());
    assert.deepEqual([saved.events.map((one) => one.per_day), saved.connection.offline_wait_s], [[7, 4], 90]);
  }),

  'a smaller role sees fewer things, and a change of role reaches the page at once': () => within(async ({ page, server }) => {
    await enter(page, server, 'viewer@example.com');
    assert.equal(await page.$('a[href="/devices/add"]'), null);
    await server.lever('role', { email: 'viewer@example.com', role: 1 });
    await page.waitForSelector('a[href="/devices/add"]', { timeout: 2_000 });
    await server.lever('role', { email: 'viewer@example.com', role: 4 });
    await page.waitForFunction(() => !document.querySelector('a[href="/devices/add"]'), { timeout: 2_000 });
  }),

  'a User sees the dashboard of a device of their own, and no template': () => within(async ({ page, server }) => {
    await server.lever('owner', { device: 2, owner: 3 });
    await enter(page, server, 'ines@example.com');
    await page.waitForSelector('a[href="/devices/2"]');
    assert.equal((await page.$$('.device-row:not(.head)')).length, 1);
    const refused = [];
    page.on('response', (response) => { if (response.status() >= 400) refused.push(response.url()); });
    await page.click('a[href="/devices/2"]');
    await page.waitForSelector(`.grid:not([inert]) ${widget('Fan')} [role="switch"]`);
    await page.click('a[href="/devices/2/values"]');
    await page.waitForFunction(() => [...document.querySelectorAll('.chip')].some((one) => one.textContent === 'V0 Air temperature'));
    await page.click('a[href="/devices/2/settings"]');
    await page.waitForFunction(() => [...document.querySelectorAll('label')].some((one) => one.textContent.includes('Bay')));
    // Early, before the page knows who it is, and by itself.
    await go(page, '/devices/2');
    await page.waitForSelector(`.grid:not([inert]) ${widget('Fan')} [role="switch"]`);
    assert.deepEqual(refused.filter((url) => url.includes('/template')), []);
    assert.equal(await page.evaluate(async () => (await fetch('/api/v1/orgs/1/templates/TMPLgreen001')).status), 403);
    await go(page, '/devices/1');
    await page.waitForSelector('main [role="alert"]');
    assert.equal(await page.$('.grid'), null);
  }),

  'revoked rights sign out': () => within(async ({ page, server }) => {
    await enter(page, server);
    await server.lever('revoke');
    await page.waitForFunction(() => location.pathname === '/sign-in', { timeout: 2_000 });
    await waitText(page, '.panel', 'session has ended');
  }),

  'view as a role': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/people/roles');
    await click(page, 'View as Viewer');
    await waitText(page, '.banner', 'the role Viewer');
    await page.waitForFunction(() => location.pathname === '/devices');
    await page.waitForSelector('.device-row:not(.head)');
    assert.equal(await page.$('a[href="/devices/add"]'), null);
    const all = await page.$$eval('.device-row:not(.head)', (rows) => rows.length);
    await click(page, 'Leave this view');
    await page.waitForSelector('a[href="/devices/add"]');
    assert.equal(await page.$('.banner'), null);
    // A role that sees only its own: what the person who looks owns. The server says so, not the page.
    await server.lever('owner', { device: 1, owner: 3 });
    await go(page, '/people/roles');
    await click(page, 'View as User');
    await page.waitForFunction((count) => { const rows = document.querySelectorAll('.device-row:not(.head)').length; return rows > 0 && rows === count - 1; }, {}, all);
    assert.equal(await page.$('a[href="/devices/1"]'), null);
    // Values stay live, by a socket that has the view's eyes; what would change something is refused, and says why.
    await waitText(page, '.linkstate', 'Live');
    await page.click('a[href="/devices/2"]');
    const fan = `.grid:not([inert]) ${widget('Fan')} [role="switch"]`;
    await page.waitForSelector(fan);
    await server.lever('value', { device: 2, pin: 'V0', text: '37' });
    await page.waitForFunction(() => [...document.querySelectorAll('[role="meter"]')].some((one) => one.getAttribute('aria-valuenow') === '37'));
    const before = (await server.lever('values', { device: 2 })).V4;
    await page.click(fan);
    await waitText(page, widget('Fan'), 'Leave the view first');
    assert.equal((await server.lever('values', { device: 2 })).V4, before);
    await click(page, 'Leave this view');
    await page.waitForFunction(() => !document.querySelector('.banner'));
  }),
};
