"use strict";
// Draws the charts of the page from its embedded data, as SVG: plans that pan and zoom, and values over time with a
// common cursor.
const data = JSON.parse(document.getElementById("data").textContent);
const COLORS = 8;
const color = (index) => `var(--c${index % COLORS})`;

function svg(tag, attributes, parent) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (parent) parent.append(element);
  return element;
}

function html(tag, attributes, parent) {
  const element = Object.assign(document.createElement(tag), attributes);
  if (parent) parent.append(element);
  return element;
}

function label(text, x, y, anchor, parent) {
  svg("text", { x, y, "text-anchor": anchor }, parent).textContent = text;
}

// At most `count` round numbers between two values.
function ticks(low, high, count) {
  const rough = (high - low) / Math.max(count, 1);
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++) found.push(k * step);
  return found;
}

const format = (value) => (value === null || value === undefined ? "–" : String(Number(value.toPrecision(4))));

// Range of all finite numbers in nested arrays.
function range(arrays) {
  let [low, high] = [Infinity, -Infinity];
  for (const values of arrays) for (const value of values) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return low <= high ? [low, high] : [0, 1];
}

// Path through points, broken where a value is missing.
function path(xs, ys, x, y) {
  let text = "", open = false;
  for (let i = 0; i < xs.length; i++) {
    if (xs[i] === null || ys[i] === null) { open = false; continue; }
    text += `${open ? "L" : "M"}${x(xs[i]).toFixed(1)} ${y(ys[i]).toFixed(1)}`;
    open = true;
  }
  return text;
}

function card(parent, title) {
  const box = html("div", { className: "chart" }, parent);
  const head = html("h3", { textContent: title }, box);
  return [box, head];
}

// Draw now, and again when the width of an element changes, as on rotation of a phone.
function redrawn(box, draw) {
  let width = 0;
  const update = () => {
    if (Math.abs(box.clientWidth - width) < 1) return;
    width = box.clientWidth;
    draw(Math.max(width - 16, 120));
  };
  update();
  // Later, as drawing resizes the element.
  new ResizeObserver(() => setTimeout(update)).observe(box);
}

function drawPlan(plan) {
  const [box, head] = card(document.getElementById("plans"), plan.title);
  for (const line of plan.lines) {
    const key = html("span", {}, head);
    key.innerHTML = `<span class="dot"></span>`;
    key.firstChild.style.background = line.truth ? "var(--truth)" : color(line.run);
    key.append(line.name);
  }
  const [left, right] = range(plan.lines.map((line) => line.points[0]));
  const [low, high] = range(plan.lines.map((line) => line.points[1]));
  const HEIGHT = 340, MARGIN = 44;
  let view = null; // center and units per pixel
  redrawn(box, (width) => {
    box.querySelector("svg")?.remove();
    const root = svg("svg", { height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": plan.title }, box);
    const initial = () => {
      const perPixel = Math.max((right - left) / (width - 2 * MARGIN), (high - low) / (HEIGHT - 2 * MARGIN), 1e-6);
      return { x: (left + right) / 2, y: (low + high) / 2, perPixel: 1.08 * perPixel };
    };
    view = view ?? initial();
    const x = (value) => width / 2 + (value - view.x) / view.perPixel;
    const y = (value) => HEIGHT / 2 - (value - view.y) / view.perPixel;
    const draw = () => {
      root.replaceChildren();
      const xs = [view.x - view.perPixel * width / 2, view.x + view.perPixel * width / 2];
      const ys = [view.y - view.perPixel * HEIGHT / 2, view.y + view.perPixel * HEIGHT / 2];
      for (const tick of ticks(...xs, width / 90).filter((value) => x(value) > 40)) {
        svg("line", { class: "grid", x1: x(tick), x2: x(tick), y1: 0, y2: HEIGHT - 18 }, root);
        label(format(tick), x(tick), HEIGHT - 5, "middle", root);
      }
      for (const tick of ticks(...ys, HEIGHT / 60)) {
        svg("line", { class: "grid", x1: 0, x2: width, y1: y(tick), y2: y(tick) }, root);
        if (y(tick) > 24 && y(tick) < HEIGHT - 24) label(format(tick), 4, y(tick) - 3, "start", root);
      }
      label(plan.x, width - 4, HEIGHT - 22, "end", root);
      label(plan.y, 4, 12, "start", root);
      for (const line of plan.lines) {
        const [px, py] = line.points;
        const curve = { d: path(px, py, x, y), class: line.truth ? "curve truth" : "curve" };
        if (!line.truth) curve.stroke = color(line.run);
        svg("path", curve, root);
        if (line.truth) continue;
        svg("circle", { cx: x(px[0]), cy: y(py[0]), r: 4, fill: color(line.run) }, root);
        const end = px.length - 1;
        svg("rect", { x: x(px[end]) - 4, y: y(py[end]) - 4, width: 8, height: 8, fill: color(line.run) }, root);
      }
    };
    draw();
    const place = (event) => {
      const bounds = root.getBoundingClientRect();
      return [event.clientX - bounds.left, event.clientY - bounds.top];
    };
    const zoom = (factor, [px, py]) => {
      view.x += (px - width / 2) * view.perPixel * (1 - factor);
      view.y -= (py - HEIGHT / 2) * view.perPixel * (1 - factor);
      view.perPixel *= factor;
      draw();
    };
    root.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(Math.exp(Math.sign(event.deltaY) * 0.2), place(event));
    }, { passive: false });
    root.addEventListener("dblclick", () => { view = initial(); draw(); });
    const pointers = new Map();
    root.addEventListener("pointerdown", (event) => {
      root.setPointerCapture(event.pointerId);
      pointers.set(event.pointerId, place(event));
    });
    for (const name of ["pointerup", "pointercancel"]) {
      root.addEventListener(name, (event) => pointers.delete(event.pointerId));
    }
    root.addEventListener("pointermove", (event) => {
      if (!pointers.has(event.pointerId)) return;
      const before = [...pointers.values()], moved = place(event);
      const [dx, dy] = moved.map((value, axis) => value - pointers.get(event.pointerId)[axis]);
      pointers.set(event.pointerId, moved);
      view.x -= (dx * view.perPixel) / pointers.size;
      view.y += (dy * view.perPixel) / pointers.size;
      if (pointers.size === 2) {
        const [a, b] = [...pointers.values()];
        const distance = ([p, q]) => Math.max(Math.hypot(p[0] - q[0], p[1] - q[1]), 1);
        zoom(distance(before) / distance([a, b]), [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2]);
      } else {
        draw();
      }
    });
  });
}

const duration = Math.max(...data.states.map((run) => run.spans.at(-1)?.[1] ?? 0), 1e-9);
const LEFT = 44, RIGHT = 8;
const cursors = []; // functions that move the cursor of a chart to a time

function drawStates(run) {
  const [box, head] = card(document.getElementById("states"), data.states.length > 1 ? `state, ${run.name}` : "state");
  for (const state of new Set(run.spans.map((span) => span[2]))) {
    const key = html("span", {}, head);
    key.innerHTML = `<span class="dot"></span>`;
    key.firstChild.style.background = `var(--${state})`;
    key.append(state);
  }
  redrawn(box, (width) => {
    box.querySelector("svg")?.remove();
    const root = svg("svg", { height: 14, viewBox: `0 0 ${width} 14`, role: "img", "aria-label": "state over time" }, box);
    const x = (t) => LEFT + (t / duration) * (width - LEFT - RIGHT);
    for (const [from, to, state] of run.spans) {
      const bar = { x: x(from), width: Math.max(x(to) - x(from), 1), y: 0, height: 14, fill: `var(--${state})` };
      svg("rect", bar, root);
    }
  });
}

function stacked(series) {
  const totals = new Array(series[0].y.length).fill(0);
  return series.map((one) => ({ ...one, shown: one.y, y: one.y.map((value, i) => (totals[i] += value ?? 0)) }));
}

function drawChart(chart) {
  const series = chart.stacked ? stacked(chart.series) : chart.series;
  const [box, head] = card(document.getElementById("charts"), chart.unit ? `${chart.title} [${chart.unit}]` : chart.title);
  const readouts = series.map((one) => {
    const key = html("span", {}, head);
    key.innerHTML = `<span class="dot"></span>`;
    key.firstChild.style.background = color(one.run);
    key.append(one.name);
    return html("span", {}, key);
  });
  const HEIGHT = 150, BOTTOM = 18, TOP = 6;
  const high = chart.top ?? Math.max(range(series.map((one) => one.y))[1], 1e-9);
  let move = () => {};
  cursors.push((t) => move(t));
  redrawn(box, (width) => {
    box.querySelector("svg")?.remove();
    const root = svg("svg", { height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": chart.title }, box);
    const x = (t) => LEFT + (t / duration) * (width - LEFT - RIGHT);
    const y = (value) => HEIGHT - BOTTOM - (value / high) * (HEIGHT - BOTTOM - TOP);
    for (const tick of ticks(0, high, 4)) {
      svg("line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }, root);
      label(format(tick), LEFT - 4, y(tick) + 4, "end", root);
    }
    for (const tick of ticks(0, duration, width / 80)) label(format(tick), x(tick), HEIGHT - 4, "middle", root);
    for (const one of [...series].reverse()) {
      const d = path(one.t, one.y, x, y);
      if (chart.stacked && d) {
        const area = `${d}L${x(one.t.at(-1))} ${y(0)}L${x(one.t[0])} ${y(0)}Z`;
        svg("path", { d: area, fill: color(one.run) }, root);
      } else {
        svg("path", { d, class: "curve", stroke: color(one.run) }, root);
      }
    }
    const cursor = svg("line", { class: "cursor", y1: TOP, y2: HEIGHT - BOTTOM, visibility: "hidden" }, root);
    move = (t) => {
      cursor.setAttribute("visibility", t === null ? "hidden" : "visible");
      if (t !== null) { cursor.setAttribute("x1", x(t)); cursor.setAttribute("x2", x(t)); }
      series.forEach((one, index) => {
        const nearest = t === null ? -1 : one.t.findIndex((time) => time >= t);
        readouts[index].textContent = nearest < 0 ? "" : ` ${format((one.shown ?? one.y)[nearest])}`;
      });
    };
    root.addEventListener("pointermove", (event) => {
      const share = (event.clientX - root.getBoundingClientRect().left - LEFT) / (width - LEFT - RIGHT);
      for (const other of cursors) other(Math.min(Math.max(share, 0), 1) * duration);
    });
    root.addEventListener("pointerleave", () => { for (const other of cursors) other(null); });
  });
}

data.plans.forEach(drawPlan);
data.states.forEach(drawStates);
data.charts.forEach(drawChart);
