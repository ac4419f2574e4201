// Shows runs in a table that holds only the rows in sight, and the curves of the chosen ones.
// The data are those of lr_configs/sweeps/page.py; text is set as text only.
"use strict";

function lrCompare(data) {
  const HEIGHT = 24, AROUND = 10, MOST = 12;
  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };

  // ------------------------------------------------------------------------------------------------ order and filter

  const number = (text) => (/^[-+]?(\d|\.\d|nan$|inf$)/.test(text) ? Number(text.replace(/[% ].*$/, "").replace("inf", "Infinity")) : NaN);
  const whole = data.rows.map((_, i) => i);
  const text = data.rows.map((row) => row.join(" ").toLowerCase());
  const numeric = data.columns.map((_, column) => String(column) in data.keys || data.rows.every((row) => row[column] === "" || row[column] === "nan" || !Number.isNaN(number(row[column]))));
  let order = whole, sorted = 0, falling = false, words = [], state = "", at = 0;
  const chosen = [...data.chosen];

  // The values of a column as they are compared; what is empty comes last in both directions.
  function keys(column) {
    if (String(column) in data.keys) return data.keys[String(column)];
    return data.rows.map((row) => (row[column] === "" ? null : numeric[column] ? number(row[column]) : row[column]));
  }

  function arrange() {
    const key = keys(sorted), sign = falling ? -1 : 1, last = (value) => value === null || Number.isNaN(value);
    order = whole.filter((i) => (!state || data.state[i] === state) && words.every((word) => text[i].includes(word)));
    order.sort((a, b) => {
      const one = key[a], other = key[b];
      if (last(one) || last(other)) return last(one) - last(other) || a - b;
      return (one < other ? -sign : one > other ? sign : 0) || a - b;
    });
    at = Math.min(at, Math.max(order.length - 1, 0));
    count.textContent = order.length === data.rows.length ? `${data.rows.length} runs` : `${order.length} of ${data.rows.length} runs`;
    sheet.style.height = `${order.length * HEIGHT}px`;
    drawn = "";
    draw();
  }

  // ------------------------------------------------------------------------------------------------ the table

  const widths = data.columns.map((name, column) => {
    let most = name.length + 2;
    for (let i = 0; i < data.rows.length; i += Math.max(1, Math.floor(data.rows.length / 500))) most = Math.max(most, data.rows[i][column].length);
    return `calc(${Math.min(most, 46)}ch + 1.4em)`;
  });
  // Rows are grids of their own: only fixed widths make columns of them. What is over goes to the last one.
  const columns = ["2em", ...widths.slice(0, -1), `minmax(${widths[widths.length - 1]}, 1fr)`].join(" ");
  const count = make("output", { "aria-live": "polite" });
  const filter = make("input", { type: "search", placeholder: "filter: words that a row has", "aria-label": "filter" });
  const states = make("select", { "aria-label": "status" }, make("option", { value: "" }, "every status"));
  for (const one of data.states) states.append(make("option", { value: one }, one));
  const head = make("div", { class: "row head", role: "row" }, make("span", { role: "columnheader", "aria-label": "curve" }));
  const sheet = make("div", { class: "body", role: "rowgroup", style: "position: relative" });
  const box = make("div", { class: "runs", tabindex: "0", role: "grid", "aria-label": "runs", "aria-rowcount": data.rows.length }, make("div", { class: "sheet" }, head, sheet));
  head.style.gridTemplateColumns = columns;
  data.columns.forEach((name, column) => {
    const button = make("button", { type: "button" }, name);
    const cell = make("span", { role: "columnheader", class: numeric[column] ? "n" : "" }, button);
    button.addEventListener("click", () => {
      falling = sorted === column && !falling;
      sorted = column;
      title();
      arrange();
    });
    head.append(cell);
  });
  document.getElementById("runs").append(make("div", { class: "bar" }, filter, states, count), box);

  function title() {
    [...head.children].slice(1).forEach((cell, column) => {
      const mine = column === sorted;
      cell.setAttribute("aria-sort", mine ? (falling ? "descending" : "ascending") : "none");
      cell.firstChild.textContent = data.columns[column] + (mine ? (falling ? " ▼" : " ▲") : "");
    });
  }

  let drawn = "";
  function draw() {
    const first = Math.max(Math.floor(box.scrollTop / HEIGHT) - AROUND, 0);
    const last = Math.min(first + Math.ceil(box.clientHeight / HEIGHT) + 2 * AROUND, order.length);
    const now = `${first} ${last} ${at} ${chosen}`;
    if (now === drawn) return;
    drawn = now;
    const rows = [];
    for (let place = first; place < last; place++) rows.push(line(place));
    sheet.replaceChildren(...rows);
  }

  function line(place) {
    const i = order[place], style = chosen.indexOf(i);
    const mark = make("span", { role: "gridcell" });
    if (style >= 0) mark.append(make("span", { class: "mark", style: `background: var(--c${style % data.colours})` }));
    const row = make("div", { class: place === at ? "row at" : "row", role: "row", "aria-rowindex": place + 1, "aria-selected": String(style >= 0), "data-run": i }, mark);
    row.style.top = `${place * HEIGHT}px`;
    row.style.gridTemplateColumns = columns;
    data.rows[i].forEach((cell, column) => row.append(make("span", { role: "gridcell", class: numeric[column] ? "n" : "", title: cell }, cell)));
    return row;
  }

  // ------------------------------------------------------------------------------------------------ the curves

  const host = document.getElementById("curves"), pictures = make("div", { class: "pictures" }), hint = make("p", {});
  const charts = { metric: [make("div"), null], rate: [make("div"), null] };
  pictures.append(charts.metric[0], charts.rate[0]);
  host.append(hint, pictures);

  function toggle(i) {
    const place = chosen.indexOf(i);
    if (place >= 0) chosen.splice(place, 1);
    else if (i in data.curves) chosen.push(i);
    if (chosen.length > MOST) chosen.shift();
    show(i in data.curves ? "" : `The page has the curves of ${Object.keys(data.curves).length} runs only, the best ones.`);
    draw();
  }

  function lines(key) {
    const found = [];
    chosen.forEach((i, style) => {
      const points = data.curves[i][key] || [];
      if (points.length) found.push({ label: data.labels[i], x: points.map((one) => one[0]), y: points.map((one) => one[1]), end: points[points.length - 1][0], style, thinned: true, marks: [] });
    });
    return found;
  }

  function show(word) {
    const found = { metric: lines("metric"), rate: lines("rate") };
    const end = Math.max(...Object.values(found).flatMap((some) => some.map((one) => one.end)), 1);
    hint.textContent = word || "A click on a run shows or hides its curves.";
    for (const [key, name] of [["metric", data.metric], ["rate", "lr"]]) {
      const [place, chart] = charts[key];
      place.hidden = !found[key].length;
      if (place.hidden) continue;
      const all = { title: name, unit: "update", end, epochs: [], bins: 0, colours: data.colours, dashes: data.dashes, panels: [{ title: name, lines: found[key] }] };
      if (chart === null) charts[key][1] = lrChart(place, all);
      else chart.show(all);
    }
  }

  // ------------------------------------------------------------------------------------------------ pointer and keys

  sheet.addEventListener("click", (event) => {
    const row = event.target.closest(".row");
    if (!row) return;
    at = order.indexOf(Number(row.dataset.run));
    toggle(Number(row.dataset.run));
  });
  box.addEventListener("keydown", (event) => {
    if (event.target !== box) return;
    const page = Math.max(Math.floor(box.clientHeight / HEIGHT) - 2, 1);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: order.length - 1 };
    if (event.key in to) {
      at = Math.min(Math.max(to[event.key], 0), order.length - 1);
      const top = at * HEIGHT, seen = box.clientHeight - head.offsetHeight - HEIGHT;
      if (top < box.scrollTop) box.scrollTop = top;
      else if (top > box.scrollTop + seen) box.scrollTop = top - seen;
      draw();
    } else if ((event.key === "Enter" || event.key === " ") && order.length) toggle(order[at]);
    else return;
    event.preventDefault();
  });
  box.addEventListener("scroll", draw, { passive: true });
  filter.addEventListener("input", () => {
    words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    box.scrollTop = 0;
    arrange();
  });
  states.addEventListener("change", () => {
    state = states.value;
    box.scrollTop = 0;
    arrange();
  });
  const copy = document.getElementById("copy");
  if (copy) {
    copy.addEventListener("click", async () => {
      const command = document.getElementById("command");
      try {
        await navigator.clipboard.writeText(command.textContent);
        copy.textContent = "copied";
      } catch {
        getSelection().selectAllChildren(command);
      }
    });
  }

  title();
  arrange();
  show("");
}
