// Bundles the console into a folder that `build.rs` embeds.
//
//   node build.mjs [--out DIR] [--watch]
//
// The folder gets `index.html`, `assets/NAME-HASH.*` with their .gz and .br forms, the icons, and `files.txt`: one line a
// file, which is all that build.rs reads. The bytes depend on the sources and the lock file only.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import * as esbuild from 'esbuild';

const here = dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2);
const cache = process.env.LINCHPIN_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME ?? '.', '.cache'), 'linchpin');
const out = words.includes('--out') ? words[words.indexOf('--out') + 1] : process.env.LINCHPIN_CONSOLE_DIST ?? join(cache, 'console', 'dist');

const MEDIA = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
  png: 'image/png',
  json: 'application/json',
  webmanifest: 'application/manifest+json',
};

/** Files below a folder, in a fixed order. */
function walk(folder) {
  const found = [];
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) found.push(...walk(path));
    else found.push(path);
  }
  return found;
}

/** A short digest that fits an entity tag. */
const digest = (bytes) => createHash('sha256').update(bytes).digest('base64url').slice(0, 16);

/** What the bundle is made of: changes with every source, the lock file and this file. */
export function sources() {
  const hash = createHash('sha256');
  for (const path of [...walk(join(here, 'app')), join(here, 'package-lock.json'), join(here, 'build.mjs')]) {
    hash.update(`${relative(here, path)}\0`).update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex').slice(0, 16);
}

/** Files that are loaded when they are needed: those that some source imports by a call. */
function parts() {
  const sources = walk(join(here, 'app')).filter((path) => /\.tsx?$/.test(path));
  return new Set(sources.flatMap((path) => [...readFileSync(path, 'utf8').matchAll(/\bimport\('(\.[^']+)'\)/g)].map((call) => join(dirname(path), call[1]))));
}

/**
 * One chunk for all that the frame needs: a module of it goes apart with whatever part shares it otherwise, ten small files
 * before anything is drawn. Each part imports the frame, which is there already when a part is loaded, and so all of the
 * frame's modules have the same importers.
 */
const frame = {
  name: 'frame',
  setup(build) {
    const lazy = parts();
    const frame = join(here, 'app/shell.tsx');
    build.onLoad({ filter: /\.tsx?$/ }, ({ path }) => {
      if (!lazy.has(path)) return undefined;
      return { contents: `${readFileSync(path, 'utf8')}\nimport ${JSON.stringify(frame)};\n`, loader: path.endsWith('x') ? 'tsx' : 'ts' };
    });
  },
};

const options = {
  absWorkingDir: here,
  entryPoints: { early: 'app/early.ts', main: 'app/main.tsx', style: 'app/style/index.css', more: 'app/style/more.css' },
  outdir: join(out, 'assets'),
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  minify: true,
  charset: 'utf8',
  target: ['es2022', 'chrome123', 'firefox128', 'safari17.5'],
  jsx: 'automatic',
  jsxImportSource: 'preact',
  metafile: true,
  legalComments: 'none',
  logLevel: 'warning',
  plugins: [frame],
  define: { __BUILD__: JSON.stringify(sources()) },
};

/** The page: one style sheet, the first script, the script, hints for what it imports at once, and the files of two screens. */
function page(metafile) {
  const outputs = Object.entries(metafile.outputs);
  const short = (path) => `/assets/${path.split('/assets/')[1]}`;
  const [script, built] = outputs.find(([, output]) => output.entryPoint === 'app/main.tsx');
  const sheet = (source) => outputs.find(([path, output]) => output.entryPoint === source && path.endsWith('.css'))[0];
  const imports = (output) => output.imports.filter((i) => i.kind === 'import-statement').map((i) => i.path);
  const whole = (path, into = new Set()) => { if (!into.has(path)) { into.add(path); imports(metafile.outputs[path]).forEach((one) => whole(one, into)); } return into; };
  const first = whole(script);
  // The one module of its own chunk: loading it runs it.
  const early = outputs.find(([, output]) => Object.keys(output.inputs).join() === 'app/early.ts')[0];
  const preloads = [...first].filter((path) => path !== script && path !== early).map((path) => `<link rel="modulepreload" href="${short(path)}">`);
  const part = (name, ...sources) => {
    const found = sources.flatMap((source) => [...whole(outputs.find(([, output]) => output.entryPoint === source)[0])]);
    return `<meta name="${name}-part" content="${[...new Set(found)].filter((path) => !first.has(path)).map(short).join(' ')}">`;
  };
  return readFileSync(join(here, 'app/index.html'), 'utf8')
    .replace('<!-- style -->', `<link rel="stylesheet" href="${short(sheet('app/style/index.css'))}">\n<meta name="more-style" content="${short(sheet('app/style/more.css'))}">`)
    .replace('<!-- parts -->', [part('devices', 'app/screens/devices.tsx'), part('device', 'app/screens/device.tsx', 'app/screens/device-dashboard.tsx', 'app/words/more.ts')].join('\n'))
    .replace('<!-- script -->', [`<script type="module" async src="${short(early)}"></script>`, ...preloads, `<script type="module" src="${short(script)}"></script>`].join('\n'));
}

/** One file with its compressed forms; answers its line in `files.txt`. */
function put(path, bytes) {
  const file = join(out, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, bytes);
  const forms = { gz: gzipSync(bytes, { level: 9 }), br: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } }) };
  const shorter = Object.entries(forms).filter(([, form]) => form.length < bytes.length);
  for (const [ending, form] of shorter) writeFileSync(`${file}.${ending}`, form);
  const has = (ending) => (shorter.some(([name]) => name === ending) ? ending : '-');
  const media = MEDIA[path.split('.').pop()];
  if (!media) throw new Error(`${path}: no media type`);
  const stays = path.startsWith('assets/') ? 'immutable' : 'revalidate';
  return [`/${path}`, media, digest(bytes), stays, has('gz'), has('br')].join('\t');
}

function finish(result) {
  const lines = [];
  for (const output of result.outputFiles) lines.push(put(join('assets', relative(options.outdir, output.path)), output.contents));
  lines.push(put('index.html', Buffer.from(page(result.metafile))));
  for (const file of walk(join(here, 'app/static'))) lines.push(put(relative(join(here, 'app/static'), file), readFileSync(file)));
  writeFileSync(join(out, 'files.txt'), `build\t${sources()}\n${lines.sort().join('\n')}\n`);
  writeFileSync(join(out, 'meta.json'), JSON.stringify(result.metafile));
  return lines.length;
}

async function build() {
  const result = await esbuild.build({ ...options, write: false });
  rmSync(out, { recursive: true, force: true });
  return finish(result);
}

async function watch() {
  const say = { name: 'say', setup: (b) => b.onEnd((result) => { if (result.errors.length === 0) console.log(`${finish(result)} files in ${out}`); }) };
  const context = await esbuild.context({ ...options, write: false, plugins: [...options.plugins, say] });
  await context.watch();
}

if (words.includes('--sources')) console.log(sources());
else if (words.includes('--watch')) await watch();
else console.log(`${await build()} files in ${out}`);
