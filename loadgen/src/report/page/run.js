(() => {
  const run = data, measured = run.measured, counts = measured.counts, latency = measured.messages.corrected;
  const at = (summary, q) => { const found = summary.quantiles.find(([is]) => Math.abs(is - q) < 1e-9); return found ? time(found[1]) : "–"; };
  const of = (name) => counts[name] || 0;
  const sent = measured.sent_per_s * measured.length_s;
  const summary = document.getElementById("summary");
  const first = html(summary, "p");
  html(first, "span", run.verdict.valid ? "VALID" : "INVALID", "pill " + (run.verdict.valid ? "good" : "bad"));
  first.append(`Sent ${count(sent)} of ${count(of("planned"))} planned messages; ${count(of("answers"))} were answered. ${count(run.devices)} devices at ${run.target}, ${measured.length_s.toFixed(1)} s measured.`);
  if (of("away")) first.append(` ${count(of("away"))} were left out while the plan had cut their devices.`);
  for (const reason of run.verdict.reasons) html(summary, "p", reason).style.color = "var(--bad)";
  if (run.slo) {
    const words = !run.verdict.valid ? "not judged, the run is INVALID" : run.slo.missed.length ? "missed: " + run.slo.missed.join("; ") : "met";
    html(summary, "p", `SLO ${run.slo.text}: ${words}`).style.color = run.verdict.valid && run.slo.missed.length ? "var(--bad)" : "";
  }
  for (const words of run.verdict.notes) html(summary, "p", words, "note");
  html(summary, "p", `Latency counts from the moment at which a message should have left (corrected). Resolution ${time(run.resolution_us)}: smaller differences are the generator's own lag.`, "note");

  const delivered = of("planned") ? sent / of("planned") : 0;
  tile("of the plan was sent", percent(delivered), delivered < 0.999);
  tile("p50", at(latency, 0.5));
  tile("p99", at(latency, 0.99));
  tile("p99.9", at(latency, 0.999));
  tile("longest", latency.count ? time(latency.max_us) : "–");
  tile("errors", count(measured.errors), measured.errors > 0);
  if (run.cost && run.cost.cpu_us_per_message > 0) tile("server CPU per message", time(run.cost.cpu_us_per_message));

  // Percentiles end where samples end: the last point of a curve stands for one answer at least.
  const curve = (s) => s.quantiles.filter(([q]) => q >= 0.5 && q < 1).map(([q, us]) => [-Math.log10(1 - q), us]);
  const axis = { log: true, y: short, value: time, labels: [[Math.log10(2), "50 %"], [1, "90 %"], [2, "99 %"], [3, "99.9 %"], [4, "99.99 %"], [5, "99.999 %"]], x: (x) => (100 * (1 - 10 ** -x)).toFixed(Math.max(0, Math.ceil(x) - 1)) + " %" };
  plot({ ...axis, title: "Latency by percentile", lines: [{ name: "corrected", points: curve(latency) }, { name: "uncorrected", points: curve(measured.messages.uncorrected), dashed: true }] });
  const kinds = Object.entries(measured.kinds);
  if (kinds.length > 1) plot({ ...axis, title: "Corrected latency of each kind", lines: kinds.map(([name, l]) => ({ name, points: curve(l.corrected) })) });

  const phases = run.phases.filter((p) => p.length_s > 0).map((p) => ({ name: p.name, from: p.start_s, to: p.start_s + p.length_s }));
  const over = (pick) => run.series.map((point) => [point.at_s, pick(point)]);
  if (run.heat.columns.length > 0) {
    const step = run.heat.column_s, rows = run.heat.rows_us, x1 = run.heat.columns.length * step;
    const factor = rows.length > 1 ? rows[1] / rows[0] : 10, low = rows[0] / factor;
    const most = Math.max(...run.heat.columns.flat());
    const { svg, fx, fy } = frame({ title: "Latency heat map: each cell as dark as it has answers", x0: 0, x1, y0: low, y1: rows[rows.length - 1], log: true, y: short, phases });
    run.heat.columns.forEach((column, c) => column.forEach((n, r) => {
      if (n === 0) return;
      const bottom = r === 0 ? low : rows[r - 1];
      const alpha = (0.12 + 0.88 * Math.log1p(n) / Math.log1p(most)).toFixed(2);
      el(svg, "rect", { class: "cell", x: fx(c * step).toFixed(1), y: fy(rows[r]).toFixed(1), width: (fx(step) - fx(0) + 0.3).toFixed(1), height: (fy(bottom) - fy(rows[r]) + 0.3).toFixed(1), style: `fill: rgba(var(--heat), ${alpha})` });
    }));
    hover(svg, 0, x1, (x, y) => {
      const c = Math.floor(x / step), r = rows.findIndex((us) => y >= fy(us));
      const column = run.heat.columns[c];
      if (!column || r < 0) return undefined;
      const phase = phases.find((p) => x >= p.from && x < p.to);
      return [`${c * step} s${phase ? ", " + phase.name : ""}`, `up to ${time(rows[r])}: ${count(column[r])} of ${count(column.reduce((a, b) => a + b, 0))}`];
    });
  }
  plot({ title: "Latency over time", log: true, y: short, value: time, phases, lines: [{ name: "p50", points: over((p) => p.p50_us) }, { name: "p99", points: over((p) => p.p99_us) }, { name: "max", points: over((p) => p.max_us) }, { name: "uncorrected p99", points: over((p) => p.uncorrected_p99_us), dashed: true }] });
  plot({ title: "Messages a second", y: number, value: count, phases, lines: [{ name: "planned", points: over((p) => p.planned), dashed: true }, { name: "sent", points: over((p) => p.sent) }, { name: "answers", points: over((p) => p.answers) }, { name: "errors", points: over((p) => p.errors) }] });
  plot({ title: "Devices online", y: number, value: count, phases, lines: [{ name: "online", points: over((p) => p.online) }, { name: "connects a second", points: over((p) => p.connects) }] });
  plot({ title: "Schedule lag of the generator, 99th percentile", log: true, y: short, value: time, phases, lines: [{ name: "lag", points: over((p) => p.lag_p99_us) }] });

  // Without the ramp: few messages and many logins make its quotient a spike that hides the rest.
  const windows = run.phases.filter((p) => p.measured);
  const inside = (s) => windows.some((p) => s >= p.start_s - 0.5 && s <= p.start_s + p.length_s + 0.5);
  const pairs = (over) => run.server.slice(over).map((now, n) => [run.server[n], now]).filter(([a, b]) => b.at_s > a.at_s + 0.2 && inside(a.at_s) && inside(b.at_s) && b.cpu_s >= a.cpu_s);
  const sentIn = (a, b) => run.series.reduce((sum, p) => sum + p.sent * Math.max(0, Math.min(b.at_s, p.at_s + 1) - Math.max(a.at_s, p.at_s)), 0);
  const each = (over, pick) => pairs(over).filter(([a, b]) => sentIn(a, b) > 10).map(([a, b]) => [b.at_s, pick(a, b) * 1e6 / sentIn(a, b)]);
  const system = (a, b) => Math.max(0, Math.min(b.system_s - a.system_s, b.cpu_s - a.cpu_s));
  // The kernel tells user from system in steps of 10 ms: over one second that is noise.
  const wide = Math.min(5, Math.max(1, Math.floor(run.server.length / 4)));
  const split = [{ name: "all", points: each(1, (a, b) => b.cpu_s - a.cpu_s) }, { name: `user (${wide} s)`, points: each(wide, (a, b) => b.cpu_s - a.cpu_s - system(a, b)) }, { name: `kernel (${wide} s)`, points: each(wide, system) }];
  plot({ title: "Server: CPU time per message in the measured phases, us", y: number, phases, gap: 3, lines: split });
  const begin = run.server[0];
  const onlineAt = (s) => (run.series[Math.min(Math.floor(s), run.series.length - 1)] || { online: 0 }).online;
  const grown = run.server.filter((s) => s.rss_bytes > 0 && onlineAt(s.at_s) >= run.devices / 2).map((s) => [s.at_s, Math.max(0, s.rss_bytes - begin.rss_bytes) / onlineAt(s.at_s)]);
  plot({ title: "Server: growth of its memory per connection, bytes", y: number, phases, lines: [{ name: "bytes", points: grown }] });

  const env = run.environment, host = run.host;
  facts("This run", [
    ["Command", run.command], ["Plan", run.plan.trim()], ["Seed", run.seed],
    ["Start", new Date(run.started_unix_s * 1000).toISOString().replace(".000", "")],
    ["loadgen", env.loadgen + (env.is_debug ? ", debug build" : "")], ["Server", env.server],
  ]);
  facts("The machine", [
    ["Processor", `${env.cpu}, ${env.cores} cores${env.governor ? ", governor " + env.governor : ""}`],
    ["Memory", bytes(env.memory_bytes)], ["Kernel", env.kernel],
    ["Descriptors", env.descriptors.map((n) => n ? count(n) : "no limit").join(" soft, ") + " hard"], ["Local ports", env.ports],
    ["Load average", `${host.load_start} at the start, ${host.load_end} at the end`],
    ["Processors during the run", `${percent(host.busy)} at work, ${percent(host.softirq)} in software interrupts, ${percent(host.steal)} stolen by the host`],
    ["TCP during the run", `${count(host.retransmits)} segments sent again, ${count(host.listen_drops)} connections dropped at full listen queues`],
  ]);
  finished();
})();
