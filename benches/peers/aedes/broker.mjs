// Aedes in one process: node broker.mjs PORT [CERTIFICATE KEY]
import { readFileSync } from 'node:fs'
import net from 'node:net'
import tls from 'node:tls'
import { Aedes } from 'aedes'

const [port, cert, key] = process.argv.slice(2)
const broker = await Aedes.createBroker()
const server = cert
  ? tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, broker.handle)
  : net.createServer(broker.handle)
// Node.js alone would let 511 connections wait.
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 })
