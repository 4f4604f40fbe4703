(() => {
  const summary = document.getElementById("summary");
  for (const line of data.lines) html(summary, "p", line);
  html(summary, "p", "A ratio is B's figure over A's: below 1, B is lower. The bar is the interval that holds the truth with the level named.", "note");
  const tick = (figure, v) => figure.unit === "us" ? short(v) : show(figure, v);
  const show = (figure, v) => figure.unit === "us" ? time(v) : number(v) + (figure.unit === "per_s" ? "/s" : "");
  const known = data.figures.filter((f) => f.ratio !== null);
  if (known.length > 0) {
    // Intervals below each other, on one scale of ratios.
    const ends = known.flatMap((f) => [f.low, f.high, 1]);
    const x0 = Math.log(Math.min(...ends)) - 0.02, x1 = Math.log(Math.max(...ends)) + 0.02;
    const height = 46 + known.length * 30, left = 70;
    const figure = html(document.getElementById("plots"), "figure");
    html(figure, "h2", "B over A, with intervals");
    const svg = el(figure, "svg", { viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": "B over A, with intervals" });
    const fx = (ratio) => left + (Math.log(ratio) - x0) / (x1 - x0) * (W - left - R);
    const marks = steps((Math.exp(x0) - 1) * 100, (Math.exp(x1) - 1) * 100, false);
    for (const change of marks) {
      const ratio = 1 + change / 100;
      if (ratio <= 0) continue;
      el(svg, "line", { class: ratio === 1 ? "cursor" : "grid", x1: fx(ratio), x2: fx(ratio), y1: 8, y2: height - 26 });
      el(svg, "text", { x: fx(ratio), y: height - 8, "text-anchor": "middle" }, (change > 0 ? "+" : "") + Math.round(change * 10) / 10 + " %");
    }
    known.forEach((f, n) => {
      const y = 26 + n * 30, stroke = f.finding === "none" ? "var(--mute)" : colour(n);
      el(svg, "text", { x: left - 8, y: y + 4, "text-anchor": "end" }, f.figure);
      el(svg, "path", { class: "line", stroke, d: `M${fx(f.low)} ${y}L${fx(f.high)} ${y}` });
      el(svg, "circle", { cx: fx(f.ratio), cy: y, r: 4.5, style: `fill: ${stroke}` });
    });
    root.dataset.plots = Number(root.dataset.plots) + 1;
  }
  for (const f of data.figures) {
    const a = f.a.map((v, n) => [n + 1, v]), b = f.b.map((v, n) => [n + 1, v]);
    const rounds = Math.max(a.length, b.length);
    const labels = steps(1, Math.max(rounds, 2), false).filter((n) => n === Math.round(n)).map((n) => [n, String(n)]);
    plot({ title: `${f.figure} of each run`, y: (v) => tick(f, v), value: (v) => show(f, v), labels, x: (n) => "run " + Math.round(n), lines: [{ name: "A", points: a }, { name: "B", points: b }] });
  }
  facts("Findings", data.figures.map((f) => [f.figure, f.words.replace(f.figure + ": ", "")]));
  facts("This comparison", [["Command", data.command]]);
  // The same words stand in the table above.
  document.querySelector("pre").closest("section").remove();
  finished();
})();
