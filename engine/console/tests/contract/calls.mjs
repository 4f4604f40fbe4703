// Reads the calls of the API from a source file: no parser of TypeScript, but no call is passed over: what cannot be read is
// an error.

/** What asks, and the method when nothing else says it. */
const ASKS = { ask: null, askWhole: null, useAsk: 'GET', put: 'PUT', patch: 'PATCH', post: 'POST', remove: 'DELETE' };
/** Functions that answer a path, with the paths that they answer. */
const PATHS = { fleetQuery: ['/orgs/{}/devices?q&show&template&tag&meta&sort&order&below&limit'] };
/** Prefixes of paths. */
const PREFIX = [[/^\$\{O\.(value|peek\(\))\}/, '/orgs/{}'], [/^\$\{D\([^{}]*?\)\}/, '/orgs/{}/devices/{}'], [/^\$\{org\}/, '/orgs/{}']];

/** Where the bracket that opens at `at` is closed. */
function closing(text, at) {
  let depth = 0;
  for (let n = at; n < text.length; n++) {
    const sign = text[n];
    if (sign === "'" || sign === '"') { for (n++; text[n] !== sign; n++) if (text[n] === '\\') n++; continue; }
    if (sign === '`') { for (n++; text[n] !== '`'; n++) { if (text[n] === '\\') n++; else if (text[n] === '$' && text[n + 1] === '{') n = closing(text, n + 1); } continue; }
    if ('([{'.includes(sign)) depth++;
    else if (')]}'.includes(sign) && --depth === 0) return n;
  }
  throw new Error(`a bracket stays open: ${text.slice(at, at + 60)}`);
}

/** Parts between commas of the outermost level. */
function split(text) {
  const parts = [];
  let begin = 0;
  for (let n = 0; n < text.length; n++) {
    const sign = text[n];
    if ('([{'.includes(sign)) n = closing(text, n);
    else if (sign === "'" || sign === '"') { for (n++; text[n] !== sign; n++) if (text[n] === '\\') n++; }
    else if (sign === '`') { for (n++; text[n] !== '`'; n++) if (text[n] === '$' && text[n + 1] === '{') n = closing(text, n + 1); }
    else if (sign === ',') { parts.push(text.slice(begin, n).trim()); begin = n + 1; }
  }
  const last = text.slice(begin).trim();
  return last ? [...parts, last] : parts;
}

/** Names of an object that is written down; `open` when a part of it comes from elsewhere. */
function namesOf(text) {
  const names = [];
  let open = false;
  for (const part of split(text.trim().replace(/^\{/, '').replace(/\}$/, ''))) {
    if (part.startsWith('...')) { open = true; for (const hit of part.matchAll(/[{,]\s*(\w+)\s*(?=[:,}])/g)) names.push(hit[1]); } else names.push(/^\w+/.exec(part)[0]);
  }
  return { names, open };
}

/** A path as a template: `/orgs/{}/devices?limit&below`. `null` when it is none. */
function pathOf(literal) {
  let text = literal;
  const names = [];
  for (let at = text.indexOf('${query('); at >= 0; at = text.indexOf('${query(')) {
    const end = closing(text, at + 1);
    names.push(...namesOf(text.slice(at + 8, text.lastIndexOf(')', end))).names);
    text = text.slice(0, at) + text.slice(end + 1);
  }
  for (const [pattern, path] of PREFIX) text = text.replace(pattern, path);
  // Part of a query that is there or not: `${open ? '&open=true' : ''}`.
  text = text.replace(/\$\{[^{}]*'(&[^']*)'[^{}]*\}/g, '$1').replace(/\$\{[^{}]*\}/g, '{}');
  const [path, asked = ''] = text.split('?');
  names.push(...asked.split('&').filter(Boolean).map((one) => one.split('=')[0]));
  return path.startsWith('/') ? { path, query: names } : null;
}

/** A path for each of the words that a blank of it can be: `${what}` where `what: 'suspend' | 'resume'`. */
function filled({ path, query }, literal, source) {
  const blank = /\/\$\{(\w+)\}$/.exec(literal);
  const words = blank && new RegExp(`\\b${blank[1]}: ((?:'[\\w-]+' \\| )+'[\\w-]+')`).exec(source);
  return words ? words[1].split(' | ').map((word) => ({ path: path.replace(/\{\}$/, word.slice(1, -1)), query })) : [{ path, query }];
}

/** All paths that an expression can be. */
function pathsOf(expression, source) {
  const word = /^(\w+)$/.exec(expression);
  if (word) {
    const made = new RegExp(`const ${word[1]} = (.+?);\\n`).exec(source);
    return made ? pathsOf(made[1], source) : [];
  }
  for (const [name, found] of Object.entries(PATHS)) if (expression.startsWith(`${name}(`)) return found.map(pathOf);
  if (/^D\(/.test(expression)) return [{ path: '/orgs/{}/devices/{}', query: [] }];
  const found = [];
  for (let n = 0; n < expression.length; n++) {
    const sign = expression[n];
    if (sign !== '`' && sign !== "'") continue;
    const begin = n + 1;
    for (n++; expression[n] !== sign; n++) if (sign === '`' && expression[n] === '$' && expression[n + 1] === '{') n = closing(expression, n + 1);
    const literal = expression.slice(begin, n);
    const path = pathOf(literal);
    if (path) found.push(...filled(path, literal, source));
  }
  return found;
}

/** Method and body of `ask(path, options)`; a condition may hold two. */
function optionsOf(text) {
  if (!text) return [{ method: 'GET', body: null }];
  const choice = /^[^{]*\?\s*(\{.*\})\s*:\s*(\{.*\})$/.exec(text);
  if (choice) return [...optionsOf(choice[1]), ...optionsOf(choice[2])];
  const parts = split(text.replace(/^\{/, '').replace(/\}$/, ''));
  const of = (name) => parts.find((part) => part === name || part.startsWith(`${name}:`))?.slice(name.length + 1).trim();
  const body = of('body');
  return [{ method: /'(\w+)'/.exec(of('method') ?? '')?.[1] ?? (body === undefined ? 'GET' : 'POST'), body: body?.startsWith('{') ? namesOf(body) : body === undefined ? null : { names: [], open: true } }];
}

export function callsOf(source, file, wrong) {
  if (/api\/(client|use)\.ts$/.test(file)) return [];
  const imported = [...source.matchAll(/import \{([^}]*)\} from '[^']*\/(?:client|use)\.ts'/g)].flatMap((hit) => hit[1].split(',').map((name) => name.trim()));
  const calls = [];
  const lineOf = (at) => `${file}:${source.slice(0, at).split('\n').length}`;
  for (const hit of source.matchAll(/(?<![\w.])(ask|askWhole|useAsk|put|patch|post|remove)(<(?:[^<>()]|<(?:[^<>]|<[^<>]*>)*>)*>)?\(/g)) {
    if (!imported.includes(hit[1])) continue;
    const open = hit.index + hit[0].length - 1;
    const [first, second] = split(source.slice(open + 1, closing(source, open)));
    const paths = pathsOf(first, source);
    if (paths.length === 0) { wrong.push(`${lineOf(hit.index)}: the path of this call cannot be read: ${first}`); continue; }
    const fixed = ASKS[hit[1]];
    const ways = fixed === null ? optionsOf(second) : [{ method: fixed, body: fixed === 'GET' || fixed === 'DELETE' ? null : !second ? { names: [], open: false } : second.startsWith('{') ? namesOf(second) : { names: [], open: true } }];
    for (const { path, query } of paths) for (const way of ways) calls.push({ at: lineOf(hit.index), path, query, ...way, answer: hit[2]?.slice(1, -1) ?? null });
  }
  // Links to files.
  for (const hit of source.matchAll(/[`"'](\/api\/v1\/?[^`"']*)/g)) {
    const at = hit.index;
    const text = source[at] === '`' ? source.slice(at + 1, endOfTemplate(source, at)) : hit[1];
    const found = pathOf(text.replace(/^\/api\/v1/, ''));
    if (found) calls.push({ at: lineOf(at), method: 'GET', body: null, answer: null, ...found });
  }
  return calls;
}

function endOfTemplate(text, at) {
  let n = at + 1;
  for (; text[n] !== '`'; n++) if (text[n] === '$' && text[n + 1] === '{') n = closing(text, n + 1);
  return n;
}
