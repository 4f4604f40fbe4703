// Lighthouse over the real server, on the phone's and the desktop's preset: sign-in, the list of devices, a dashboard.
//
//   node tests/real/lighthouse.mjs     (tests/console.sh lighthouse does what is needed before; LIGHTHOUSE is its package's folder)
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';
import { signIn } from '../journeys/world.mjs';
import { furnish } from './furnish.mjs';
import { startServer } from './server.mjs';
import { createPerson, MARA, PASSWORD } from './stage.mjs';

const SCORE = 95;
/** Largest contentful paint, ms, by preset. */
const LCP_MS = { mobile: 1_500, desktop: 500 };
const { default: lighthouse, desktopConfig } = await import(join(process.env.LIGHTHOUSE, 'core/index.js'));
const server = await startServer(...(process.env.LINCHPIN_CONSOLE_DIR ? ['--console', process.env.LINCHPIN_CONSOLE_DIR] : []));
const browser = await puppeteer.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', headless: true, args: ['--no-sandbox'] });
const missed = [];

async function look(name, path, preset) {
  const page = await browser.newPage();
  const options = { output: 'json', logLevel: 'error', disableStorageReset: true, onlyCategories: ['performance', 'accessibility', 'best-practices', 'seo'] };
  const { lhr } = await lighthouse(`${server.url}${path}`, options, preset === 'desktop' ? desktopConfig : undefined, page);
  await page.close();
  const scores = Object.entries(lhr.categories).map(([category, found]) => [category, Math.round(found.score * 100)]);
  const lcp = lhr.audits['largest-contentful-paint'].numericValue;
  console.log(`${name}, ${preset}: ${scores.map((one) => one.join(' ')).join(', ')}; LCP ${(lcp / 1_000).toFixed(2)} s, TBT ${lhr.audits['total-blocking-time'].displayValue}, CLS ${lhr.audits['cumulative-layout-shift'].displayValue}`);
  for (const [category, score] of scores) if (score < SCORE) missed.push(`${name}, ${preset}: ${category} ${score}`);
  if (lcp > LCP_MS[preset]) missed.push(`${name}, ${preset}: LCP ${lcp.toFixed(0)} ms`);
}

try {
  createPerson(server, MARA);
  for (const preset of ['mobile', 'desktop']) await look('sign-in', '/sign-in', preset);
  const page = await browser.newPage();
  await signIn(page, server, MARA, PASSWORD);
  await page.waitForFunction(() => location.pathname === '/devices');
  const made = await furnish(server, page);
  await page.close();
  for (const preset of ['mobile', 'desktop']) {
    await look('devices', '/devices', preset);
    await look('dashboard', `/devices/${made.first.id}`, preset);
  }
  made.boards.forEach((board) => board.kill());
} finally { await browser.close(); await server.end(); }
if (missed.length) { console.error(`missed:\n${missed.join('\n')}`); process.exit(1); }
