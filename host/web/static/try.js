/** Try a picture: sent when it is dropped or chosen; the sliders act on the answer at once. */

import { reported } from "./region.js";
import { text } from "./texts.js";

const SVG = "http://www.w3.org/2000/svg";
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
  const limit = Number(form.dataset.limit);
  if (file.size > limit) {
    say(text("too_large", { found: megabytes(file.size), needed: megabytes(limit) }));
    return;
  }
  const mine = ++asked;
  const body = new FormData(form);
  body.set("picture", file, file.name);
  say(text("trying"));
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (mine !== asked) return;
    const told = page.getElementById("answer") ?? page.querySelector(".findings");
    if (told.id) place().replaceWith(told);
    else place().replaceChildren(told);
    decide();
  } catch {
    if (mine === asked) say(text("no_answer"));
  }
}

function megabytes(bytes) {
  return (bytes / 1024 / 1024).toFixed(1);
}

/** Show what the values of the sliders make of the answer. */
function decide() {
  for (const output of form.querySelectorAll("output")) {
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

document.getElementById("picture").addEventListener("change", (event) => {
  send(event.target.files[0]);
  event.target.value = "";  // the same picture may be chosen again
});
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
