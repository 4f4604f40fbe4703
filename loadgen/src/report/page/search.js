(() => {
  const summary = document.getElementById("summary");
  const first = html(summary, "p");
  html(first, "span", data.points.some((p) => p.met === "met") ? "found" : "none", "pill " + (data.points.some((p) => p.met === "met") ? "good" : "bad"));
  first.append(data.summary);
  const points = data.points.filter((p) => p.p99_us > 0);
  if (points.length > 1) {
    const x0 = Math.log10(points[0].rate), x1 = Math.log10(points[points.length - 1].rate);
    const ys = points.map((p) => p.p99_us);
    const y0 = 10 ** Math.floor(Math.log10(Math.min(...ys))), y1 = 10 ** Math.ceil(Math.log10(Math.max(...ys) * 1.0001));
    const labels = points.filter((p, n) => n === 0 || Math.log10(p.rate / points[0].rate) > 0).map((p) => [Math.log10(p.rate), number(p.rate) + "/s"]);
    const room = labels.filter(([x], n) => n === 0 || n === labels.length - 1 || (n % Math.ceil(labels.length / 5) === 0 && labels[labels.length - 1][0] - x > (x1 - x0) / 8));
    const { figure, svg, fx, fy } = frame({ title: "p99 at each rate", x0, x1, y0, y1, log: true, y: short, labels: room });
    const looks = { met: "var(--good)", missed: "var(--bad)", invalid: "var(--mute)" };
    el(svg, "path", { class: "line", stroke: "var(--rule)", d: points.map((p, n) => (n ? "L" : "M") + fx(Math.log10(p.rate)).toFixed(1) + " " + fy(p.p99_us).toFixed(1)).join("") });
    for (const p of points) {
      const dot = el(svg, "circle", { cx: fx(Math.log10(p.rate)), cy: fy(p.p99_us), r: 5, style: `fill: ${looks[p.met]}` });
      el(dot, "title", {}, `${count(p.rate)}/s, p99 ${time(p.p99_us)}, ${p.met} ${p.why}`);
    }
    const legend = html(figure, "div", undefined, "legend");
    for (const [name, look] of Object.entries(looks)) {
      const key = html(legend, "span");
      html(key, "i").style.background = look;
      key.append(name);
    }
    hover(svg, x0, x1, (x) => {
      const p = points.reduce((best, one) => Math.abs(Math.log10(one.rate) - x) < Math.abs(Math.log10(best.rate) - x) ? one : best);
      return [`${count(p.rate)}/s: ${p.met}`, `p99 ${time(p.p99_us)}`];
    });
  }
  facts("Rates", data.points.map((p) => [count(p.rate) + "/s", `p99 ${time(p.p99_us)}, ${p.met}${p.why ? ": " + p.why : ""}`]));
  facts("This search", [["Command", data.command]]);
  // The same words stand in the table above.
  document.querySelector("pre").closest("section").remove();
  finished();
})();
