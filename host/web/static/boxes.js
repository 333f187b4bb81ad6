/** The boxes of one picture: drawn, moved, resized, relabelled on a canvas; saved at once. */

import { history, problem, send, typing } from "./edit.js";
import { text } from "./texts.js";

const form = document.getElementById("boxes");
const canvas = document.getElementById("canvas");
const photo = document.getElementById("photo");
const label = document.getElementById("label");
const editable = form.dataset.editable === "true";
const labels = JSON.parse(form.dataset.labels);
const TONES = ["#ffd400", "#00d5ff", "#ff5fa2", "#7dff5a", "#ff9a3d", "#b79bff", "#ffffff", "#ff4d4d"];
const EDGE = 9;  // pixels of the screen around an edge that take hold of it
const LEAST = 2;  // pixels of the picture; the host takes no less
const PAUSE = 350;  // milliseconds without a key until a move by keys is saved

let picture = JSON.parse(form.dataset.picture);
let boxes = picture.boxes;
let chosen = -1;
let drag = null;
let waiting = 0;
let unsaved = false;
let saves = 0;

const scale = () => canvas.clientWidth / picture.width;
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const tone = (name) => Math.max(labels.indexOf(name), 0) % TONES.length;

function say(message) {
  document.getElementById("said").textContent = message;
}

function paint() {
  const sharp = devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * sharp);
  canvas.height = Math.round(canvas.clientHeight * sharp);
  const pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  pen.font = "600 13px system-ui, sans-serif";
  pen.textBaseline = "top";
  boxes.forEach((box, place) => drawBox(pen, box, place === chosen));
}

function drawBox(pen, box, isChosen) {
  const s = scale();
  const [x, y, w, h] = [box.left * s, box.top * s, (box.right - box.left) * s, (box.bottom - box.top) * s];
  pen.strokeStyle = "#10201fcc";
  pen.lineWidth = isChosen ? 6 : 4;
  pen.strokeRect(x, y, w, h);
  pen.strokeStyle = TONES[tone(box.label)];
  pen.lineWidth = isChosen ? 3 : 2;
  pen.strokeRect(x, y, w, h);
  const wide = pen.measureText(box.label).width + 8;
  const top = y >= 18 ? y - 18 : y;
  pen.fillStyle = TONES[tone(box.label)];
  pen.fillRect(x, top, wide, 18);
  pen.fillStyle = "#10201f";
  pen.fillText(box.label, x + 4, top + 3);
  if (!isChosen) return;
  pen.fillStyle = "#ffffff";
  for (const a of [x, x + w]) for (const b of [y, y + h]) pen.fillRect(a - 4, b - 4, 8, 8);
}

function list() {
  const items = boxes.map((box, place) => {
    const item = document.createElement("li");
    const colour = document.createElement("i");
    colour.className = `tone-${tone(box.label)}`;
    item.append(colour, ` ${box.label}`);
    if (place === chosen) item.setAttribute("aria-current", "true");
    return item;
  });
  document.getElementById("list").replaceChildren(...items);
  document.getElementById("negative").hidden = boxes.length > 0;
  document.getElementById("remove").disabled = chosen < 0;
}

function show() {
  paint();
  list();
}

function choose(place) {
  chosen = place;
  const box = boxes[place];
  if (box) {
    label.value = box.label;
    say(text("box", { n: place + 1, label: box.label }));
  }
  show();
}

function buttons(answer) {
  for (const [name, left] of [["undo", answer.undo], ["redo", answer.redo]]) {
    form.querySelector(`[value="${name}"]`).disabled = !left;
  }
}

/** Send all boxes of the picture; on failure show what the host has. */
async function save() {
  clearTimeout(waiting);
  waiting = 0;
  unsaved = true;
  const mine = ++saves;
  say(text("saving"));
  const answer = await send(form.dataset.api, { edit: "boxes", pictures: [picture.number], boxes });
  if (mine !== saves) return;
  unsaved = false;
  if (answer.ok) {
    buttons(answer);
    say(text("saved"));
  } else {
    await reload();
    say(problem(answer));
  }
}

function saveSoon() {
  unsaved = true;
  clearTimeout(waiting);
  waiting = setTimeout(save, PAUSE);
}

async function reload() {
  try {
    const answer = await (await fetch(form.dataset.one)).json();
    if (!answer.ok) {  // the picture itself is gone
      location.assign(document.getElementById("all").href);
      return;
    }
    picture = answer.picture;
    boxes = picture.boxes;
    for (const box of boxes) if (!labels.includes(box.label)) labels.push(box.label);
    buttons(answer);
    choose(Math.min(chosen, boxes.length - 1));
  } catch {
    say(text("no_answer"));
  }
}

async function step(edit) {
  if (waiting) await save();
  const answer = await send(form.dataset.api, { edit });
  if (answer.ok) await reload();
  say(answer.ok ? text(edit === "undo" ? "undone" : "redone") : problem(answer));
}

function named() {
  const name = label.value.trim();
  if (!name) {
    say(text("label_first"));
    label.focus();
    return "";
  }
  if (!labels.includes(name)) labels.push(name);
  return name;
}

function add(box) {
  boxes.push(box);
  choose(boxes.length - 1);
}

/** A new box of a third of the picture in its middle, for those who draw by keys. */
function addMiddle() {
  const name = named();
  if (!name) return;
  const [w, h] = [picture.width, picture.height].map((side) => Math.round(side / 3));
  add({ label: name, left: w, top: h, right: 2 * w, bottom: 2 * h });
  canvas.focus({ preventScroll: true });
  save();
}

function remove() {
  if (chosen < 0) return;
  boxes.splice(chosen, 1);
  choose(Math.min(chosen, boxes.length - 1));
  canvas.focus({ preventScroll: true });
  save();
}

function relabel(name) {
  if (!name) return;
  label.value = name;
  named();
  if (chosen < 0 || boxes[chosen].label === name) return;
  boxes[chosen].label = name;
  choose(chosen);
  save();
}

function round(box) {
  for (const edge of ["left", "top", "right", "bottom"]) box[edge] = Math.round(box[edge] * 10) / 10;
}

/** Move the chosen box, or its right and lower edge, by whole pixels of the picture. */
function nudge(key, far, resizes) {
  const box = boxes[chosen];
  const by = far ? 10 : 1;
  const dx = { ArrowLeft: -by, ArrowRight: by }[key] ?? 0;
  const dy = { ArrowUp: -by, ArrowDown: by }[key] ?? 0;
  if (resizes) {
    box.right = clamp(box.right + dx, box.left + LEAST, picture.width);
    box.bottom = clamp(box.bottom + dy, box.top + LEAST, picture.height);
  } else {
    shift(box, box, dx, dy);
  }
  round(box);
  paint();
  saveSoon();
}

/** Give `box` the place of `from` moved by dx, dy, kept inside the picture. */
function shift(box, from, dx, dy) {
  const x = clamp(dx, -from.left, picture.width - from.right);
  const y = clamp(dy, -from.top, picture.height - from.bottom);
  Object.assign(box, {
    left: from.left + x, right: from.right + x, top: from.top + y, bottom: from.bottom + y,
  });
}

function point(event) {
  const frame = canvas.getBoundingClientRect();
  return {
    x: clamp((event.clientX - frame.left) / scale(), 0, picture.width),
    y: clamp((event.clientY - frame.top) / scale(), 0, picture.height),
  };
}

/** Return which box is at a point and which of its edges ({} means its inside), or null. */
function at({ x, y }) {
  const near = EDGE / scale();
  const order = boxes.map((_, place) => place).sort((a, b) => (b === chosen) - (a === chosen) || area(a) - area(b));
  for (const place of order) {
    const box = boxes[place];
    if (x < box.left - near || x > box.right + near || y < box.top - near || y > box.bottom + near) continue;
    const edges = {};
    if (Math.abs(x - box.left) <= near) edges.left = true;
    else if (Math.abs(x - box.right) <= near) edges.right = true;
    if (Math.abs(y - box.top) <= near) edges.top = true;
    else if (Math.abs(y - box.bottom) <= near) edges.bottom = true;
    return { place, edges };
  }
  return null;
}

function area(place) {
  const box = boxes[place];
  return (box.right - box.left) * (box.bottom - box.top);
}

function down(event) {
  if (event.button || !editable) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  const start = point(event);
  const found = event.altKey ? null : at(start);
  if (found) {
    choose(found.place);
    drag = { start, edges: found.edges, from: { ...boxes[found.place] }, moved: false };
  } else {
    const name = named();
    if (!name) return;
    choose(-1);
    drag = { start, name, moved: false };
  }
  canvas.setPointerCapture(event.pointerId);
}

function moved(event) {
  if (!drag) {
    cursor(point(event));
    return;
  }
  const now = point(event);
  const [dx, dy] = [now.x - drag.start.x, now.y - drag.start.y];
  if (!drag.moved && Math.hypot(dx, dy) * scale() < 4) return;  // a click, not a drag
  drag.moved = true;
  if (drag.name) {
    boxes.push({ label: drag.name, left: 0, top: 0, right: 0, bottom: 0 });
    chosen = boxes.length - 1;
    drag.edges = { drawn: true };
    drag.name = "";
  }
  const box = boxes[chosen];
  if (drag.edges.drawn) stretch(box, drag.start, now);
  else if (Object.keys(drag.edges).length) resize(box, drag, dx, dy);
  else shift(box, drag.from, dx, dy);
  paint();
}

function stretch(box, a, b) {
  box.left = Math.min(a.x, b.x);
  box.right = Math.max(a.x, b.x);
  box.top = Math.min(a.y, b.y);
  box.bottom = Math.max(a.y, b.y);
}

function resize(box, { edges, from }, dx, dy) {
  if (edges.left) box.left = clamp(from.left + dx, 0, from.right - LEAST);
  if (edges.right) box.right = clamp(from.right + dx, from.left + LEAST, picture.width);
  if (edges.top) box.top = clamp(from.top + dy, 0, from.bottom - LEAST);
  if (edges.bottom) box.bottom = clamp(from.bottom + dy, from.top + LEAST, picture.height);
}

function up() {
  const ended = drag;
  drag = null;
  if (!ended?.moved) return;
  const box = boxes[chosen];
  if (box.right - box.left < LEAST || box.bottom - box.top < LEAST) {  // drawn too small
    boxes.splice(chosen, 1);
    choose(-1);
    return;
  }
  round(box);
  choose(chosen);
  save();
}

function cursor(place) {
  const found = at(place);
  const edges = found?.edges ?? {};
  const [across, along] = [edges.left || edges.right, edges.top || edges.bottom];
  const falls = Boolean(edges.left) === Boolean(edges.top);
  canvas.className = !found ? "draws" : across && along ? (falls ? "falls" : "rises")
    : across ? "across" : along ? "along" : "moves";
}

function key(event) {
  if (typing()) {
    if (event.key === "Enter" && document.activeElement === label) {
      event.preventDefault();
      relabel(label.value.trim());
      canvas.focus({ preventScroll: true });
    }
    return;
  }
  const back = history(event);
  if (back && editable) step(back);
  else if (!act(event)) return;
  event.preventDefault();
}

/** Do what a key means; false: nothing of ours. */
function act(event) {
  const resizes = event.ctrlKey || event.metaKey;
  if (event.key.startsWith("Arrow")) {
    if (chosen < 0 || !editable || document.activeElement !== canvas) return false;
    nudge(event.key, event.shiftKey, resizes);
    return true;
  }
  if (resizes || event.altKey) return false;
  const name = event.key.toLowerCase();
  if (name === "a" || name === "d") {
    document.getElementById(name === "a" ? "before" : "next")?.click();
    return true;
  }
  if (event.key === " " && document.activeElement === canvas && boxes.length) {
    choose((chosen + 1) % boxes.length);
    return true;
  }
  if (event.key === "Escape") {
    choose(-1);
    return true;
  }
  if (!editable) return false;
  if (name === "n") addMiddle();
  else if (name === "l") label.select();
  else if (event.key === "Delete" || event.key === "Backspace") remove();
  else if (/^[1-9]$/.test(name) && labels[name - 1]) relabel(labels[name - 1]);
  else return false;
  return true;
}

/** Show the picture as large as the window lets it be, small ones magnified. */
function fit() {
  const board = photo.parentElement;
  const room = board.parentElement.clientWidth;
  const width = Math.min(room, 0.72 * innerHeight * (picture.width / picture.height), 1280);
  board.classList.add("fitted");
  photo.style.width = `${Math.round(width)}px`;
}

function start() {
  document.querySelector(".drawing-board .drawn")?.remove();
  canvas.hidden = false;
  for (const [name, does] of [["pointerdown", down], ["pointermove", moved], ["pointerup", up], ["pointercancel", up]]) {
    canvas.addEventListener(name, does);
  }
  fit();
  addEventListener("resize", fit);
  new ResizeObserver(paint).observe(canvas);
  document.addEventListener("keydown", key);
  document.getElementById("new").addEventListener("click", addMiddle);
  document.getElementById("remove").addEventListener("click", remove);
  label.addEventListener("change", () => relabel(label.value.trim()));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter) step(event.submitter.value);
  });
  // Leaving by a link waits for what is not saved yet.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a");
    if (!link || !waiting) return;
    event.preventDefault();
    await save();
    location.assign(link.href);
  });
  addEventListener("beforeunload", (event) => { if (unsaved) event.preventDefault(); });
  show();
  canvas.focus({ preventScroll: true });
}

if (canvas && photo) start();
