// Puts the page together from the data in it.
const RUN_STATES = { done: ["ok", "All steps done"], failed: ["failed", "Run failed"], unfinished: ["warn", "Run not ended"] };

function tile(title, value, detail) {
  return el("div", { class: "tile" }, el("dt", {}, title), el("dd", { class: "value" }, value), el("dd", { class: "detail" }, detail));
}

function tiles(data) {
  const made = [];
  const months = data.gold.sales?.months ?? [];
  const newest = months[months.length - 1];
  if (newest) made.push(tile("Net sales " + newest.month, compact.format(Number(newest.net_usd)) + " USD", months.length > 1 ? "month before: " + compact.format(Number(months[months.length - 2].net_usd)) + " USD" : "first month"));
  const run = data.run;
  if (run && run.steps.length) made.push(tile("Steps ended well", count(run.ok) + " of " + count(run.steps.length), run.failed + run.not_run ? count(run.failed) + " failed, " + count(run.not_run) + " not run" : "none failed"));
  const day = data.quality.day;
  if (known(day.score)) made.push(tile("Quality score", score(day.score), count(day.judged) + " of " + plural(day.tables, "table", "tables") + " judged"));
  const bronze = data.flow.layers.find((layer) => layer.name === "bronze");
  if (bronze) made.push(tile("Rows received", count(bronze.accepted), "by " + plural(bronze.tables, "source table", "source tables")));
  if (data.flow.tables.length) {
    const aside = (bucket) => sum(data.flow.layers.map((layer) => layer[bucket])) ?? 0;
    made.push(tile("Rows set aside", count(aside("quarantined") + aside("held")), count(aside("quarantined")) + " quarantined, " + count(aside("held")) + " held"));
  }
  if (run && known(run.duration_ms)) made.push(tile("Run time", duration(run.duration_ms), "from first step to last"));
  return el("dl", { class: "tiles" }, made);
}

function head(data) {
  const run = data.run;
  const [kind, text] = run ? RUN_STATES[run.state] ?? RUN_STATES.unfinished : ["idle", data.window ? "No note of the run" : "No run yet"];
  const below = (data.window ? "Window " + data.window + " \u00b7 " : "") + "made " + data.made_at.replace("T", " ").replace("Z", " UTC");
  return el("header", { class: "page-head" }, el("div", {}, el("h1", {}, data.title), el("p", {}, below)), el("span", { class: "badge large " + kind }, text));
}

function links() {
  const targets = [["business", "Business"], ["run", "Run"], ["rows", "Rows"], ["quality", "Quality"], ["durations", "Durations"], ["lineage", "Lineage"]];
  return el("nav", { "aria-label": "Sections" }, targets.map(([id, title]) => el("a", { href: "#" + id }, title)));
}

function start() {
  const data = JSON.parse(document.getElementById("data").textContent);
  document.title = data.title;
  const page = document.getElementById("page");
  const sections = [head, links, tiles, (all) => causes(all.run), businessSection, runSection, flowSection, qualitySection, durationSection, lineageSection];
  filled(page, {}, sections.map((make) => make(data)));
  page.appendChild(el("footer", {}, "Everything on this page is in this one file. Plots: Chart.js (MIT licence)."));
  drawAll();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
}

start();
