// How good the tables are, what failed, and how that changes.
function qualitySection(data) {
  const quality = data.quality;
  const note = "A score is the share of the judged rules that hold, 0 to 100; an error rule weighs three times a warning. A layer's score is the mean of its tables.";
  if (!quality.tables.length) return section("quality", "Quality", note, empty("No verdict yet: no table was judged in this window."));
  return section("quality", "Quality", note, el("div", { class: "cards" }, scoreTrend(quality), ruleTrend(quality), failures(quality), tableScores(quality)));
}

function scoreTrend(quality) {
  const title = "Score by day";
  const layers = [...quality.layers, { ...quality.day, name: "day" }];
  const columns = [
    { title: "Layer", of: (row) => LAYERS[row.name] ?? "All tables", kind: "name" },
    { title: "Score", of: (row) => score(row.score), kind: "number" },
    { title: "Judged", of: (row) => count(row.judged) + " of " + plural(row.tables, "table", "tables"), kind: "number" },
  ];
  const now = table("Scores of this window's day", columns, layers);
  if (quality.trend.length < 2) return card(title, null, empty("Learning: a trend needs two days, and " + count(quality.trend.length) + " is known."), now);
  const sets = layers.map((layer) => ({ label: LAYERS[layer.name] ?? "All tables", colour: layer.name, strong: layer.name === "day", values: quality.trend.map((day) => day.scores[layer.name] ?? null) }));
  const lowest = Math.min(...sets.flatMap((set) => set.values.filter(known)));
  const daily = [
    { title: "Day", of: (row) => row.day, kind: "name" },
    ...layers.map((layer) => ({ title: LAYERS[layer.name] ?? "All tables", of: (row) => score(row.scores[layer.name]), kind: "number" })),
  ];
  return card(title, "0 is the worst and 100 the best; the axis starts where the numbers do.",
    plot({ label: title + ", lines", draw: () => lines({ labels: quality.trend.map((day) => day.day), sets, names: "Day", values: "Score", from: Math.max(0, Math.floor(lowest - 2)), to: 100 }) }),
    now, folded("All days", table("Scores by day", daily, [...quality.trend].reverse())));
}

function ruleTrend(quality) {
  const title = "Rules that failed, by window";
  const kinds = [["error", "failed"], ["warning", "warn"], ["info", "series-6"]];
  const columns = [
    { title: "Window", of: (row) => row.window, kind: "name" },
    { title: "Held", of: (row) => count(row.held), kind: "number" },
    ...kinds.map(([kind]) => ({ title: titled(kind), of: (row) => count(row[kind]), kind: "number" })),
    { title: "Learning", of: (row) => count(row.learning), kind: "number" },
    { title: "Not judged", of: (row) => count(row.not_judged), kind: "number" },
  ];
  const numbers = recent("Rules by window", columns, [...quality.rules].reverse(), "All windows");
  const learning = "Learning rules compare with earlier windows and have too few of them.";
  if (!quality.rules.some((window) => kinds.some(([kind]) => window[kind] > 0))) return card(title, learning, empty("No rule failed."), numbers);
  const sets = kinds.map(([kind, shade]) => ({ label: titled(kind), colour: shade, values: quality.rules.map((window) => window[kind]) }));
  return card(title, "Only errors close a gate. " + learning,
    plot({ label: title + ", stacked bars", draw: () => bars({ labels: quality.rules.map((one) => one.window), sets, stacked: true, names: "Window", values: "Rules" }) }), numbers);
}

function failures(quality) {
  const title = "Rules that failed in this window";
  if (!quality.failures.length) return wide(title, null, empty("None: every rule that was judged holds."));
  const shades = { error: "failed", warning: "warn", info: "idle" };
  const columns = [
    { title: "Table", of: (row) => row.table, kind: "name" },
    { title: "Rule", of: (row) => row.rule, kind: "name" },
    { title: "Severity", of: (row) => badge(shades[row.severity] ?? "idle", row.severity) },
    { title: "What was found", of: (row) => row.message, kind: "text" },
    { title: "Expected", of: (row) => row.expected, kind: "name" },
  ];
  return wide(title, null, table("Failed rules", columns, quality.failures));
}

function tableScores(quality) {
  const passed = (row) => (row.waived ? badge("warn", "let pass") : row.passed ? badge("ok", "passed") : badge("failed", "closed"));
  const columns = [
    { title: "Table", of: (row) => row.name, kind: "name" },
    { title: "Gate", of: passed },
    { title: "Score", of: (row) => score(row.score), kind: "number" },
    { title: "Rows judged", of: (row) => count(row.rows), kind: "number" },
    { title: "Held", of: (row) => count(row.held), kind: "number" },
    { title: "Failed", of: (row) => count(row.failed), kind: "number" },
    { title: "Learning", of: (row) => count(row.learning), kind: "number" },
    { title: "Not judged", of: (row) => count(row.not_judged), kind: "number" },
  ];
  return wide("Verdicts by table", null, folded("All " + plural(quality.tables.length, "table", "tables"), table("Newest verdict of each table in this window", columns, quality.tables)));
}
