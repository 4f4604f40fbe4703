"use strict";
(() => {
  const root = document.documentElement;
  let errors = 0;
  const note = () => { errors += 1; root.dataset.errors = errors; };
  root.dataset.errors = 0;
  root.dataset.plots = 0;
  addEventListener("error", note);
  addEventListener("securitypolicyviolation", note);
  const run = JSON.parse(document.getElementById("outcome").textContent);
  const NS = "http://www.w3.org/2000/svg";
  const COLOURS = ["#2970ff", "#f79009", "#12b76a", "#9e77ed", "#ee46bc"];
  const W = 520, H = 250, L = 62, R = 12, T = 10, B = 34;

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
  const time = (us) => us >= 1e6 ? (us / 1e6).toFixed(us >= 1e7 ? 0 : 1) + " s" : us >= 1e3 ? (us / 1e3).toFixed(us >= 1e4 ? 0 : 1) + " ms" : us.toFixed(us < 10 ? 1 : 0) + " us";
  const number = (n) => n >= 1e6 ? (n / 1e6).toFixed(1) + "M" : n >= 1e3 ? (n / 1e3).toFixed(1) + "k" : String(Math.round(n * 100) / 100);

  const steps = (low, high, isLog) => {
    if (isLog) {
      const out = [];
      for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e += 1) out.push(10 ** e);
      return out.filter((v) => v >= low * 0.999 && v <= high * 1.001);
    }
    const raw = (high - low) / 5 || 1, base = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * base).find((s) => s >= raw);
    const out = [];
    for (let v = Math.ceil(low / step) * step; v <= high + step * 1e-9; v += step) out.push(v);
    return out;
  };

  // options: title, lines [{name, points [[x, y]]}], log (y), x (labels [[x, text]] or undefined), y (format), marks [x]
  const plot = (options) => {
    const lines = options.lines.map((line) => ({ ...line, points: line.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y) && (!options.log || y > 0)) })).filter((line) => line.points.length > 1);
    if (lines.length === 0) return;
    const all = lines.flatMap((line) => line.points);
    const xs = all.map((p) => p[0]), ys = all.map((p) => p[1]);
    const x0 = Math.min(...xs), x1 = Math.max(...xs, x0 + 1e-9);
    const isLog = options.log;
    const y0 = isLog ? 10 ** Math.floor(Math.log10(Math.min(...ys))) : 0;
    const top = Math.max(...ys);
    const y1 = isLog ? 10 ** Math.ceil(Math.log10(top * 1.0001)) : (top > 0 ? top * 1.08 : 1);
    const fx = (x) => L + (x - x0) / (x1 - x0) * (W - L - R);
    const part = (y) => isLog ? (Math.log10(y) - Math.log10(y0)) / (Math.log10(y1) - Math.log10(y0) || 1) : (y - y0) / (y1 - y0);
    const fy = (y) => H - B - part(y) * (H - T - B);
    const figure = html(document.getElementById("plots"), "figure");
    html(figure, "h2", options.title);
    const svg = el(figure, "svg", { viewBox: `0 0 ${W} ${H}`, role: "img", "aria-label": options.title });
    for (const y of steps(y0, y1, isLog)) {
      el(svg, "line", { class: "grid", x1: L, x2: W - R, y1: fy(y), y2: fy(y) });
      el(svg, "text", { x: L - 6, y: fy(y) + 4, "text-anchor": "end" }, options.y(y));
    }
    const labels = options.x || steps(x0, x1, false).map((x) => [x, x + " s"]);
    for (const [x, text] of labels) el(svg, "text", { x: fx(x), y: H - B + 18, "text-anchor": "middle" }, text);
    for (const x of options.marks || []) if (x > x0 && x < x1) el(svg, "line", { class: "phase", x1: fx(x), x2: fx(x), y1: T, y2: H - B });
    const legend = html(figure, "div", undefined, "legend");
    lines.forEach((line, at) => {
      const d = line.points.map(([x, y], n) => (n ? "L" : "M") + fx(x).toFixed(1) + " " + fy(y).toFixed(1)).join("");
      const path = el(svg, "path", { class: "line", d, stroke: COLOURS[at % COLOURS.length] });
      el(path, "title", {}, line.name);
      const key = html(legend, "span");
      html(key, "i").style.background = COLOURS[at % COLOURS.length];
      key.append(line.name);
    });
    root.dataset.plots = Number(root.dataset.plots) + 1;
  };

  const verdict = run.verdict.valid ? "VALID" : "INVALID";
  const summary = document.getElementById("summary");
  html(summary, "span", verdict, "verdict " + verdict.toLowerCase());
  summary.append(`: ${run.devices} devices at ${run.target}, ${number(run.measured.sent_per_s)} messages/s over ${run.measured.length_s.toFixed(1)} s. Latency is measured from the time at which a message should have left.`);
  for (const reason of run.verdict.reasons) html(summary, "div", reason, "invalid");

  const curve = (summary) => summary.quantiles.filter(([q]) => q >= 0.5).map(([q, us]) => [-Math.log10(1 - Math.min(q, 0.999999)), us]);
  const messages = run.measured.messages;
  plot({
    title: "Latency by percentile", log: true, y: time,
    lines: [{ name: "corrected", points: curve(messages.corrected) }, { name: "uncorrected", points: curve(messages.uncorrected) }],
    x: [[0.301, "50 %"], [1, "90 %"], [2, "99 %"], [3, "99.9 %"], [4, "99.99 %"], [5, "99.999 %"]],
  });
  const kinds = Object.entries(run.measured.kinds);
  if (kinds.length > 1) plot({
    title: "Corrected latency of each kind", log: true, y: time,
    lines: kinds.map(([name, latency]) => ({ name, points: curve(latency.corrected) })),
    x: [[0.301, "50 %"], [1, "90 %"], [2, "99 %"], [3, "99.9 %"], [4, "99.99 %"], [5, "99.999 %"]],
  });
  const marks = run.phases.map((phase) => phase.start_s);
  const over = (pick) => run.series.map((point) => [point.at_s, pick(point)]);
  plot({
    title: "Latency over time", log: true, y: time, marks,
    lines: [{ name: "p50", points: over((p) => p.p50_us) }, { name: "p99", points: over((p) => p.p99_us) }, { name: "max", points: over((p) => p.max_us) }, { name: "uncorrected p99", points: over((p) => p.uncorrected_p99_us) }],
  });
  plot({
    title: "Messages a second", y: number, marks,
    lines: [{ name: "sent", points: over((p) => p.sent) }, { name: "answers", points: over((p) => p.answers) }, { name: "errors", points: over((p) => p.errors) }],
  });
  plot({ title: "Devices online", y: number, marks, lines: [{ name: "online", points: over((p) => p.online) }, { name: "connects a second", points: over((p) => p.connects) }] });
  plot({ title: "Schedule lag of the generator, 99th percentile", log: true, y: time, marks, lines: [{ name: "lag", points: over((p) => p.lag_p99_us) }] });
  const pairs = run.server.slice(1).map((now, at) => [run.server[at], now]).filter(([a, b]) => b.at_s > a.at_s + 0.2);
  const sentAt = (s) => (run.series[Math.floor(s)] || { sent: 0 }).sent;
  plot({
    title: "Server: CPU per message, us", y: number, marks,
    lines: [{ name: "us", points: pairs.map(([a, b]) => [b.at_s, sentAt((a.at_s + b.at_s) / 2) > 10 ? (b.cpu_s - a.cpu_s) * 1e6 / ((b.at_s - a.at_s) * sentAt((a.at_s + b.at_s) / 2)) : NaN]).filter((p) => p[1] > 0) }],
  });
  const first = run.server[0];
  const onlineAt = (s) => (run.series[Math.min(Math.floor(s), run.series.length - 1)] || { online: 0 }).online;
  plot({
    title: "Server: growth of its memory per connection, bytes", y: number, marks,
    lines: [{ name: "bytes", points: run.server.filter((s) => s.rss_bytes > 0 && onlineAt(s.at_s) > 0).map((s) => [s.at_s, Math.max(0, s.rss_bytes - first.rss_bytes) / onlineAt(s.at_s)]) }],
  });
  const table = document.getElementById("environment");
  for (const [key, value] of Object.entries(run.environment)) {
    const row = html(table, "tr");
    html(row, "td", key);
    html(row, "td", Array.isArray(value) ? value.join(" / ") : String(value));
  }
  root.dataset.done = "yes";
})();
