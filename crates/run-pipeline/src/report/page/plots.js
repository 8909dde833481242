// Draws the plots with Chart.js, in the colours of the page, and anew when those change.
const plots = [];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
}

function series(at) {
  return "series-" + ((at % 8) + 1);
}

// what: {label, height?, draw: () => configuration of Chart.js}
function plot(what) {
  const canvas = el("canvas", { role: "img", "aria-label": what.label });
  const holder = el("div", { class: "plot" }, canvas);
  if (what.height) holder.style.height = what.height + "px";
  plots.push({ canvas, draw: what.draw, chart: null });
  return holder;
}

function drawAll() {
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  Chart.defaults.animation = false;
  for (const one of plots) {
    if (one.chart) one.chart.destroy();
    one.chart = new Chart(one.canvas, one.draw());
  }
}

function axis(title, more) {
  const grid = { color: colour("line"), drawTicks: false };
  const named = { display: Boolean(title), text: title, color: colour("muted") };
  return { title: named, grid, border: { display: false }, ticks: { color: colour("muted"), padding: 6, maxRotation: 0, autoSkipPadding: 14 }, ...more };
}

function valueAxis(title, more) {
  const made = axis(title, more);
  made.ticks = { ...made.ticks, callback: (value) => compact.format(value), maxTicksLimit: 7 };
  return made;
}

function nameAxis(title, more) {
  const made = axis(title, more);
  made.grid = { display: false };
  made.ticks = { ...made.ticks, callback(at) { return shortened(this.getLabelForValue(at), this.chart.width); } };
  return made;
}

function legend(shown) {
  const labels = { color: colour("ink"), boxWidth: 12, boxHeight: 12, padding: 12 };
  return { display: shown, position: "bottom", labels };
}

function tooltip(line) {
  return {
    backgroundColor: colour("card"), titleColor: colour("ink"), bodyColor: colour("ink"), borderColor: colour("line"), borderWidth: 1,
    callbacks: line ? { label: line } : {},
  };
}

// A name as a plot of so many pixels has room for it; the table beside the plot has it whole.
function shortened(name, width) {
  const letters = Math.max(8, Math.min(24, Math.floor((width * 0.36) / 7)));
  return name.length > letters ? name.slice(0, letters - 1) + "\u2026" : name;
}

// Bars: names along one axis, one set of bars per series. sets: {label, colour, values, texts}
function bars(what) {
  const flat = what.flat === true;
  const names = nameAxis(what.names, { stacked: what.stacked });
  if (flat) names.ticks = { ...names.ticks, autoSkip: false };
  const values = valueAxis(what.values, { stacked: what.stacked, beginAtZero: true });
  const datasets = what.sets.map((set) => ({
    label: shortened(set.label, 400), data: set.values, texts: set.texts, backgroundColor: colour(set.colour), maxBarThickness: 54,
    borderColor: colour("card"), borderWidth: what.stacked ? 1 : 0,
  }));
  const line = (item) => {
    const texts = item.dataset.texts;
    return item.dataset.label + ": " + (texts ? texts[item.dataIndex] : count(item.raw));
  };
  return {
    type: "bar",
    data: { labels: what.labels, datasets },
    options: {
      indexAxis: flat ? "y" : "x", responsive: true, maintainAspectRatio: false,
      scales: flat ? { x: values, y: names } : { x: names, y: values },
      plugins: { legend: legend(what.sets.length > 1), tooltip: tooltip(line) },
    },
  };
}

// Lines over windows or days. sets: {label, colour, values}
function lines(what) {
  const values = valueAxis(what.values, { suggestedMin: what.from, max: what.to });
  const datasets = what.sets.map((set) => ({
    label: set.label, data: set.values, borderColor: colour(set.colour), backgroundColor: colour(set.colour), borderWidth: set.strong ? 3 : 1.8,
    pointRadius: 3, tension: 0, spanGaps: true,
  }));
  return {
    type: "line",
    data: { labels: what.labels, datasets },
    options: {
      responsive: true, maintainAspectRatio: false, scales: { x: nameAxis(what.names, { offset: true }), y: values },
      plugins: { legend: legend(true), tooltip: tooltip((item) => item.dataset.label + ": " + score(item.raw)) },
    },
  };
}
