// The real binary for journeys: started on free ports with a data folder of its own, ended with the test. Its mails are
// files; links in them are what a person clicks.
import { spawn, spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const BINARY = process.env.LINCHPIN_BIN;
/** Longest wait for a server to start, ms: a debug build on a machine that does other things too. */
const START_MS = 60_000;
/** Longest wait for anything else that another process does, ms. */
export const EVENT_MS = 30_000;

/** Look again until there is something; for what no event announces (files of another process). */
export async function until(what, look, limit_ms = EVENT_MS) {
  const end = Date.now() + limit_ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${limit_ms} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export async function startServer(...options) {
  const folder = mkdtempSync(join(tmpdir(), 'linchpin-console-'));
  const [data, ready, log] = ['data', 'ready.json', 'log'].map((name) => join(folder, name));
  const out = openSync(log, 'w');
  const child = spawn(BINARY, ['dev', '--plain', '127.0.0.1:0', '--tls', '127.0.0.1:0', '--data', data, '--ready-file', ready, ...options], { stdio: ['ignore', out, out] });
  closeSync(out);
  let ended = null;
  const end = new Promise((done) => child.once('exit', (code) => { ended = code ?? -1; done(); }));
  const text = () => readFileSync(log, 'utf8');
  await until('the server starts', () => { if (ended !== null) throw new Error(`the server ended with ${ended}:\n${text()}`); return existsSync(ready); }, START_MS);
  const facts = JSON.parse(readFileSync(ready, 'utf8'));
  return {
    ready: facts, url: facts.console.replace(/\/$/, ''), log: text, data,
    /** A command of the operator; answers what it prints. */
    command: (args, input) => {
      const done = spawnSync(BINARY, [...args, '--data', data], { input, encoding: 'utf8', timeout: EVENT_MS });
      if (done.status !== 0) throw new Error(`linchpin ${args.join(' ')}: ${done.stderr}\n${text()}`);
      return done.stdout;
    },
    /** The link in the newest mail to somebody that leads to this screen. */
    mailedLink: (to, screen) => until(`a mail to ${to}`, () => {
      const names = existsSync(join(data, 'mail')) ? readdirSync(join(data, 'mail')).filter((name) => name.endsWith('.eml')).sort().reverse() : [];
      const mails = names.map((name) => readFileSync(join(data, 'mail', name), 'utf8')).filter((mail) => mail.includes(`To: ${to}`) || mail.includes(`<${to}>`));
      return mails.map((mail) => new RegExp(`https?://\\S+/${screen}#\\S+`).exec(mail)?.[0]).find(Boolean);
    }),
    end: async () => {
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), EVENT_MS);
      await end;
      clearTimeout(late);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The code of an authenticator app (RFC 6238), now or so many steps later. */
export function totp(secret, steps = 0) {
  const bits = [...secret.replace(/=+$/, '')].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac('sha1', key).update(counter).digest();
  const at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}
