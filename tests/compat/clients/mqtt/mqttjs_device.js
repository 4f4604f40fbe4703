// A device on npm mqtt. Usage: mqttjs_device.js MODE HOST PORT VERSION TRANSPORT CA; as paho_device.py.
const fs = require('fs')
const mqtt = require('mqtt')

const [mode, host, port, version, transport, ca] = process.argv.slice(2)
const scheme = { tcp: 'mqtt', tls: 'mqtts', ws: 'ws', wss: 'wss' }[transport]
const path = transport.startsWith('ws') ? '/mqtt' : ''
const five = version === '5'
const options = {
  username: 'device',
  password: process.env.LINCHPIN_TOKEN,
  protocolVersion: Number(version),
  keepalive: 45,
  reconnectPeriod: 1000,
}
if (transport === 'tls' || transport === 'wss') options.ca = fs.readFileSync(ca)
if (mode === 'will') options.will = { topic: 'ds/V9', payload: Buffer.from('by will'), qos: 1, retain: false }

const client = mqtt.connect(`${scheme}://${host}:${port}${path}`, options)
const say = (event) => console.log(JSON.stringify(event))
const fail = (why) => {
  console.error(why)
  process.exit(1)
}

async function use () {
  const heard = []
  let wake = () => {}
  client.on('message', (topic, payload) => {
    heard.push([topic, payload.toString()])
    wake()
  })
  const next = async () => {
    while (heard.length === 0) await new Promise((resolve) => { wake = resolve })
    return heard.shift()
  }
  const expect = async (topic, payload) => {
    const found = await next()
    if (found[0] !== topic || (payload !== undefined && found[1] !== payload)) {
      fail(`expected ${topic} ${payload}, got ${found}`)
    }
    return found[1]
  }
  // An answer with a reason from 0x80 on is an error of the promise.
  const code = (topic, payload, qos = 1) => client.publishAsync(topic, payload, { qos }).then(() => 0, (e) => e.code)
  await client.subscribeAsync('downlink/#', { qos: 1 })
  // The same event may come once a second, and this program is run several times.
  await new Promise((resolve) => setTimeout(resolve, 1200))
  const firmware = { tmpl: 'TMPLlinchpin', ver: '1.2.3', build: 'Nov 29 2026', type: 'TMPLlinchpin', rxbuff: 2048 }
  if (await code('info/mcu', JSON.stringify(firmware)) !== 0) fail('info')
  if (await code('event/hot', 'by mqtt.js') !== 0) fail('an event')
  if (await code('ds/Slider', '300') !== 0) fail('a write')
  if (await code('ds/Counter', '8', 2) !== 0) fail('a write at QoS 2')
  if (await code('batch_ds', JSON.stringify({ Message: 'js', Temperature: -1.5 })) !== 0) fail('a batch')
  if (await code('meta/Hotspot Name', 'attic') !== 0) fail('metadata')
  if (await code('ds/Slider/prop/color', '#00ff00') !== 0) fail('a property')
  client.publish('get/ds', 'Slider,Counter,Message,Temperature')
  await expect('downlink/ds/Slider', '300')
  await expect('downlink/ds/Counter', '8')
  await expect('downlink/ds/Message', 'js')
  await expect('downlink/ds/Temperature', '-1.5')
  client.publish('get/meta', 'Hotspot Name')
  await expect('downlink/meta/Hotspot Name', 'attic')
  client.publish('get/utc/all/json', '')
  JSON.parse(await expect('downlink/utc/all/json'))
  const refused = await code('ds/Slider', 'fast')
  if (five && refused !== 0x99) fail(`a refused write: ${refused}`)
  if (!five && !(await expect('downlink/diag')).startsWith('E0803')) fail('no diag')
  await client.endAsync()
}

if (mode === 'use') {
  setTimeout(() => fail('it takes too long'), 30000).unref()
  client.on('error', (error) => fail(`${error}`))
  client.once('connect', () => use().then(() => process.exit(0), (error) => fail(`${error.stack}`)))
} else {
  client.on('connect', () => client.subscribe('downlink/#', () => say({ event: 'ready' })))
  client.on('message', (topic, payload) => say({ event: 'message', topic, payload: payload.toString() }))
  client.on('close', () => say({ event: 'gone' }))
  client.on('error', (error) => say({ event: Number.isInteger(error.code) ? 'refused' : 'error', code: error.code }))
  process.stdin.on('end', () => process.exit(0)).resume()
}
