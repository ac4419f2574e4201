// Draws curves into an element, with the values under the pointer, a legend that switches lines off, and keys for both.
// lrChart(host, data) -> {show(data), cursor(x)}. The data are those of lr_configs/preview/page.py; text is set as text only.
"use strict";

function lrChart(host, data) {
  const SVG = "http://www.w3.org/2000/svg";
  const ROW = 16, GAP = 16, SIZE = 12, CHARACTER = 7, DECADES = 6;
  const hidden = new Set();
  let log = Boolean(data.log), at = null, boxes = [];

  const make = (tag, attributes = {}, ...children) => {
    const node = tag.startsWith("svg:") ? document.createElementNS(SVG, tag.slice(4)) : document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  // ------------------------------------------------------------------------------------------------ numbers

  const round = (value) => Number(value.toPrecision(12));

  function step(least) {
    const power = 10 ** Math.floor(Math.log10(least));
    for (const times of [1, 2, 5]) if (power * times >= least * (1 - 1e-9)) return power * times;
    return power * 10;
  }

  function ticks(low, high, count) {
    for (let size = step((high - low) / Math.max(count, 1)); ; size = step(size * 1.5)) {
      const first = Math.ceil(low / size - 1e-9), last = Math.floor(high / size + 1e-9);
      if (last - first + 1 <= Math.max(count, 2)) {
        return Array.from({ length: last - first + 1 }, (_, i) => round((first + i) * size));
      }
    }
  }

  function decades(low, high, count) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
    const every = Math.max(1, Math.ceil((last - first + 1) / Math.max(count, 2))), found = [];
    for (let power = last; power >= first; power -= every) found.unshift(Number("1e" + power));
    return found.length > 1 ? found : [low, high];
  }

  function axisOf(lines, logarithmic) {
    let low = Infinity, high = -Infinity, least = Infinity;
    for (const line of lines) {
      for (const value of line.y) {
        low = Math.min(low, value);
        high = Math.max(high, value);
        if (value > 0) least = Math.min(least, value);
      }
    }
    if (logarithmic && high > 0) {
      const top = 10 ** Math.ceil(Math.log10(high) - 1e-9);
      const bottom = 10 ** Math.floor(Math.log10(Math.max(least, top / 10 ** DECADES)) + 1e-9);
      return { low: round(bottom < top ? bottom : top / 10), high: round(top), log: true };
    }
    if (low >= 0 && low <= 0.4 * high) low = 0;
    if (!(low < high)) [low, high] = high > 0 ? [0, high * 1.25] : [0, 1];
    const size = step((high - low) / 5);
    return { low: round(Math.floor(low / size + 1e-9) * size), high: round(Math.ceil(high / size - 1e-9) * size), log: false };
  }

  function share(axis, value) {
    const whole = axis.log
      ? value <= axis.low ? 0 : Math.log(value / axis.low) / Math.log(axis.high / axis.low)
      : (value - axis.low) / (axis.high - axis.low);
    return Math.min(Math.max(whole, 0), 1);
  }

  const exponent = (value, digits) => value.toExponential(digits).replace(/e([+-])(\d)$/, "e$10$2");

  function short(value) {
    if (value === 0) return "0";
    const size = Math.abs(value);
    if (size < 1e-3 || size >= 1e6) return exponent(value, 1);
    return size < 1000 ? String(Number(value.toPrecision(3))) : value.toFixed(0);
  }

  function exact(value) {
    if (value === null) return "";
    const text = String(Number(value.toPrecision(6)));
    return text.includes("e") || (value !== 0 && Math.abs(value) < 1e-3) ? exponent(value, 4) : text;
  }

  const count = (value) => (value >= 1e6 && value % 1e5 === 0 ? value / 1e6 + "M" : String(Number(value.toPrecision(12))));

  function between(knots, x) {
    let i = 1;
    while (i < knots.length - 1 && knots[i][0] <= x) i++;
    const [start, first] = knots[i - 1], [stop, last] = knots[i];
    return first + ((x - start) * (last - first)) / (stop - start);
  }

  // The index of the last value that begins at or in front of x.
  function index(line, x) {
    let low = 0, high = line.x.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (line.x[middle] <= x) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  function value(line, x) {
    const i = index(line, x);
    return i < 0 || x >= line.end ? null : line.y[i];
  }

  // Where all lines have their own values: on a thinned picture where its parts begin, else at whole updates.
  function snapped(x) {
    const inside = Math.min(Math.max(x, 0), data.end);
    if (data.bins) {
      const part = Math.min(Math.floor((inside * data.bins) / data.end), data.bins - 1);
      return Math.ceil((part * data.end) / data.bins);
    }
    return Math.min(Math.floor(inside), Math.ceil(data.end) - 1);
  }

  // ------------------------------------------------------------------------------------------------ the table

  const svg = make("svg:svg", { class: "lr-chart", tabindex: "0", role: "img", "font-size": SIZE });
  const table = make("table", { class: "lr-values" });
  const toggle = make("button", { type: "button", class: "lr-log", "aria-pressed": String(log) }, "log scale");
  const place = make("caption", { "aria-live": "polite" });
  host.replaceChildren(toggle, svg, table);

  const labels = () => {
    const found = [];
    for (const panel of data.panels) for (const line of panel.lines) found[line.style] = line.label;
    return found;
  };

  function swatch(style) {
    const path = make("svg:path", { d: "M0 6h28", class: "l c" + (style % data.colours), "stroke-dasharray": data.dashes[style] || "none" });
    return make("svg:svg", { width: 28, height: 12, "aria-hidden": "true" }, path);
  }

  function tabulate() {
    const head = make("tr", {}, make("th", {}), ...data.panels.map((panel) => make("th", { scope: "col" }, panel.title)));
    const rows = labels().map((label, style) => {
      const button = make("button", { type: "button", "aria-pressed": String(!hidden.has(style)) }, swatch(style), label);
      button.addEventListener("click", () => {
        if (!hidden.delete(style)) hidden.add(style);
        button.setAttribute("aria-pressed", String(!hidden.has(style)));
        draw();
      });
      const cells = data.panels.map(() => make("td"));
      return make("tr", { "data-style": style }, make("th", { scope: "row" }, button), ...cells);
    });
    table.replaceChildren(place, make("thead", {}, head), make("tbody", {}, ...rows.filter(Boolean)));
  }

  function read() {
    const x = at === null ? null : at;
    const epoch = x !== null && data.epochs.length ? `, epoch ${count(Number(between(data.epochs, x).toFixed(2)))}` : "";
    place.textContent = x === null ? "at the end of the run" : `at ${data.unit} ${count(x)}${epoch}`;
    for (const row of table.tBodies[0].rows) {
      const style = Number(row.dataset.style);
      data.panels.forEach((panel, i) => {
        const line = panel.lines.find((one) => one.style === style);
        const shown = line && !hidden.has(style) ? (x === null ? line.y[line.y.length - 1] : value(line, x)) : null;
        row.cells[i + 1].textContent = exact(shown);
      });
    }
  }

  // ------------------------------------------------------------------------------------------------ the picture

  const fixed = (number) => String(Math.round(number * 10) / 10);
  const text = (x, y, words, attributes = {}) => make("svg:text", { x: fixed(x), y: fixed(y), ...attributes }, words);

  function path(line, box) {
    let found = "", last = null;
    line.x.forEach((x, i) => {
      const left = fixed(box.x(x)), top = fixed(box.y(line.y[i]));
      found += last === null ? `M${left} ${top}` : line.thinned ? `L${left} ${top}` : top === last ? "" : `H${left}V${top}`;
      last = top;
    });
    return found + "H" + fixed(box.x(line.end));
  }

  function draw() {
    const width = Math.max(host.clientWidth, 240), shown = data.panels.map((panel) => panel.lines.filter((line) => !hidden.has(line.style)));
    const axes = data.panels.map((panel, i) => axisOf(shown[i].length ? shown[i] : panel.lines, log && i === 0));
    const left = Math.max(...axes.flatMap((axis) => axis_ticks(axis, 200).map((tick) => short(tick).length))) * CHARACTER + 12;
    const right = Math.max(...data.panels.flatMap((panel) => panel.lines.map((line) => short(line.y[line.y.length - 1]).length))) * CHARACTER + 10;
    boxes = [];
    svg.replaceChildren();
    let y = 4;
    data.panels.forEach((panel, i) => {
      y += ROW + 4;
      const top = y, height = i === 0 ? 260 : 110, inner = width - left - right, axis = axes[i];
      const box = { left, right: left + inner, top, bottom: top + height, axis, x: (x) => left + (inner * x) / data.end, y: (v) => top + height * (1 - share(axis, v)) };
      boxes.push(box);
      drawPanel(panel, shown[i], box);
      y += height + GAP;
    });
    y += drawTicks(y - GAP, width);
    svg.setAttribute("width", width);
    svg.setAttribute("height", fixed(y));
    svg.setAttribute("viewBox", `0 0 ${width} ${fixed(y)}`);
    svg.setAttribute("aria-label", `${data.title || "curves"}: ${labels().filter(Boolean).join(", ")}. Arrow keys move along the ${data.unit}s.`);
    svg.append(make("svg:path", { class: "cursor" }));
    move(at);
  }

  const axis_ticks = (axis, height) => (axis.log ? decades : ticks)(axis.low, axis.high, Math.max(Math.floor(height / 36), 3));

  function drawPanel(panel, lines, box) {
    for (const tick of axis_ticks(box.axis, box.bottom - box.top)) {
      const y = fixed(box.y(tick));
      svg.append(make("svg:path", { class: "grid", d: `M${box.left} ${y}H${fixed(box.right)}` }));
      svg.append(text(box.left - 5, Number(y) + 4, short(tick), { "text-anchor": "end" }));
    }
    svg.append(make("svg:path", { class: "axis", d: `M${box.left} ${box.top}V${fixed(box.bottom)}H${fixed(box.right)}` }));
    svg.append(text(0, box.top - 8, panel.title, { class: "name" }));
    for (const line of [...lines].reverse()) {
      svg.append(make("svg:path", { class: "l c" + (line.style % data.colours), d: path(line, box), "data-style": line.style, "stroke-dasharray": data.dashes[line.style] || "none" }));
    }
    const ends = [], words = [box.left];
    for (const line of lines) {
      for (const [x, v, word] of line.marks) {
        const dot = make("svg:circle", { class: "dot c" + (line.style % data.colours), cx: fixed(box.x(x)), cy: fixed(box.y(v)), r: 2.6 });
        dot.append(make("svg:title", {}, `${line.label}: ${word} ${count(x)}`));
        svg.append(dot);
      }
      ends.push([box.y(line.y[line.y.length - 1]), line]);
    }
    drawWords(lines, box, words);
    for (const [y, line] of spread(ends, SIZE + 1, box.top, box.bottom)) {
      svg.append(text(box.x(line.end) + 5, y + 4, short(line.y[line.y.length - 1]), { class: "t" + (line.style % data.colours) }));
    }
  }

  // Places as near to those wanted as a gap between them allows.
  function spread(wanted, gap, low, high) {
    const order = [...wanted].sort((a, b) => a[0] - b[0]), blocks = [];
    const start = ([middle, n]) => Math.max(Math.min(middle - (gap * (n - 1)) / 2, high - gap * (n - 1)), low);
    for (const [y] of order) {
      blocks.push([y, 1]);
      while (blocks.length > 1 && start(blocks[blocks.length - 1]) < start(blocks[blocks.length - 2]) + gap * blocks[blocks.length - 2][1]) {
        const [y1, n] = blocks.pop(), [y2, m] = blocks.pop();
        blocks.push([(y1 * n + y2 * m) / (n + m), n + m]);
      }
    }
    const places = blocks.flatMap((block) => Array.from({ length: block[1] }, (_, k) => start(block) + gap * k));
    return order.map(([, item], i) => [places[i], item]);
  }

  // The first of each kind of thing that happens on a line, as far as there is room.
  function drawWords(lines, box, taken) {
    const found = lines.flatMap((line) => line.marks.filter(([, , word], i) => line.marks.findIndex((one) => one[2] === word) === i).map((mark) => [mark, line.style]));
    for (const [[x, , word], style] of found.sort((a, b) => a[0][0] - b[0][0])) {
      const half = (word.length * CHARACTER) / 2, middle = Math.min(Math.max(box.x(x), box.left + half), box.right - half);
      if (middle - half < taken[0]) continue;
      taken[0] = middle + half + 8;
      svg.append(text(middle, box.top - 8, word, { "text-anchor": "middle", class: "t" + (style % data.colours) }));
    }
  }

  function drawTicks(top, width) {
    const box = boxes[boxes.length - 1], room = Math.max(Math.floor((box.right - box.left) / 90), 2);
    const rows = [[`${data.unit}s`, ticks(0, data.end, room).map((x) => [x, x])]];
    if (data.epochs.length) {
      const last = between(data.epochs, data.end), back = data.epochs.map(([a, b]) => [b, a]);
      const whole = ticks(0, last, last < 2 ? room : Math.min(room, Math.floor(last) + 1)).filter((e) => Number.isInteger(e) || last < 2);
      rows.push(["epochs", whole.map((e) => [between(back, e), e])]);
    }
    rows.forEach(([unit, found], i) => {
      const y = top + ROW * (i + 1), edge = width - unit.length * CHARACTER - 8;
      svg.append(text(width, y, unit, { "text-anchor": "end", class: "name" }));
      for (const [x, amount] of found) {
        svg.append(make("svg:path", { class: "axis", d: `M${fixed(box.x(x))} ${fixed(top)}v${i ? -3 : 3}` }));
        if (box.x(x) + (count(amount).length * CHARACTER) / 2 < edge) svg.append(text(box.x(x), y, count(amount), { "text-anchor": "middle" }));
      }
    });
    return ROW * rows.length + 4;
  }

  // ------------------------------------------------------------------------------------------------ pointer and keys

  function move(x) {
    at = x === null ? null : snapped(x);
    const line = svg.querySelector(".cursor"), left = at === null ? 0 : fixed(boxes[0].x(at));
    line.setAttribute("d", at === null ? "" : `M${left} ${boxes[0].top}V${fixed(boxes[boxes.length - 1].bottom)}`);
    read();
  }

  svg.addEventListener("pointermove", (event) => {
    const box = boxes[0], x = event.clientX - svg.getBoundingClientRect().left;
    move(((x - box.left) / (box.right - box.left)) * data.end);
  });
  svg.addEventListener("pointerleave", () => move(null));
  svg.addEventListener("keydown", (event) => {
    const size = (data.bins ? data.end / data.bins : 1) * (event.shiftKey ? 10 : 1), here = at === null ? 0 : at;
    // Half a part more than a whole one, since the places are rounded up to whole updates.
    const right = data.bins ? here + size * 1.0001 : here + size;
    const to = { ArrowRight: at === null ? 0 : right, ArrowLeft: at === null ? data.end : here - size, Home: 0, End: data.end, Escape: null };
    if (!(event.key in to)) return;
    event.preventDefault();
    move(to[event.key]);
  });
  toggle.addEventListener("click", () => {
    log = !log;
    toggle.setAttribute("aria-pressed", String(log));
    draw();
  });

  function show(other) {
    data = other;
    at = null;
    hidden.clear();
    tabulate();
    draw();
  }

  show(data);
  if (typeof ResizeObserver !== "undefined") {
    let width = host.clientWidth;
    new ResizeObserver(() => {
      if (host.clientWidth !== width) {
        width = host.clientWidth;
        draw();
      }
    }).observe(host);
  }
  return { show, cursor: move };
}
