// The npm client blynk-library as the tests drive it: orders as JSON lines on stdin, what happens as JSON lines on
// stdout (see puppet.rs). Usage: node blynk_library.js HOST PORT, token in LINCHPIN_TOKEN; with LINCHPIN_WEBSOCKET set
// through the library's WebSocket client, with LINCHPIN_CA (PEM file) through its TLS client.
'use strict';

const readline = require('readline');
const blynkLibrary = require('blynk-library');

const [host, port] = process.argv.slice(2);
const say = (event) => process.stdout.write(JSON.stringify(event) + '\n');
const webSocketConnector = () => {
  // The library's WebSocket client is for browsers: it looks for their globals.
  global.window = global;
  global.WebSocket = require('ws');
  const { WsClient } = require('blynk-library/blynk-browser.js');
  return new WsClient({ addr: host, port: Number(port), path: '/websockets' });
};
const streamConnector = () => {
  const options = { addr: host, port: Number(port) };
  const ca = process.env.LINCHPIN_CA;
  return ca ? new blynkLibrary.SslClient({ ...options, ca: [ca] }) : new blynkLibrary.TcpClient(options);
};
const connector = process.env.LINCHPIN_WEBSOCKET ? webSocketConnector() : streamConnector();
const blynk = new blynkLibrary.Blynk(process.env.LINCHPIN_TOKEN, { connector });

for (let pin = 0; pin < 32; pin += 1) {
  const virtualPin = new blynk.VirtualPin(pin);
  virtualPin.on('write', (values) => say({ event: 'write', pin, values }));
}

// The library keeps answers to itself; a second listener on its connection reads them.
const HEADER_BYTES = 5;
let unread = '';
const readAnswers = (text) => {
  unread += text;
  while (unread.length >= HEADER_BYTES) {
    const header = Buffer.from(unread.slice(0, HEADER_BYTES), 'latin1');
    const [command, id, third] = [header[0], header.readUInt16BE(1), header.readUInt16BE(3)];
    const length = HEADER_BYTES + (command === 0 ? 0 : third);
    if (unread.length < length) return;
    if (command === 0) say({ event: 'response', id, status: third });
    unread = unread.slice(length);
  }
};

blynk.on('connect', () => {
  unread = '';
  connector.on('data', readAnswers);
  say({ event: 'connected' });
});
blynk.on('disconnect', () => say({ event: 'disconnected' }));
blynk.on('error', (reason) => say({ event: 'error', text: String(reason) }));

const bridge = new blynk.WidgetBridge(31);
const orders = {
  write: ({ pin, values }) => blynk.virtualWrite(pin, values),
  sync: ({ pins }) => pins.forEach((pin) => blynk.syncVirtual(pin)),
  sync_all: () => blynk.syncAll(),
  property: ({ pin, name, values }) => blynk.setProperty(pin, name, values),
  event: ({ code, text }) => blynk.eventLog(code, text),
  email: ({ to, subject, text }) => blynk.email(to, subject, text),
  notify: ({ text }) => blynk.notify(text),
  tweet: ({ text }) => blynk.tweet(text),
  bridge_open: ({ token }) => bridge.setAuthToken(token),
  bridge_write: ({ pin, values }) => bridge.virtualWrite(pin, values),
};
const input = readline.createInterface({ input: process.stdin });
input.on('line', (line) => {
  const order = JSON.parse(line);
  orders[order.order](order);
});
input.on('close', () => process.exit(0));
