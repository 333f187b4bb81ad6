/** Home: a zip or a folder, by drop or by choice, sent with progress; findings shown in place. */

import { text, token } from "./texts.js";

const form = document.getElementById("upload");
const drop = document.getElementById("drop");
const sending = document.getElementById("sending");
const bar = document.getElementById("sending-bar");
const status = document.getElementById("sending-text");
const problems = document.getElementById("problems");
let busy = false;

function megabytes(bytes) {
  return (bytes / 1024 / 1024).toFixed(1);
}

/** Show findings as the host's answer has them; their texts are in the page's language. */
function show(findings) {
  const list = document.getElementById("problem-list");
  const shape = document.getElementById("finding-shape").content.firstElementChild;
  const whole = shape.cloneNode(false);
  for (const finding of findings) whole.append(fill(shape.firstElementChild.cloneNode(true), finding));
  list.replaceChildren(whole);
  problems.hidden = false;
  problems.focus();
}

function fill(item, finding) {
  item.dataset.code = finding.code;
  item.className = `finding ${finding.severity}`;
  item.querySelector("use").setAttribute(
    "href", item.querySelector("use").getAttribute("href").replace(/#.*/, `#${finding.severity}`));
  item.querySelector(".what").textContent = finding.what;
  const where = item.querySelector(".where");
  if (finding.path) where.querySelector("code").textContent = finding.path;
  else where.remove();
  const values = [finding.found, finding.needed, finding.fix];
  [...item.querySelectorAll("dd")].forEach((place, i) => {
    place.textContent = values[i];
    if (!values[i]) {
      place.previousElementSibling.remove();
      place.remove();
    }
  });
  return item;
}

function say(message) {
  show([{ code: "", severity: "error", what: message, path: "", found: "", needed: "", fix: "" }]);
}

function finish() {
  busy = false;
  sending.hidden = true;
  form.reset();
}

function answered(request) {
  finish();
  let answer = null;
  try {
    answer = JSON.parse(request.responseText);
  } catch {
    say(text("no_answer"));
    return;
  }
  if (answer.ok) location.assign(form.dataset.page.replace("JOB", answer.id));
  else show(answer.findings);
}

/** Send [file, name] pairs in the field `field`. */
function send(field, entries) {
  const total = entries.reduce((sum, [file]) => sum + file.size, 0);
  const limit = Number(form.dataset.limit);
  if (busy || !entries.length) return;
  if (total > limit) {
    say(text("too_large", { found: megabytes(total), needed: megabytes(limit) }));
    return;
  }
  const data = new FormData();
  for (const [file, name] of entries) data.append(field, file, name);
  busy = true;
  problems.hidden = true;
  sending.hidden = false;
  const request = new XMLHttpRequest();  // fetch does not tell how far an upload is
  request.open("POST", form.dataset.api);
  request.setRequestHeader("X-CSRFToken", token());
  request.upload.addEventListener("progress", (event) => progress(event.loaded, event.total));
  request.upload.addEventListener("load", () => progress(1, 1));
  request.addEventListener("load", () => answered(request));
  request.addEventListener("error", () => { finish(); say(text("no_answer")); });
  progress(0, 1);
  request.send(data);
}

function progress(loaded, total) {
  const percent = Math.floor((100 * loaded) / total);
  bar.value = percent;
  status.textContent = percent < 100 ? text("uploading", { percent }) : text("checking");
}

/** Return all files below a dropped folder with their paths. */
async function walk(entry, before = "") {
  const path = before + entry.name;
  if (entry.isFile) {
    const file = await new Promise((good, bad) => entry.file(good, bad));
    return [[file, path]];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((good, bad) => reader.readEntries(good, bad));
    if (!some.length) return found;
    for (const one of some) found.push(...(await walk(one, `${path}/`)));
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  if (entries.length === 1 && entries[0].isFile) {
    send("file", [[transfer.files[0], transfer.files[0].name]]);
    return;
  }
  const files = [];
  for (const entry of entries) files.push(...(await walk(entry)));
  send("files", files);
}

for (const name of ["file", "files"]) {
  const chooser = document.getElementById(name);
  const chosen = () => {
    send(name, [...chooser.files].map((file) => [file, file.webkitRelativePath || file.name]));
  };
  chooser.addEventListener("change", chosen);
  chosen();  // somebody was quicker than this script
}
for (const name of ["dragover", "dragenter"]) {
  drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
}
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  dropped(event.dataTransfer).catch(() => say(text("no_answer")));
});
