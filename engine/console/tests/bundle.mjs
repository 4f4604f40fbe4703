// Bundles the TypeScript of the tests for Node: node tests/bundle.mjs OUT
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2];
const unit = readdirSync(join(here, 'unit')).filter((name) => name.endsWith('.test.ts')).map((name) => join(here, 'unit', name));
await esbuild.build({ entryPoints: unit, outdir: join(out, 'unit'), outExtension: { '.js': '.mjs' }, bundle: true, platform: 'node', format: 'esm', target: 'node18', logLevel: 'warning', define: { __BUILD__: '"test"', __CONSOLE__: JSON.stringify(join(here, '..')) }, jsx: 'automatic', jsxImportSource: 'preact' });
await esbuild.build({ entryPoints: [join(here, 'mock/server.ts')], outfile: join(out, 'mock.mjs'), bundle: true, platform: 'node', format: 'esm', target: 'node18', logLevel: 'warning' });
