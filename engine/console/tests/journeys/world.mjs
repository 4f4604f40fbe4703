// A mock server and a browser for journeys: everything on ports that the system chooses, ended with the test.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import puppeteer from 'puppeteer-core';

const here = dirname(fileURLToPath(import.meta.url));
export const DIST = process.env.LINCHPIN_CONSOLE_DIST;
export const BUNDLES = process.env.CONSOLE_TESTS;
export const PASSWORD = 'correct horse battery';
/** `chromium` or `firefox`. */
export const BROWSER = process.env.CONSOLE_BROWSER ?? 'chromium';
const CHROMIUM = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const FIREFOX = process.env.FIREFOX ?? ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find(existsSync);
/** Longest wait for anything that a test expects, ms. */
export const WAIT_MS = Number(process.env.CONSOLE_WAIT_MS ?? 15_000);

/** A server of its own; `end` stops it. */
export async function serve(...options) { return serveAt(0, ...options); }

/** The same with a clock that begins at this moment, Unix ms. */
export async function serveAt(start_ms, ...options) {
  const child = spawn(process.execPath, [join(BUNDLES, 'mock.mjs'), DIST, ...options.map(String)], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, POLICY: join(here, '../../src/policy.txt'), MOCK_START: String(start_ms) } });
  const url = await new Promise((found, failed) => { createInterface({ input: child.stdout }).once('line', found); child.once('exit', () => failed(new Error('the mock ended'))); });
  return {
    url: url.replace(/\/$/, ''),
    /** Pull a lever of the server, see `tests/mock/server.ts`. */
    lever: async (name, body = {}) => { const answer = await fetch(`${url}mock/${name}`, { method: 'POST', body: JSON.stringify(body) }); return answer.status === 204 ? null : answer.json(); },
    end: () => child.kill(),
  };
}

let browser = null;
export async function browse() {
  if (BROWSER === 'firefox') {
    browser ??= await puppeteer.launch({ browser: 'firefox', executablePath: FIREFOX, headless: true, acceptInsecureCerts: true, extraPrefsFirefox: { 'ui.prefersReducedMotion': 1 } });
    return browser;
  }
  browser ??= await puppeteer.launch({ acceptInsecureCerts: true, executablePath: CHROMIUM, headless: true, args: ['--no-sandbox', '--font-render-hinting=none', '--force-color-profile=srgb', '--hide-scrollbars'] });
  return browser;
}
export async function endBrowser() { await browser?.close(); browser = null; }

/** A page in a context of its own that collects what must not happen: errors, failed requests, requests to elsewhere. */
export async function open(server, { width = 1280, height = 900, scale = 1, dark = false, language = 'en', bypass = false, start_ms = 0 } = {}) {
  const context = await (await browse()).createBrowserContext();
  const page = await context.newPage();
  const wrong = [];
  const requests = [];
  page.on('console', (message) => { if (['error', 'warn'].includes(message.type())) wrong.push(`console: ${message.text()}`); });
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('request', (request) => { const url = request.url(); requests.push(url); if (!url.startsWith(server.url) && !/^(data|blob):/.test(url)) wrong.push(`request to ${url}`); });
  await page.setViewport({ width, height, deviceScaleFactor: scale });
  // WebDriver BiDi has no way to set these; Firefox gets its preferences at the start.
  if (BROWSER === 'chromium') {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
    await page.emulateTimezone('UTC');
    if (bypass) await page.setBypassCSP(true);
  }
  await page.evaluateOnNewDocument(() => {
    globalThis.breaches = [];
    document.addEventListener('securitypolicyviolation', (event) => globalThis.breaches.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
  });
  await page.evaluateOnNewDocument((code) => { localStorage.setItem('linchpin.language', code); }, language);
  if (start_ms) await page.evaluateOnNewDocument((start) => { const real = Date.now.bind(Date); const shift = start - real(); Date.now = () => real() + shift; }, start_ms);
  page.setDefaultTimeout(WAIT_MS);
  return { page, wrong, requests, close: () => context.close() };
}

/** Through the form, as a person does it. */
export async function signIn(page, server, email = 'mara@example.com', password = PASSWORD) {
  await page.goto(`${server.url}/sign-in`);
  await page.waitForSelector('input[name="email"]');
  await page.type('input[name="email"]', email);
  await page.type('input[name="password"]', password);
  await page.click('button[type="submit"]');
}

/** Wait until the screen has drawn what it asked for. */
export async function settle(page) {
  await page.waitForFunction(() => !document.querySelector('.skeleton') && document.querySelector('h1'));
  await page.waitForNetworkIdle({ idleTime: 150, concurrency: 1, timeout: WAIT_MS }).catch(() => {});
}

/** Go to an address of the console without loading the page again. */
export async function go(page, path) {
  await page.evaluate((to) => { const link = document.createElement('a'); link.href = to; document.body.append(link); link.click(); link.remove(); }, path);
  await page.waitForFunction((to) => location.pathname + location.search === to, {}, path);
  await settle(page);
}

export const text = (page, selector) => page.$eval(selector, (found) => found.textContent);
export const waitText = (page, selector, words) => page.waitForFunction((s, w) => document.querySelector(s)?.textContent?.includes(w), {}, selector, words);
