// What a person does, against the mock server.
import assert from 'node:assert/strict';
import { click, enter, widget, within } from './steps.mjs';
import { go, PASSWORD, settle, signIn, text, waitText } from './world.mjs';

export const journeys = {
  'sign in, a row is a link, sign out': () => within(async ({ page, server }) => {
    await enter(page, server);
    const link = await page.$eval('.device-row .name a', (found) => found.getAttribute('href'));
    assert.match(link, /^\/devices\/\d+$/);
    await page.click('.device-row .name a');
    await page.waitForFunction((to) => location.pathname === to, {}, link);
    await settle(page);
    await go(page, '/me');
    await click(page, 'Sign out');
    await page.waitForFunction(() => location.pathname === '/sign-in');
    assert.equal(await page.evaluate(() => localStorage.getItem('linchpin.signed-in')), null);
  }),

  'a wrong password and an unknown person get the same words; five block the address': () => within(async ({ page, server }) => {
    await signIn(page, server, 'mara@example.com', 'wrong wrong wrong');
    await page.waitForSelector('[role="alert"]');
    const first = await text(page, '[role="alert"]');
    await signIn(page, server, 'nobody@example.com', 'wrong wrong wrong');
    await page.waitForSelector('[role="alert"]');
    assert.equal(await text(page, '[role="alert"]'), first);
    for (let n = 0; n < 3; n++) { await signIn(page, server, 'mara@example.com', `wrong ${n} wrong`); await page.waitForSelector('[role="alert"]'); }
    await signIn(page, server);
    await waitText(page, '[role="alert"]', 'Wait 10 minutes');
  }),

  'a second factor is asked for': () => within(async ({ page, server }) => {
    await signIn(page, server, 'factor@example.com');
    await page.waitForSelector('input[name="code"]');
    await page.type('input[name="code"]', '123 456');
    await page.click('button[type="submit"]');
    await page.waitForFunction(() => location.pathname === '/devices');
  }),

  'the password itself is never sent': () => within(async ({ page, server }) => {
    const bodies = [];
    page.on('request', (request) => bodies.push(request.postData() ?? ''));
    await enter(page, server);
    assert.ok(bodies.some((body) => body.includes('"hash"')));
    assert.ok(bodies.every((body) => !body.includes(PASSWORD)));
  }),

  'a virtual device: from the door to a moving gauge': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/add');
    await click(page, 'Start it');
    await page.waitForFunction(() => /^\/devices\/\d+$/.test(location.pathname));
    const id = Number(await page.evaluate(() => location.pathname.split('/')[2]));
    await page.waitForSelector('.widget');
    await server.lever('value', { device: id, pin: 'V0', text: '42' });
    await page.waitForFunction(() => [...document.querySelectorAll('[role="meter"]')].some((one) => one.getAttribute('aria-valuenow') === '42'));
  }),

  'the waiting room shows an attempt and its reason': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/waiting');
    await server.lever('attempt', { address: '10.0.0.7', code: 302 });
    await page.waitForSelector('.attempts-list li');
    assert.match(await text(page, '.attempts-list li'), /10\.0\.0\.7: No device has the token/);
    await server.lever('attempt', { address: '10.0.0.7', code: 302 });
    await waitText(page, '.attempts-list', '2 times');
  }),

  'a switch goes to the device and shows only what comes back': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/1');
    const fan = `${widget('Fan')} [role="switch"]`;
    const before = await page.waitForSelector(`.grid:not([inert]) ${fan}`).then((found) => found.evaluate((one) => one.ariaChecked));
    await page.click(fan);
    await page.waitForFunction((s, was) => { const one = document.querySelector(s); return one.ariaChecked !== was && one.ariaBusy !== 'true'; }, {}, fan, before);
    assert.equal((await server.lever('values', { device: 1 })).V4, before === 'true' ? '0' : '1');
    // Refused: it springs back and says why.
    await server.lever('behaviour', { refuse: 401 });
    await page.click(fan);
    await page.waitForSelector(`${widget('Fan')} .control-line.refused`);
    assert.match(await text(page, `${widget('Fan')} .control-line`), /E0401/);
    assert.notEqual(await page.$eval(fan, (one) => one.ariaChecked), before);
  }),

  'a slider is moved by keyboard; the device being away is said': () => within(async ({ page, server }) => {
    await server.lever('behaviour', { offline: [1] });
    await enter(page, server);
    await go(page, '/devices/1');
    const slider = `${widget('Target temperature')} input[type="range"]`;
    await page.waitForSelector(`.grid:not([inert]) ${slider}`);
    await page.focus(slider);
    await page.keyboard.press('ArrowRight');
    await page.waitForSelector(`${widget('Target temperature')} .control-line.kept`);
    assert.equal(await page.$eval(slider, (one) => one.getAttribute('aria-valuetext')), '22.6 °C');
  }),

  'an unknown value is never shown as a value': () => within(async ({ page, server }) => {
    await server.lever('trouble', { path: '/values', status: 503 });
    await enter(page, server);
    await go(page, '/devices/1?page=p2');
    await page.waitForSelector('.grid:not([inert])');
    assert.match(await text(page, widget('All values')), /V9Pumpno value yet/);
  }),

  'a property of the device overrides the layout': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/1');
    await page.waitForSelector('.grid:not([inert])');
    await server.lever('property', { device: 1, pin: 'V4', name: 'label', text: 'Exhaust fan' });
    await page.waitForSelector(widget('Exhaust fan'));
  }),

  'a lost link is said, nothing can be steered, and it comes back': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/1');
    await page.waitForSelector('.grid:not([inert])');
    await page.evaluate(() => { window.real = window.WebSocket; window.WebSocket = class extends window.real { constructor() { super('ws://127.0.0.1:9/'); } }; });
    await server.lever('cut');
    await page.waitForSelector('.banner');
    await page.waitForSelector('.grid[inert]');
    await page.evaluate(() => { window.WebSocket = window.real; });
    // The page may have come back by itself.
    await page.evaluate(() => document.querySelector('.banner button')?.click());
    await page.waitForSelector('.grid:not([inert])');
    await page.waitForFunction(() => !document.querySelector('.banner'));
  }),

  'a device that dies is offline everywhere': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/1');
    await server.lever('presence', { device: 1, online: false, code: 103 });
    await waitText(page, '.screen-head .state', 'Offline');
    await go(page, '/devices');
    await page.waitForFunction(() => [...document.querySelectorAll('.device-row')].some((row) => row.textContent.includes('North bay') && row.textContent.includes('Offline')));
  }),

  'a dashboard is edited by keyboard, undone, redone and saved': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/1?edit=1');
    const cell = '[data-id="w4"]';
    const at = () => page.$eval(cell, (one) => ['--x', '--y', '--w', '--h'].map((name) => one.style.getPropertyValue(name)).join());
    await page.waitForSelector(cell);
    await page.focus(cell);
    assert.equal(await at(), '10,1,3,2');
    await page.keyboard.press('ArrowLeft');
    assert.equal(await at(), '9,1,3,2');
    await page.keyboard.down('Shift');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.up('Shift');
    assert.equal(await at(), '9,1,3,3');
    assert.match(await text(page, '[aria-live="assertive"]'), /Column 9, row 1, 3 wide, 3 high/);
    await page.keyboard.down('Control');
    await page.keyboard.press('z');
    await page.keyboard.up('Control');
    assert.equal(await at(), '9,1,3,2');
    await click(page, 'Redo');
    assert.equal(await at(), '9,1,3,3');
    await page.focus('[data-id="w8"]');
    await page.keyboard.press('Delete');
    await page.waitForFunction(() => !document.querySelector('[data-id="w8"]'));
    await click(page, 'Save');
    await page.waitForFunction(() => !location.search.includes('edit'));
    await page.waitForFunction((s) => !document.querySelector(s), {}, widget('Window'));
  }),

  'a dashboard is edited by mouse': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/1?edit=1');
    const box = await (await page.waitForSelector('[data-id="w4"]')).boundingBox();
    await page.mouse.move(box.x + 30, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + 30, box.y + 60 + 88, { steps: 4 });
    await page.mouse.up();
    assert.equal(await page.$eval('[data-id="w4"]', (one) => one.style.getPropertyValue('--y')), '2');
    await click(page, 'Undo');
    assert.equal(await page.$eval('[data-id="w4"]', (one) => one.style.getPropertyValue('--y')), '1');
  }),

  'two people save: the later one sees both versions': () => within(async ({ page, server }) => {
    await enter(page, server);
    await go(page, '/devices/1?edit=1');
    await page.waitForSelector('[data-id="w4"]');
    const put = await page.evaluate(async () => {
      const sheet = await (await fetch('/api/v1/orgs/1/templates/TMPLgreen001')).json();
      const answer = await fetch('/api/v1/orgs/1/templates/TMPLgreen001', { method: 'PUT', headers: { 'content-type': 'application/json', 'x-linchpin-csrf': 'csrf-of-the-mock' }, body: JSON.stringify({ name: sheet.name }) });
      return answer.status;
    });
    assert.equal(put, 200);
    await page.focus('[data-id="w4"]');
    await page.keyboard.press('ArrowLeft');
    await click(page, 'Save');
    await page.waitForSelector('dialog[open]');
    assert.match(await text(page, 'dialog[open]'), /Someone saved in between/);
    await click(page, 'Save mine over it', 'dialog[open]');
    await page.waitForFunction(() => !location.search.includes('edit'));
  }),

  'broken, forbidden and slow answers say so': () => within(async ({ page, server }) => {
    await enter(page, server);
    await server.lever('trouble', { path: '/events', status: 500 });
    await go(page, '/events');
    await waitText(page, '[role="alert"]', 'That did not work');
    await server.lever('trouble');
    await click(page, 'Try again');
    await page.waitForSelector('.line-list');
    await server.lever('trouble', { path: '/users', status: 403 });
    await go(page, '/people');
    await waitText(page, '[role="alert"]', 'Not for your role');
    await server.lever('trouble', { path: '/templates', late_ms: 1_500 });
    await page.evaluate(() => { const link = document.createElement('a'); link.href = '/templates'; document.body.append(link); link.click(); link.remove(); });
    await page.waitForSelector('.skeleton');
    await page.waitForSelector('.template-card');
  }),

  'an empty fleet shows the way': () => within(async ({ page, server }) => {
    await server.lever('empty');
    await enter(page, server);
    await waitText(page, '.empty', 'No devices yet');
    assert.ok(await page.$('.empty a[href="/devices/add"]'));
  }),

  'ten thousand devices: search, scroll, few nodes': () => within(async ({ page, server }) => {
    await enter(page, server);
    await page.waitForSelector('.device-row:not(.head)');
    assert.ok(await page.$$eval('.device-row', (rows) => rows.length) < 120);
    await page.type('input[type="search"]', 'sensor 09999');
    await page.waitForFunction(() => document.querySelectorAll('.device-row:not(.head)').length === 1);
    await page.evaluate(() => { const box = document.querySelector('input[type="search"]'); box.value = ''; box.dispatchEvent(new Event('input', { bubbles: true })); });
    await page.waitForFunction(() => document.documentElement.scrollHeight > 500_000);
    await page.evaluate(() => scrollTo(0, 300_000));
    await page.waitForFunction(() => { const rows = [...document.querySelectorAll('.device-row:not(.head)')]; return rows.some((row) => { const at = row.getBoundingClientRect(); return at.top > 0 && at.bottom < innerHeight; }); });
  }, { server: ['--still', '--devices', '10000'] }),

  'the palette finds screens and devices': () => within(async ({ page, server }) => {
    await enter(page, server);
    await page.keyboard.down('Control');
    await page.keyboard.press('k');
    await page.keyboard.up('Control');
    await page.waitForSelector('dialog.palette[open]');
    await page.keyboard.type('palm');
    await waitText(page, '#palette-list', 'Palm house');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => /^\/devices\/7$/.test(location.pathname));
  }),

  'German is German': () => within(async ({ page, server }) => {
    await enter(page, server);
    assert.equal(await text(page, 'h1'), 'Geräte');
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'de');
  }, { page: { language: 'de' } }),
};
