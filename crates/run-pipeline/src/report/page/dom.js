// Builds the page's elements. Every value becomes text by textContent, never markup.
const SVG = "http://www.w3.org/2000/svg";

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === null) continue;
    node.setAttribute(name, String(value));
  }
  for (const child of children) {
    if (child === undefined || child === null) continue;
    if (child instanceof Node) node.appendChild(child);
    else node.appendChild(document.createTextNode(String(child)));
  }
  return node;
}

function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children.flat(Infinity));
}

function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children.flat(Infinity));
}

const integers = new Intl.NumberFormat("en-US");
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });
const NONE = "\u2013";

function known(value) {
  return value !== null && value !== undefined;
}

function count(value) {
  return known(value) ? integers.format(value) : NONE;
}

// A decimal of the tables as people read it, rounded half away from zero. No digit of it passes through a float.
function decimal(text, digits) {
  if (!known(text)) return NONE;
  const [whole, fraction = ""] = text.replace("-", "").split(".");
  const places = digits ?? fraction.length;
  const kept = BigInt(whole + fraction.slice(0, places).padEnd(places, "0")) + (fraction.charAt(places) >= "5" ? 1n : 0n);
  const shown = String(kept).padStart(places + 1, "0");
  const grouped = shown.slice(0, shown.length - places).replace(/\B(?=(\d{3})+$)/g, ",");
  const sign = text.startsWith("-") && kept > 0n ? "\u2212" : "";
  return sign + grouped + (places ? "." + shown.slice(shown.length - places) : "");
}

function score(value) {
  return known(value) ? value.toFixed(1) : NONE;
}

function duration(milliseconds) {
  if (!known(milliseconds)) return NONE;
  const seconds = milliseconds / 1000;
  if (seconds < 60) return seconds.toFixed(1) + " s";
  const minutes = Math.floor(seconds / 60);
  const rest = Math.floor(seconds - 60 * minutes);
  if (minutes < 60) return minutes + " min " + rest + " s";
  return Math.floor(minutes / 60) + " h " + (minutes % 60) + " min";
}

function plural(number, one, many) {
  return count(number) + " " + (number === 1 ? one : many);
}

function titled(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function badge(kind, text) {
  return el("span", { class: "badge " + kind }, text);
}

function empty(text) {
  return el("p", { class: "empty" }, text);
}

// columns: {title, of: row -> cell, kind: "number" | "name" | "text"}; the first column names the row.
function table(caption, columns, rows) {
  const head = columns.map((column) => el("th", { scope: "col", class: column.kind }, column.title));
  const lines = rows.map((row) =>
    el("tr", {}, columns.map((column, at) => el(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: column.kind }, column.of(row)))),
  );
  const whole = el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, lines));
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, whole);
}

// The newest rows in sight, all of them behind a fold.
function recent(caption, columns, rows, all) {
  const shown = table(caption, columns, rows.slice(0, 8));
  return rows.length > 8 ? [shown, folded(all, table(caption, columns, rows))] : [shown];
}

function folded(title, ...content) {
  return el("details", {}, el("summary", {}, title), content);
}

function card(title, note, ...content) {
  return el("div", { class: "card" }, el("h3", {}, title), note ? el("p", { class: "note" }, note) : null, content);
}

function wide(...of) {
  const made = card(...of);
  made.classList.add("wide");
  return made;
}

function section(id, title, note, ...content) {
  return el("section", { id, "aria-label": title }, el("h2", {}, title), note ? el("p", { class: "note" }, note) : null, content);
}
