// A board: the npm client `blynk-library` of the compatibility tests, unmodified, in a process of its own.
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { EVENT_MS } from './server.mjs';

const CLIENT = join(dirname(fileURLToPath(import.meta.url)), '../../../../tests/compat/clients/blynk_library.js');

export class Board {
  #events = [];
  #waiting = new Set();

  constructor(server, token) {
    const [host, port] = server.ready.plain.split(':');
    this.child = spawn(process.execPath, [CLIENT, host, port], { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, LINCHPIN_TOKEN: token, NODE_PATH: join(process.env.LINCHPIN_CLIENTS, 'node_modules') } });
    this.child.stdin.on('error', () => {});
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return;
      this.#events.push(JSON.parse(line));
      for (const look of [...this.#waiting]) look();
    });
  }

  /** The next event that fits, whether it has come already or not. */
  event(what, fits) {
    return new Promise((found, failed) => {
      const look = () => {
        const at = this.#events.findIndex(fits);
        if (at < 0) return false;
        const [event] = this.#events.splice(at, 1);
        clearTimeout(late);
        this.#waiting.delete(look);
        found(event);
        return true;
      };
      const late = setTimeout(() => { this.#waiting.delete(look); failed(new Error(`the board has not heard within ${EVENT_MS} ms: ${what}; it heard ${JSON.stringify(this.#events.slice(-10))}`)); }, EVENT_MS);
      this.#waiting.add(look);
      look();
    });
  }

  connected() { return this.event('connected', (one) => one.event === 'connected'); }
  written(pin) { return this.event(`a write to V${pin}`, (one) => one.event === 'write' && one.pin === pin).then((one) => String(one.values[0])); }
  order(order) { this.child.stdin.write(`${JSON.stringify(order)}\n`); }
  write(pin, ...values) { this.order({ order: 'write', pin, values }); }

  /** As when the power fails: nothing is said. */
  kill() { this.child.kill('SIGKILL'); }
}
