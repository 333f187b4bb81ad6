/** Try a picture, or what the camera sees: sent to the host; the sliders act on the answer at once. */

import { cut, jpeg, offer, start, stop, trouble } from "./camera.js";
import { reported } from "./region.js";
import { text } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
const WEBCAM = [640, 480];
const form = document.getElementById("try");
const drop = document.getElementById("drop");
let asked = 0;

const place = () => document.getElementById("answer");
const value = (name) => Number(document.getElementById(name).value);

function say(message) {
  const line = document.createElement("p");
  line.className = "empty";
  line.textContent = message;
  place().replaceChildren(line);
  delete place().dataset.candidates;
}

/** Send a picture and show the answer, unless a later one was sent meanwhile. */
async function send(file) {
  if (!file) return;
  end();
  const limit = Number(form.dataset.limit);
  if (file.size > limit) {
    say(text("too_large", { found: megabytes(file.size), needed: megabytes(limit) }));
    return;
  }
  say(text("trying"));
  await ask(file, file.name);
}

/** Show the host's answer to a picture; return whether there is one. */
async function ask(picture, name) {
  const mine = ++asked;
  const body = new FormData(form);
  body.set("picture", picture, name);
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const told = page.getElementById("answer") ?? page.querySelector(".findings");
    await decoded(told.querySelector("img"));
    if (mine !== asked) return false;
    if (told.id) place().replaceWith(told);
    else place().replaceChildren(told);
    decide();
    return answer.ok;
  } catch {
    if (mine === asked) say(text("no_answer"));
    return false;
  }
}

/** Wait until a picture can be shown at once; else there is a gap after the one before. */
async function decoded(image) {
  if (!image) return;
  const shown = new Image();
  shown.src = image.src;
  await shown.decode();
}

function megabytes(bytes) {
  return (bytes / 1024 / 1024).toFixed(1);
}

/** Show what the values of the sliders make of the answer. */
function decide() {
  for (const output of form.querySelectorAll("output[for]")) {
    output.textContent = value(output.htmlFor.value).toFixed(2);
  }
  if (place().dataset.candidates) boxes();
  else bars();
}

function bars() {
  const threshold = value("threshold");
  for (const mark of place().querySelectorAll("line.mark")) {
    mark.setAttribute("x1", `${100 * threshold}%`);
    mark.setAttribute("x2", `${100 * threshold}%`);
  }
  const said = document.getElementById("said");
  if (said) said.querySelector(".unsure").hidden = Number(said.dataset.score) >= threshold;
}

function boxes() {
  const { candidates, labels, room } = place().dataset;
  const found = reported(JSON.parse(candidates), value("threshold"), value("nms"));
  const names = JSON.parse(labels);
  document.getElementById("drawn").replaceChildren(...found.map(rectangle));
  document.getElementById("list").replaceChildren(...found.map((one) => item(one, names)));
  document.getElementById("full").hidden = found.length <= Number(room);
  document.getElementById("nothing").hidden = found.length > 0;
}

function rectangle(box) {
  const [left, top, right, bottom] = box.slice(0, 4).map((edge) => Math.min(Math.max(edge, 0), 1));
  const drawn = document.createElementNS(SVG, "rect");
  drawn.setAttribute("class", `tone-${box[4] % 8}`);
  const values = { x: left, y: top, width: right - left, height: bottom - top };
  for (const [name, one] of Object.entries(values)) drawn.setAttribute(name, one);
  return drawn;
}

function item(box, names) {
  const line = document.createElement("li");
  const tone = document.createElement("i");
  tone.className = `tone-${box[4] % 8}`;
  const score = document.createElement("span");
  score.className = "score";
  score.textContent = `${(100 * box[5]).toFixed(1)} %`;
  line.append(tone, ` ${names[box[4]]} `, score);
  return line;
}

const video = document.getElementById("video");
const live = document.getElementById("seen-now");
const which = document.getElementById("which-camera");
const size = JSON.parse(document.getElementById("camera").dataset.window);
let running = 0;  // the number of the camera's turn; 0: it is off

function noCamera(why) {
  const banner = document.getElementById("no-camera");
  banner.hidden = !why;
  banner.textContent = why;
}

/** Start the camera and ask the host, one picture at a time, for as long as it runs. */
async function begin(id = "") {
  end();
  noCamera("");
  try {
    await start(video, id, WEBCAM, () => {
      end();
      noCamera(text("camera_gone"));
    });
  } catch (error) {
    stop(video);
    noCamera(trouble(error));
    return;
  }
  const turn = running = ++asked;
  document.getElementById("camera").hidden = false;
  document.getElementById("stop-camera").focus();
  watch(turn);
  await offer(which, video);
  which.hidden = which.options.length < 2;
  await answers(turn);
}

/** Show the picture as it comes, cut as the board's camera cuts it. */
function watch(turn) {
  if (turn !== running) return;
  cut(video, size, live);
  requestAnimationFrame(() => watch(turn));
}

async function answers(turn) {
  const times = [];
  while (turn === running) {
    if (document.hidden) {
      await new Promise((done) => { document.addEventListener("visibilitychange", done, { once: true }); });
      times.length = 0;
      continue;
    }
    cut(video, size, live);
    if (!(await ask(await jpeg(live), "camera.jpg"))) {
      if (turn === running) end();
      return;
    }
    place().setAttribute("aria-live", "off");  // nobody can listen to that many
    times.push(performance.now());
    if (times.length > 8) times.shift();
    const rate = 1000 * (times.length - 1) / (times.at(-1) - times[0]);
    if (times.length > 1) document.getElementById("rate").textContent = text("rate", { n: rate.toFixed(1) });
  }
}

function end() {
  if (!running) return;
  running = 0;
  asked++;  // an answer that is under way comes too late
  stop(video);
  const focused = document.getElementById("camera").contains(document.activeElement);
  document.getElementById("camera").hidden = true;
  document.getElementById("rate").textContent = "";
  if (focused) opener.focus();
}

const opener = document.getElementById("use-camera");
opener.addEventListener("click", () => begin());
opener.disabled = false;
document.getElementById("stop-camera").addEventListener("click", end);
which.addEventListener("change", () => begin(which.value));
addEventListener("pagehide", end);
const chooser = document.getElementById("picture");
function chosen() {
  send(chooser.files[0]);
  chooser.value = "";  // the same picture may be chosen again
}
chooser.addEventListener("change", chosen);
for (const name of ["dragover", "dragenter"]) {
  drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  send(event.dataTransfer.files[0]);
});
form.addEventListener("input", decide);
decide();
chosen();  // somebody was quicker than this script
