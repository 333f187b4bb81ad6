/** A small line chart in an SVG: two lines over the rounds of a training. */

const SPACE = "http://www.w3.org/2000/svg";
const LEFT = 46, RIGHT = 8, TOP = 10, BOTTOM = 20;

function add(parent, name, attributes, content = "") {
  const element = document.createElementNS(SPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = content;
  parent.append(element);
}

/**
 * Draw `lines` ({className: [numbers or undefined]}) into `svg`.
 * `range` is [lowest, highest] or null for 0 to the largest; `show` formats a value.
 */
export function draw(svg, lines, range, show) {
  const width = svg.clientWidth || 320, height = svg.clientHeight || 180;
  const values = Object.values(lines).flat().filter(Number.isFinite);
  const [low, high] = range ?? [0, Math.max(...values, 1e-6)];
  const rounds = Math.max(2, ...Object.values(lines).map((line) => line.length));
  const x = (i) => LEFT + ((width - LEFT - RIGHT) * i) / (rounds - 1);
  const y = (v) => height - BOTTOM - ((height - TOP - BOTTOM) * (v - low)) / (high - low);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  for (let i = 0; i <= 4; i++) {
    const value = low + ((high - low) * i) / 4;
    add(svg, "line", { class: "grid", x1: LEFT, x2: width - RIGHT, y1: y(value), y2: y(value) });
    add(svg, "text", { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, show(value));
  }
  add(svg, "text", { x: LEFT, y: height - 4 }, "1");
  add(svg, "text", { x: width - RIGHT, y: height - 4, "text-anchor": "end" }, String(rounds));
  for (const [name, line] of Object.entries(lines)) {
    const points = line.map((v, i) => (Number.isFinite(v) ? `${x(i)},${y(v)}` : "")).filter(Boolean);
    add(svg, "polyline", { class: name, points: points.join(" ") });
  }
}
