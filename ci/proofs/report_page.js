// What ci/proofs/report.py asks of an open page. Each function answers with a list of sentences; an empty list is good.
window.inspection = (() => {
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const brief = (text) => JSON.stringify(text.trim().slice(0, 40));

  // What of a rectangle can be seen: boxes that scroll cut off the rest.
  const clipped = (rect, element) => {
    let { left, right, top, bottom } = rect;
    for (let one = element; one && one !== document.body; one = one.parentElement) {
      if (getComputedStyle(one).overflowX === "visible") continue;
      const box = one.getBoundingClientRect();
      [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
      [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
    }
    return { left, right, top, bottom };
  };

  const texts = () => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const [node, parent] = [walker.currentNode, walker.currentNode.parentElement];
      if (!node.data.trim() || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(parent.tagName) || !shown(parent)) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      for (const rect of range.getClientRects()) found.push({ node, parent, text: node.data, ...clipped(rect, parent) });
    }
    return found.filter((one) => one.right - one.left > 0.5 && one.bottom - one.top > 0.5);
  };

  // Fonts reserve some room above and below the letters, so lines that stand close may share a little of it.
  const meet = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;

  const overlaps = () => {
    const boxes = texts().sort((a, b) => a.top - b.top);
    const found = [];
    boxes.forEach((one, at) => {
      for (let next = at + 1; next < boxes.length && boxes[next].top < one.bottom; next += 1) {
        const other = boxes[next];
        if (other.node !== one.node && meet(one, other)) found.push("texts overlap: " + brief(one.text) + " and " + brief(other.text));
      }
    });
    return found;
  };

  const tooWide = () => {
    const page = document.documentElement;
    const found = page.scrollWidth > window.innerWidth ? ["the page is " + page.scrollWidth + " wide"] : [];
    for (const one of texts()) if (one.right > window.innerWidth + 0.5 || one.left < -0.5) found.push("text leaves the page: " + brief(one.text));
    return found;
  };

  // A copy: the library's own canvas is not made for reading.
  const pixelsOf = (canvas) => {
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    return copy.getImageData(0, 0, canvas.width, canvas.height).data;
  };

  const plots = () => {
    const found = [];
    for (const canvas of document.querySelectorAll("canvas")) {
      const name = canvas.getAttribute("aria-label");
      const pixels = pixelsOf(canvas);
      const colours = new Set();
      for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3] === 255) colours.add((pixels[at] << 16) | (pixels[at + 1] << 8) | pixels[at + 2]);
      if (colours.size < 4) found.push("plot is empty: " + name);
      if (!name) found.push("a plot has no description");
      const chart = Chart.getChart(canvas);
      if (!chart.data.datasets.some((set) => set.data.length)) found.push("plot has no data: " + name);
      for (const scale of Object.values(chart.scales)) {
        if (!scale.options.title.text && scale.type === "linear") found.push("an axis has no unit: " + name);
        found.push(...labels(chart, scale).map((problem) => problem + " in " + name));
      }
    }
    return found;
  };

  // Letters in a canvas have no boxes; the library knows where it put them.
  const labels = (chart, scale) => {
    const found = [];
    const boxes = scale.getLabelItems(chart.chartArea).filter((item) => item.label !== "" && item.options.rotation === 0).map((item) => {
      chart.ctx.font = item.font.string;
      const width = chart.ctx.measureText(item.label).width;
      const [x, y] = item.options.translation;
      const left = { left: x, start: x, right: x - width, end: x - width }[item.options.textAlign] ?? x - width / 2;
      return { text: String(item.label), left, right: left + width, top: y - 5, bottom: y + 5 };
    });
    boxes.forEach((one, at) => {
      if (one.left < -1 || one.right > chart.width + 1) found.push("label is cut: " + brief(one.text));
      for (const other of boxes.slice(at + 1)) if (meet(one, other)) found.push("labels overlap: " + brief(one.text) + " and " + brief(other.text));
    });
    return found;
  };

  const lineage = (island) => {
    const found = [];
    const tables = island.lineage.tables;
    const programs = new Set(tables.filter((one) => one.layer === "bronze").map((one) => one.program));
    const edges = tables.reduce((all, one) => all + (one.layer === "bronze" ? 1 : one.inputs.length), 0);
    const [nodes, lines] = [document.querySelectorAll(".graph .node"), document.querySelectorAll(".graph .edge")];
    if (nodes.length !== tables.length + programs.size) found.push("the graph has " + nodes.length + " nodes");
    if (lines.length !== edges) found.push("the graph has " + lines.length + " edges, not " + edges);
    for (const node of nodes) {
      const [label, box] = [node.querySelector("text").getBBox(), node.querySelector("rect").getBBox()];
      if (label.x + label.width > box.x + box.width) found.push("label leaves its box: " + brief(node.textContent));
    }
    return found;
  };

  // WCAG 2: 4.5 to 1 for texts.
  const contrast = () => {
    const parse = (colour) => colour.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((one) => (one / 255 <= 0.03928 ? one / 255 / 12.92 : ((one / 255 + 0.055) / 1.055) ** 2.4)).reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
    const ground = (element) => {
      for (let one = element; one; one = one.parentElement) {
        const colour = parse(getComputedStyle(one).backgroundColor);
        if (colour.length < 4 || colour[3] > 0) return colour;
      }
      return [255, 255, 255];
    };
    const found = new Set();
    for (const { parent, text } of texts()) {
      if (parent.closest("svg")) continue;
      const [a, b] = [light(parse(getComputedStyle(parent).color)), light(ground(parent))];
      const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < 4.5) found.add("contrast " + ratio.toFixed(1) + ": " + brief(text));
    }
    return [...found];
  };

  const cells = (caption) => {
    const table = [...document.querySelectorAll("caption")].filter((one) => one.textContent === caption).pop()?.parentElement;
    return table ? [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent)) : null;
  };

  // The numbers of a plot, one list per series.
  const drawn = (title) => {
    const canvas = [...document.querySelectorAll("canvas")].find((one) => one.getAttribute("aria-label").startsWith(title));
    return canvas ? Chart.getChart(canvas).data.datasets.map((set) => [...set.data]) : null;
  };

  return { overlaps, tooWide, plots, lineage, contrast, cells, drawn };
})();
