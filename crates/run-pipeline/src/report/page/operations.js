// How the newest run went: its steps, what became of the rows, how long the programs took.
const STATES = { ok: ["ok", "ok"], failed: ["failed", "failed"], not_run: ["idle", "not run"], unknown: ["idle", "not known"] };
const BUCKETS = ["quarantined", "held", "duplicate", "superseded", "filtered"];
const LAYERS = { bronze: "Bronze", silver: "Silver", gold: "Gold" };

function stepBadge(step) {
  if (!step) return NONE;
  const [kind, text] = STATES[step.state] ?? STATES.unknown;
  return badge(kind, step.state === "failed" && known(step.exit) ? "failed (" + step.exit + ")" : text);
}

function runSection(data) {
  const run = data.run;
  if (!run && data.window) return section("run", "Run", null, empty("Window " + data.window + " has no note of a run: a scheduler brought it, whose own pages tell how each job went. Rows, quality and durations are those of the window."));
  if (!run) return section("run", "Run", null, empty("No run yet: run-pipeline day has not been started on this lake."));
  const steps = run.steps;
  const said = run.state === "unfinished" ? "It has not ended." : run.failed + run.not_run === 0
    ? plural(run.ok, "step ended well", "steps ended well") + "."
    : count(run.ok) + " of " + plural(steps.length, "step", "steps") + " ended well, " + count(run.failed) + " failed, " + count(run.not_run) + " did not run.";
  const note = "Window " + data.window + ", run " + run.id + ", attempt " + run.attempt + ". " + said;
  return section("run", "Run", note, el("div", { class: "cards" }, wide("Tables", "Each table is built by its program and then judged by dq-check, its gate.", stepTable(data, steps))));
}

// What went wrong and why; nothing when all went well.
function causes(run) {
  if (!run) return null;
  if (run.state === "unfinished") return empty("The run has not ended: it is still going on, or it was stopped. Its steps are not known.");
  const bad = run.steps.filter((step) => step.state === "failed");
  const waiting = run.steps.filter((step) => step.state === "not_run");
  if (!bad.length && !waiting.length) return null;
  const lines = bad.map((step) => el("li", {}, el("strong", {}, step.program + " " + step.table + " failed"), step.why ?? "It left no text."));
  const byCause = new Map();
  for (const step of waiting) byCause.set(step.why, [...(byCause.get(step.why) ?? []), step]);
  for (const [why, group] of byCause) {
    const title = plural(group.length, "step", "steps") + " did not run" + (why ? ", since " + why + " did not end well" : "");
    lines.push(el("li", { class: "later" }, el("strong", {}, title), group.map((step) => step.program + " " + step.table).join(", ")));
  }
  return el("ul", { class: "causes" }, lines);
}

function stepTable(data, steps) {
  const of = (table, work) => steps.find((step) => step.table === table && step.work === work);
  const rows = data.lineage.tables.map((one) => ({ ...one, build: of(one.name, "build"), check: of(one.name, "check") }));
  const columns = [
    { title: "Table", of: (row) => row.name, kind: "name" },
    { title: "Program", of: (row) => row.program, kind: "name" },
    { title: "Built", of: (row) => stepBadge(row.build) },
    { title: "Gate", of: (row) => stepBadge(row.check) },
    { title: "What it did", of: (row) => row.build?.outcome ?? NONE, kind: "name" },
    { title: "Time", of: (row) => duration(sum([row.build?.duration_ms, row.check?.duration_ms])), kind: "number" },
  ];
  return folded("All " + plural(rows.length, "table", "tables"), table("Steps of the run by table", columns, rows));
}

function sum(values) {
  const found = values.filter(known);
  return found.length ? found.reduce((all, one) => all + one, 0) : null;
}

function flowSection(data) {
  const flow = data.flow;
  const note = "Every row that a program reads is accepted or put into exactly one other bucket. Silver tables may read one Bronze table several times; Gold tables are made anew from all rows, so their counts are those of the whole tables.";
  if (!flow.tables.length) return section("rows", "Rows", note, empty("No rows yet: ops/ledger has no entry for this window."));
  const layers = el("div", { class: "flow" }, flow.layers.map(layerBox));
  return section("rows", "Rows", note, layers, el("div", { class: "cards" }, setAside(flow), windowRows(flow), ledgerTable(flow)));
}

function layerBox(layer) {
  const lines = ["read", ...BUCKETS].map((bucket) => {
    const aside = (bucket === "quarantined" || bucket === "held") && layer[bucket] > 0;
    return [el("dt", {}, titled(bucket)), el("dd", { class: aside ? "set-aside" : null }, count(layer[bucket]))];
  });
  return el("div", { class: "layer " + layer.name }, el("h3", {}, LAYERS[layer.name] ?? layer.name),
    el("p", { class: "value" }, count(layer.accepted)), el("p", { class: "note" }, "rows accepted by " + plural(layer.tables, "table", "tables")), el("dl", {}, lines.flat()));
}

function setAside(flow) {
  const title = "Rows that were not accepted, by table";
  const rows = flow.tables.filter((row) => BUCKETS.some((bucket) => row[bucket] > 0));
  if (!rows.length) return card(title, null, empty("Every row was accepted."));
  const shades = { quarantined: "failed", held: "warn", duplicate: "series-6", superseded: "series-5", filtered: "series-8" };
  const sets = BUCKETS.filter((bucket) => rows.some((row) => row[bucket] > 0)).map((bucket) => ({ label: titled(bucket), colour: shades[bucket], values: rows.map((row) => row[bucket]) }));
  return card(title, "In this window. Quarantined rows break a rule, held rows came too late; both are kept and can be replayed.",
    plot({ label: title + ", stacked bars", height: 110 + rows.length * 26, draw: () => bars({ labels: rows.map(briefly), sets, stacked: true, flat: true, values: "Rows" }) }));
}

// A table's name without its layer, where that is clear.
function briefly(row, at, rows) {
  const brief = (one) => one.name.slice(one.layer.length + 1);
  return rows.filter((one) => brief(one) === brief(row)).length === 1 ? brief(row) : row.name;
}

function windowRows(flow) {
  const title = "Rows accepted, by window";
  if (flow.windows.length < 2) return card(title, null, empty("Learning: a trend needs two windows of the same length, and " + count(flow.windows.length) + " is known."));
  const names = ["bronze", "silver"];
  const value = (window, name, bucket) => window.layers.find((layer) => layer.name === name)?.[bucket] ?? 0;
  const sets = names.map((name) => ({ label: LAYERS[name], colour: name, values: flow.windows.map((window) => value(window, name, "accepted")) }));
  const columns = [
    { title: "Window", of: (row) => row.window, kind: "name" },
    ...names.map((name) => ({ title: LAYERS[name], of: (row) => count(value(row, name, "accepted")), kind: "number" })),
    { title: "Quarantined", of: (row) => count(sum(row.layers.map((layer) => layer.quarantined))), kind: "number" },
    { title: "Held", of: (row) => count(sum(row.layers.map((layer) => layer.held))), kind: "number" },
  ];
  return card(title, "Windows of the same length only.",
    plot({ label: title + ", bars", draw: () => bars({ labels: flow.windows.map((one) => one.window), sets, names: "Window", values: "Rows" }) }),
    recent("Rows by window", columns, [...flow.windows].reverse(), "All windows"));
}

function ledgerTable(flow) {
  const columns = [{ title: "Table", of: (row) => row.name, kind: "name" }, ...["read", "accepted", ...BUCKETS].map((bucket) => ({ title: titled(bucket), of: (row) => count(row[bucket]), kind: "number" }))];
  return wide("Ledger of the window", "read = accepted + quarantined + held + duplicate + superseded + filtered, for every run.", folded("All " + plural(flow.tables.length, "table", "tables"), table("Rows by table", columns, flow.tables)));
}

function durationSection(data) {
  const found = data.durations;
  const title = "Durations";
  if (!found.windows.length) return section("durations", title, null, empty("No durations yet: ops/runs has no entry."));
  const note = "Seconds that the processes of each program took, added up; programs run side by side, so a run ends sooner. Windows of the same length only.";
  const seconds = (window, program) => (window.milliseconds[program] ?? 0) / 1000;
  const sets = found.programs.map((program, at) => ({
    label: program, colour: series(at), values: found.windows.map((window) => seconds(window, program)),
    texts: found.windows.map((window) => duration(window.milliseconds[program])),
  }));
  const columns = [
    { title: "Window", of: (row) => row.window, kind: "name" },
    ...found.programs.map((program) => ({ title: program, of: (row) => duration(row.milliseconds[program]), kind: "number" })),
  ];
  return section("durations", title, note, el("div", { class: "cards" }, wide("Seconds by program and window", null,
    plot({ label: "Seconds by program and window, stacked bars", draw: () => bars({ labels: found.windows.map((one) => one.window), sets, stacked: true, names: "Window", values: "Seconds" }) }),
    recent("Time by program", columns, [...found.windows].reverse(), "All windows"))));
}
