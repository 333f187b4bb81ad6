/** The webcam: hold a class to record; every picture is sent, and nothing is lost while it is open. */

import { offer, start, stop, track, trouble } from "./camera.js";
import { history, problem, send as edit, typing } from "./edit.js";
import { knows, text, token } from "./texts.js";

const EVERY = 333;       // milliseconds between two pictures
const SQUARE = 448;      // most pixels of a side of what a classifier learns from
const WHOLE = 640;       // of a detector: of the longer side
const QUALITY = 0.9;
const WEBCAM = [1280, 720];
const TOGETHER = 8;      // pictures of one request, when several wait
const STRIP = 24;
const RETRY = [1000, 2000, 4000, 8000];

const at = (id) => document.getElementById(id);
const taking = at("taking");
const video = at("video");
const detects = taking.dataset.detects === "true";
const editable = taking.dataset.editable === "true";
const least = Number(taking.dataset.least);
const queue = [];        // {blob, label}, the oldest first; the first ones may be on their way
const taken = [];        // numbers of what was saved, the newest last
let holding = null;      // {button, timer} while a class is held
let last = null;         // the button that was held last
let under = 0;           // pictures of the request that is on its way
let saved = 0;           // pictures since the page was opened
let held = false;        // the host refused: nothing is sent until somebody says so

function say(message) {
  at("said").textContent = message;
}

/* The camera */

async function begin(id) {
  release();
  at("trouble").hidden = true;
  enable(false);
  say(text("starting"));
  try {
    await start(video, id, WEBCAM, () => lack(text("camera_gone")));
  } catch (error) {
    lack(trouble(error));
    return;
  }
  at("mirror").checked = track(video).getSettings().facingMode !== "environment";
  mirror();
  at("view").hidden = false;
  at("view").classList.toggle("tall", video.videoHeight > video.videoWidth);
  enable(true);
  say(text(detects ? "ready_detect" : "ready"));
  await offer(at("camera"), video);
  at("camera").disabled = at("camera").options.length < 2;
}

/** Show why there is no camera. */
function lack(why) {
  release();
  stop(video);
  enable(false);
  say("");
  at("view").hidden = true;
  at("trouble-text").textContent = why;
  at("trouble").hidden = false;
}

function mirror() {
  at("view").classList.toggle("mirrored", at("mirror").checked);
}

function enable(on) {
  for (const button of document.querySelectorAll(".take, #shoot")) button.disabled = !(on && editable);
}

/* Taking */

/** Return what the camera sees now as a JPEG: the square in the middle, or all of it. */
function picture() {
  const { videoWidth: width, videoHeight: height } = video;
  const side = Math.min(width, height);
  const [w, h] = detects ? [width, height] : [side, side];
  const scale = Math.min(1, (detects ? WHOLE : SQUARE) / Math.max(w, h));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(w * scale);
  canvas.height = Math.round(h * scale);
  canvas.getContext("2d").drawImage(
    video, (width - w) / 2, (height - h) / 2, w, h, 0, 0, canvas.width, canvas.height);
  return new Promise((good) => { canvas.toBlob(good, "image/jpeg", QUALITY); });
}

async function shoot(label) {
  if (!track(video) || !video.videoWidth) return;
  const blob = await picture();
  if (!blob) return;
  queue.push({ blob, label });
  tell();
  deliver();
}

function hold(button) {
  if (!track(video) || !editable) return;
  release();
  const { label } = button.dataset;
  shoot(label);
  holding = { button, timer: setInterval(shoot, EVERY, label) };
  last = button;
  button.classList.add("on");
  at("recording").textContent = text("recording", { label });
  at("recording").hidden = false;
}

function release() {
  if (!holding) return;
  clearInterval(holding.timer);
  holding.button.classList.remove("on");
  at("recording").hidden = true;
  holding = null;
}

/* Sending: one request at a time, the same again until the host has answered */

async function deliver() {
  if (under || held || !queue.length) return;
  const { label } = queue[0];
  const other = queue.findIndex((one) => one.label !== label);
  const some = queue.slice(0, Math.min(other < 0 ? queue.length : other, TOGETHER));
  under = some.length;
  for (let tries = 0; ; tries += 1) {
    const answer = await post(some, label);
    if (answer) {
      under = 0;
      if (answer.ok) arrived(some, answer);
      else refused(answer);
      break;
    }
    tell(true);
    await new Promise((good) => { setTimeout(good, RETRY[Math.min(tries, RETRY.length - 1)]); });
  }
  deliver();
}

/** Return the host's answer; null when there was none, or it is only busy. */
async function post(some, label) {
  const data = new FormData();
  if (label) data.append("label", label);
  some.forEach((one, n) => data.append("files", one.blob, `camera-${n + 1}.jpg`));
  try {
    const answer = await fetch(taking.dataset.add, {
      method: "POST", headers: { "X-CSRFToken": token() }, body: data,
    });
    if (answer.status >= 500 && answer.status !== 507) return null;
    return await answer.json();
  } catch {
    return null;
  }
}

function arrived(some, answer) {
  queue.splice(0, some.length);
  take(answer);
  saved += answer.added.length;
  tell();
}

function refused(answer) {
  release();
  held = true;
  at("held-text").textContent = `${text("refused", { n: queue.length })} ${problem(answer)}`;
  at("held").hidden = false;
  tell();
}

function tell(lost = false) {
  const n = queue.length;
  if (lost) say(text("lost", { n }));
  else if (n && !held) say(text("waiting", { n }));
  else if (!n) say(text("saved", { n: saved }));
}

/* What was taken */

function take(answer) {
  const before = taken.length;
  for (const number of answer.added) show(number);
  if (detects) total(taken.length - before);
  count(answer);
}

function count(answer) {
  at("trainable").hidden = !answer.trainable;
  if (knows(String(answer.trainable))) at("state").textContent = text(String(answer.trainable));
  if (detects) return;
  for (const button of document.querySelectorAll(".take")) {
    number(button.closest("li"), answer.counts[button.dataset.label] ?? 0);  // gone with its last one
  }
}

function number(item, n) {
  item.querySelector(".so-far").textContent = text("of", { n, least });
  item.querySelector("progress").value = Math.min(n, least);
}

const place = (address, n) => address.replace(/\/0(?=\/|$)/, `/${n}`);

/** Add a picture that the host has to those of the strip, as it keeps it. */
function show(n) {
  if (taken.includes(n)) return;
  taken.push(n);
  const item = document.createElement("li");
  item.dataset.number = n;
  const image = document.createElement("img");
  image.src = place(taking.dataset.picture, n);
  image.alt = "";
  const remove = document.createElement("button");
  remove.type = "button";
  remove.textContent = "×";
  remove.setAttribute("aria-label", text("delete", { n }));
  remove.addEventListener("click", () => forget(n));
  item.append(image, remove);
  if (detects) {
    const link = document.createElement("a");
    link.href = place(taking.dataset.boxes, n);
    link.textContent = text("draw", { n });
    item.append(link);
  }
  at("strip").prepend(item);
  while (at("strip").children.length > STRIP) at("strip").lastChild.remove();
  at("undo").disabled = false;
}

function total(more) {
  const place = at("total");
  place.dataset.count = Number(place.dataset.count) + more;
  place.textContent = place.dataset.count;
}

async function forget(n) {
  const where = taken.indexOf(n);
  if (where < 0) return;  // it is on its way out
  taken.splice(where, 1);
  const answer = await edit(taking.dataset.edit, { edit: "delete", pictures: [n] });
  if (!answer.ok) {
    taken.splice(where, 0, n);
    say(problem(answer));
    return;
  }
  at("strip").querySelector(`[data-number="${n}"]`)?.remove();
  at("undo").disabled = !taken.length;
  if (detects) total(-1);
  count(answer);
  say(text("deleted", { n }));
}

/** Delete the picture that was taken last, also when it is not sent yet. */
function undo() {
  if (queue.length > under) {
    queue.pop();
    tell();
  } else if (taken.length && !queue.length) {
    forget(taken.at(-1));
  }
}

/* Classes */

function addClass(event) {
  event.preventDefault();
  const label = at("class").value.trim();
  if (!label) {
    say(text("class_new"));
    return;
  }
  const known = [...document.querySelectorAll(".take")].find((one) => one.dataset.label === label);
  if (!known) {
    const item = at("class-shape").content.firstElementChild.cloneNode(true);
    const n = document.querySelectorAll(".take").length + 1;
    const button = item.querySelector("button");
    button.dataset.label = label;
    button.disabled = !track(video);
    button.querySelector("span").textContent = label;
    item.querySelector("progress").setAttribute("aria-label", label);
    if (n < 10) {
      button.querySelector("kbd").textContent = n;
      button.setAttribute("aria-keyshortcuts", n);
    }
    at("classes").append(item);
    number(item, 0);
    arm(button);
  }
  at("class").value = "";
  (known ?? at("classes").lastElementChild.querySelector("button")).focus();
}

function arm(button) {
  button.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    button.setPointerCapture(event.pointerId);
    hold(button);
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(name, release);
  button.addEventListener("contextmenu", (event) => event.preventDefault());  // a long touch
  // A click without a pointer, of Enter or of a screen reader, takes one.
  button.addEventListener("click", (event) => { if (!event.detail) shoot(button.dataset.label); });
}

/* Keys */

function down(event) {
  if (history(event) === "undo" && !typing()) {
    event.preventDefault();
    if (!event.repeat) undo();
    return;
  }
  if (typing() || event.ctrlKey || event.metaKey || event.altKey) return;
  const focused = document.activeElement;
  let button = null;
  if (/^[1-9]$/.test(event.key)) button = document.querySelectorAll(".take")[event.key - 1];
  else if (event.key === " " && focused.matches(".take")) button = focused;
  else if (event.key === " " && !focused.matches("button, a, summary, input")) button = last ?? at("shoot");
  if (!button) return;
  event.preventDefault();  // nor scroll, nor click
  if (event.repeat) return;
  if (detects) shoot("");
  else hold(button);
}

addEventListener("keydown", down);
addEventListener("keyup", (event) => {
  if (!/^[1-9 ]$/.test(event.key)) return;
  if (document.activeElement.matches(".take")) event.preventDefault();  // else it is clicked, too
  release();
});
addEventListener("blur", release);
document.addEventListener("visibilitychange", () => { if (document.hidden) release(); });
document.addEventListener("added", ({ detail }) => take(detail));
addEventListener("beforeunload", (event) => { if (queue.length) event.preventDefault(); });

for (const button of document.querySelectorAll(".take")) arm(button);
for (const number of JSON.parse(taking.dataset.last)) show(number);
for (const item of document.querySelectorAll("#classes li")) number(item, Number(item.querySelector(".so-far").dataset.count));
at("new-class")?.addEventListener("submit", addClass);
at("shoot")?.addEventListener("click", () => shoot(""));
at("undo").addEventListener("click", undo);
at("again").addEventListener("click", () => begin(at("camera").value));
at("camera").addEventListener("change", () => begin(at("camera").value));
at("mirror").addEventListener("change", mirror);
at("resend").addEventListener("click", () => {
  held = false;
  at("held").hidden = true;
  deliver();
});
at("drop-held").addEventListener("click", () => {
  const n = queue.splice(0).length;
  held = false;
  at("held").hidden = true;
  say(text("dropped", { n }));
});
if (editable) begin("");
