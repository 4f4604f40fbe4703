// A greenhouse with a past: the same in every run but for the moment that it ends at.
import { seeded } from '../journeys/seeded.mjs';
import { Board } from './board.mjs';
import { api, makeDevice, makeTemplate } from './stage.mjs';

const NAMES = ['North bay', 'South bay', 'Seedlings', 'Tomatoes', 'Herbs', 'Palm house', 'Orchids', 'Cold frame'];
const MINUTE = 60_000;

/** Points of the last hours, one a minute: a day's curve with a little noise. */
function past(random, hours, low, high, decimals) {
  const end = Date.now();
  return Array.from({ length: hours * 60 }, (_, n) => {
    const share = 0.5 + 0.42 * Math.sin(n / 95) + 0.16 * (random() - 0.5);
    return [end - (hours * 60 - n) * MINUTE, Number((low + (high - low) * share).toFixed(decimals))];
  });
}

async function points(server, token, pin, list) {
  const answer = await fetch(`${server.url}/external/api/batch/update?token=${token}&pin=${pin}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(list) });
  if (answer.status !== 200) throw new Error(`points of ${pin}: ${answer.status} ${await answer.text()}`);
}

/** Devices with values, events, tags, one that has gone; answers what tests look at. The boards must be killed. */
export async function furnish(server, page) {
  const random = seeded(24);
  const template = await makeTemplate(page);
  const boards = [];
  const devices = [];
  for (const [n, name] of NAMES.entries()) {
    const device = await makeDevice(page, name, template);
    devices.push(device);
    await api(page, 'PATCH', `/orgs/1/devices/${device.id}`, { tags: n % 2 ? ['east'] : ['west', 'heated'], metadata: { Bay: String.fromCharCode(65 + n) } });
    if (n === 7) continue;
    const board = new Board(server, device.token);
    await board.connected();
    boards.push(board);
    for (const [pin, low, high, decimals] of [[0, 16, 29, 1], [1, 45, 78, 0], [2, 22, 61, 0]]) {
      const list = past(random, n === 0 ? 6 : 1, low, high, decimals);
      await points(server, device.token, `V${pin}`, list);
      board.write(pin, String(list.at(-1)[1]));
    }
    board.write(4, n % 2 ? '1' : '0');
    board.write(5, '22.5');
    board.write(6, '1');
    board.write(7, 'Vents at 40 %, next watering 18:30');
  }
  boards[1].order({ order: 'event', code: 'too_hot', text: 'Air at 36.4 C for 5 minutes' });
  return { template, boards, devices, first: devices[0] };
}
