// Draws which table is made from which: columns from the sources to Gold, in SVG.
const ROW = 32;
const BOX = 24;
const GAP = 52;
const LETTERS = 12;

function lineageSection(data) {
  const tables = data.lineage.tables;
  const note = "From the contracts. The mark of a table is green when it was built and judged well in the newest run, red when it was not, grey when it did not run. Choose a table to see what it is made from and what is made from it.";
  if (!tables.length) return section("lineage", "Lineage", note, empty("No contracts, no lineage."));
  const columns = [
    { title: "Table", of: (row) => row.name, kind: "name" },
    { title: "Program", of: (row) => row.program, kind: "name" },
    { title: "Made from", of: (row) => (row.inputs.length ? row.inputs.join(", ") : row.source ?? "no table"), kind: "text" },
  ];
  return section("lineage", "Lineage", note, el("div", { class: "cards" }, el("div", { class: "card wide" }, graph(data), folded("As a table", table("Tables and what they are made from", columns, tables)))));
}

// Nodes in columns: programs that ingest, Bronze, Silver, and Gold by how many Gold tables are before it.
function placed(tables) {
  const byName = new Map(tables.map((one) => [one.name, one]));
  const depth = (one) => Math.max(0, ...one.inputs.map((name) => byName.get(name)).filter((input) => input && input.layer === one.layer).map((input) => depth(input) + 1));
  const columns = new Map();
  const put = (key, title, node) => {
    if (!columns.has(key)) columns.set(key, { key, title, nodes: [] });
    columns.get(key).nodes.push(node);
  };
  const programs = [...new Set(tables.filter((one) => one.layer === "bronze").map((one) => one.program))];
  for (const program of programs) put("0", "Programs", { id: program, label: program, kind: "program", inputs: [] });
  for (const one of tables) {
    const inputs = one.layer === "bronze" ? [one.program] : one.inputs;
    const level = depth(one);
    const rank = { bronze: "1", silver: "2", gold: "3" }[one.layer] ?? "4";
    const by = one.layer === "bronze" ? "" : " by " + one.program;
    const title = level ? "" : (LAYERS[one.layer] ?? one.layer) + by;
    put(rank + "." + level, title, { id: one.name, label: one.name.slice(one.layer.length + 1), kind: one.layer, inputs });
  }
  return [...columns.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

// Puts each node near the nodes that it is made from; a few sweeps keep most lines from crossing.
function ordered(columns) {
  const nodes = new Map(columns.flatMap((column) => column.nodes.map((node) => [node.id, node])));
  const users = new Map([...nodes.keys()].map((id) => [id, []]));
  for (const node of nodes.values()) for (const input of node.inputs) users.get(input)?.push(node.id);
  const tallest = Math.max(...columns.map((column) => column.nodes.length));
  const number = () => columns.forEach((column) => column.nodes.forEach((node, at) => { node.at = at + (tallest - column.nodes.length) / 2; }));
  const mean = (node, names) => {
    const near = names.map((name) => nodes.get(name)).filter(Boolean);
    return near.length ? near.reduce((all, one) => all + one.at, 0) / near.length : node.at;
  };
  number();
  for (let sweep = 0; sweep < 8; sweep += 1) {
    const forth = sweep % 2 === 0;
    for (const column of forth ? columns : [...columns].reverse()) {
      const wish = new Map(column.nodes.map((node) => [node, mean(node, forth ? node.inputs : users.get(node.id))]));
      column.nodes.sort((a, b) => wish.get(a) - wish.get(b));
      number();
    }
  }
  return { nodes, users, tallest };
}

function graph(data) {
  const columns = placed(data.lineage.tables);
  const { nodes, users, tallest } = ordered(columns);
  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = LETTERS + "px " + getComputedStyle(document.body).fontFamily;
  let left = 4;
  for (const column of columns) {
    const longest = Math.max(...column.nodes.map((node) => ruler.measureText(node.label).width));
    column.left = left;
    column.width = Math.ceil(Math.max(longest + 34, 96));
    left += column.width + GAP;
    for (const node of column.nodes) Object.assign(node, { x: column.left, y: 30 + node.at * ROW, width: column.width });
  }
  const size = { width: Math.ceil(left - GAP + 4), height: 34 + tallest * ROW };
  const picture = svg("svg", { viewBox: "0 0 " + size.width + " " + size.height, role: "group", "aria-label": "Graph of the tables; the same as a table below" });
  const lines = [];
  for (const node of nodes.values()) for (const input of node.inputs) if (nodes.has(input)) lines.push(edge(nodes.get(input), node));
  const states = new Map(nodesStates(data));
  const boxes = [...nodes.values()].map((node) => box(node, states.get(node.id)));
  const titles = columns.filter((column) => column.title).map((column) => svg("text", { class: "column-title", x: column.left, y: 14 }, column.title));
  filled(picture, {}, [...lines.map((one) => one.shape), ...boxes, ...titles]);
  choosing(picture, nodes, users, lines, boxes);
  return el("div", { class: "graph", tabindex: 0, role: "region", "aria-label": "Lineage" }, picture);
}

function nodesStates(data) {
  const steps = data.run?.steps ?? [];
  return data.lineage.tables.map((one) => {
    const own = steps.filter((step) => step.table === one.name).map((step) => step.state);
    if (own.includes("failed")) return [one.name, "failed"];
    return [one.name, own.length && own.every((state) => state === "ok") ? "done" : "idle"];
  });
}

function edge(from, to) {
  const [x1, y1, x2, y2] = [from.x + from.width, from.y + BOX / 2, to.x, to.y + BOX / 2];
  const bend = Math.max(24, (x2 - x1) / 2);
  const path = "M" + x1 + " " + y1 + " C" + (x1 + bend) + " " + y1 + " " + (x2 - bend) + " " + y2 + " " + x2 + " " + y2;
  return { from: from.id, to: to.id, shape: svg("path", { class: "edge", d: path }) };
}

function box(node, state) {
  const mark = node.kind === "program" ? null : svg("circle", { class: "mark", cx: node.x + 12, cy: node.y + BOX / 2, r: 4 });
  const label = svg("text", { x: node.x + (mark ? 22 : 12), y: node.y + BOX / 2 + 4 }, node.label);
  const shape = svg("rect", { x: node.x, y: node.y, width: node.width, height: BOX, rx: 6 });
  return svg("g", { class: "node " + node.kind + " " + (state ?? ""), "data-id": node.id, tabindex: 0, role: "button", "aria-label": node.id }, shape, mark, label);
}

// The chosen node, all that it is made from and all that is made from it stand out.
function choosing(picture, nodes, users, lines, boxes) {
  const reach = (id, next, found = new Set([id])) => {
    for (const other of next(id)) if (!found.has(other)) { found.add(other); reach(other, next, found); }
    return found;
  };
  const show = (id) => {
    const again = picture.dataset.chosen === id;
    const on = again ? new Set() : new Set([...reach(id, (one) => nodes.get(one)?.inputs ?? []), ...reach(id, (one) => users.get(one) ?? [])]);
    picture.dataset.chosen = again ? "" : id;
    picture.classList.toggle("chosen", !again);
    for (const one of boxes) one.classList.toggle("on", on.has(one.dataset.id));
    for (const one of lines) one.shape.classList.toggle("on", on.has(one.from) && on.has(one.to));
  };
  for (const one of boxes) {
    one.addEventListener("click", () => show(one.dataset.id));
    one.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(one.dataset.id); } });
  }
}
