"use strict";
// What all pages share: numbers in words, and plots with phases and values under the pointer.
const root = document.documentElement;
let faults = 0;
const fault = () => { faults += 1; root.dataset.errors = faults; };
root.dataset.errors = 0;
root.dataset.plots = 0;
addEventListener("error", fault);
addEventListener("securitypolicyviolation", fault);
const data = JSON.parse(document.getElementById("data").textContent);
const NS = "http://www.w3.org/2000/svg";
const W = 540, H = 274, L = 62, R = 14, T = 38, B = 32;
const colour = (at) => `var(--line-${at % 5 + 1})`;

const el = (parent, name, attributes, text) => {
  const node = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
};
const html = (parent, name, text, className) => {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  if (className) node.className = className;
  parent.append(node);
  return node;
};
const time = (us) => us >= 1e6 ? (us / 1e6).toFixed(us >= 1e7 ? 0 : 2) + " s" : us >= 1e3 ? (us / 1e3).toFixed(us >= 1e4 ? 0 : 2) + " ms" : us.toFixed(us < 10 ? 1 : 0) + " us";
const short = (us) => us >= 1e6 ? us / 1e6 + " s" : us >= 1e3 ? us / 1e3 + " ms" : Number(us.toPrecision(3)) + " us";
const number = (n) => n >= 1e6 ? (n / 1e6).toFixed(1) + "M" : n >= 1e4 ? (n / 1e3).toFixed(1) + "k" : String(Math.round(n * 100) / 100);
const count = (n) => Math.round(n).toLocaleString("en-US");
const bytes = (n) => n >= 2 ** 30 ? (n / 2 ** 30).toFixed(1) + " GiB" : n >= 2 ** 20 ? (n / 2 ** 20).toFixed(1) + " MiB" : count(n) + " B";
const percent = (part) => (part * 100).toFixed(part < 0.1 ? 1 : part < 1 && part > 0.99 ? 2 : 0) + " %";

// Told to whoever looks at the page from outside: it is drawn, and nothing is wider than the window.
const finished = () => {
  root.dataset.overflow = root.scrollWidth > root.clientWidth ? "yes" : "no";
  root.dataset.done = "yes";
};

const steps = (low, high, isLog) => {
  const out = [];
  if (isLog) {
    for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) out.push(10 ** e);
    return out.filter((v) => v >= low * 0.999 && v <= high * 1.001);
  }
  const raw = (high - low) / 5 || 1, base = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * base).find((s) => s >= raw);
  for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) out.push(v);
  return out;
};

const tile = (name, value, isBad) => {
  const box = html(document.getElementById("tiles"), "div", undefined, "tile");
  html(box, "b", value).style.color = isBad ? "var(--bad)" : "";
  html(box, "span", name);
};
const facts = (title, rows) => {
  const shown = rows.filter(([, value]) => value !== "" && value !== undefined && value !== null);
  if (shown.length === 0) return;
  const place = document.getElementById("facts");
  html(place, "h2", title);
  const body = html(html(place, "table"), "tbody");
  for (const [name, value] of shown) {
    const row = html(body, "tr");
    html(row, "td", name);
    html(row, "td", String(value));
  }
};

// A frame with axes. options: title, x0, x1, y0, y1, log, y (format), labels [[x, text]], phases [{name, from, to}]
const frame = (options) => {
  const { x0, x1, y0, y1 } = options;
  const fx = (x) => L + (x - x0) / (x1 - x0 || 1) * (W - L - R);
  const part = (y) => options.log ? (Math.log10(y) - Math.log10(y0)) / (Math.log10(y1) - Math.log10(y0) || 1) : (y - y0) / (y1 - y0 || 1);
  const fy = (y) => H - B - part(y) * (H - T - B);
  const figure = html(document.getElementById("plots"), "figure");
  html(figure, "h2", options.title);
  const svg = el(figure, "svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": options.title });
  // Names stand in two rows, so that short phases are named beside long ones.
  const free = [L, L];
  (options.phases || []).forEach((phase, at) => {
    const from = Math.max(phase.from, x0), to = Math.min(phase.to, x1);
    if (to <= from) return;
    if (at % 2 === 0) el(svg, "rect", { class: "band", x: fx(from), y: T, width: fx(to) - fx(from), height: H - T - B });
    if (from > x0) el(svg, "line", { class: "edge", x1: fx(from), x2: fx(from), y1: T, y2: H - B });
    // A name that has no room is only told at the pointer.
    const width = phase.name.length * 6.2 + 8;
    const row = free.findIndex((x) => fx(from) >= x);
    if (row >= 0 && fx(from) + width <= W) {
      el(svg, "text", { class: "phase", x: fx(from) + 3, y: T - 8 - row * 13 }, phase.name);
      free[row] = fx(from) + width;
    }
  });
  for (const y of steps(y0, y1, options.log)) {
    el(svg, "line", { class: "grid", x1: L, x2: W - R, y1: fy(y), y2: fy(y) });
    el(svg, "text", { x: L - 6, y: fy(y) + 4, "text-anchor": "end" }, options.y(y));
  }
  for (const [x, text] of options.labels || steps(x0, x1, false).map((x) => [x, x + " s"])) {
    const anchor = fx(x) > W - R - 24 ? "end" : "middle";
    if (x >= x0 - 1e-9 && x <= x1 + 1e-9) el(svg, "text", { x: Math.min(fx(x), W - 2), y: H - B + 18, "text-anchor": anchor }, text);
  }
  root.dataset.plots = Number(root.dataset.plots) + 1;
  return { figure, svg, fx, fy };
};

// Values of a plot where the pointer is. pick: from a place on the x axis to lines of text, or nothing.
const hover = (svg, x0, x1, pick) => {
  const tip = document.getElementById("tip");
  const cursor = el(svg, "line", { class: "cursor", y1: T, y2: H - B, visibility: "hidden" });
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * W;
    const said = pick(x0 + (at - L) / (W - L - R) * (x1 - x0), (event.clientY - box.top) / box.height * H);
    if (at < L || at > W - R || !said) return leave();
    cursor.setAttribute("x1", at);
    cursor.setAttribute("x2", at);
    cursor.setAttribute("visibility", "visible");
    tip.textContent = said.join("\n");
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8);
    tip.style.left = Math.max(8, left) + "px";
    tip.style.top = Math.max(8, event.clientY - tip.offsetHeight - 12) + "px";
  });
  const leave = () => { tip.hidden = true; cursor.setAttribute("visibility", "hidden"); };
  svg.addEventListener("pointerleave", leave);
};

// options: title, lines [{name, points [[x, y]], dashed}], log (y), labels, y (format), value (format under the pointer), phases, x (format)
const plot = (options) => {
  const isGood = ([x, y]) => Number.isFinite(x) && Number.isFinite(y) && (!options.log || y > 0);
  const lines = options.lines.map((line, at) => ({ ...line, at, points: line.points.filter(isGood) })).filter((line) => line.points.length > 1);
  if (lines.length === 0) return;
  const all = lines.flatMap((line) => line.points), xs = all.map((p) => p[0]), ys = all.map((p) => p[1]);
  const x0 = Math.min(...xs), x1 = Math.max(...xs, x0 + 1e-9), top = Math.max(...ys);
  const y0 = options.log ? 10 ** Math.floor(Math.log10(Math.min(...ys))) : 0;
  const y1 = options.log ? 10 ** Math.ceil(Math.log10(top * 1.0001)) : (top > 0 ? top * 1.08 : 1);
  const { figure, svg, fx, fy } = frame({ ...options, x0, x1, y0, y1 });
  const legend = html(figure, "div", undefined, "legend");
  for (const line of lines) {
    // A gap in time is a gap in the line.
    let last = -Infinity;
    const d = line.points.map(([x, y]) => {
      const step = (options.gap && x - last > options.gap ? "M" : last === -Infinity ? "M" : "L") + fx(x).toFixed(1) + " " + fy(y).toFixed(1);
      last = x;
      return step;
    }).join("");
    el(svg, "path", { class: line.dashed ? "line dashed" : "line", d, stroke: colour(line.at) });
    const key = html(legend, "span");
    html(key, "i").style.background = colour(line.at);
    key.append(line.name);
  }
  hover(svg, x0, x1, (x) => {
    const near = (line) => line.points.reduce((best, p) => Math.abs(p[0] - x) < Math.abs(best[0] - x) ? p : best);
    const phase = (options.phases || []).find((p) => x >= p.from && x < p.to);
    const place = options.x ? options.x(near(lines[0])[0]) : near(lines[0])[0].toFixed(0) + " s" + (phase ? ", " + phase.name : "");
    return [place, ...lines.map((line) => line.name + "  " + (options.value || options.y)(near(line)[1]))];
  });
};
