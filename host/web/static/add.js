/** Add files to a job: chosen or dropped onto the page, a few at a time; what is refused is told. */

import { problem } from "./edit.js";
import { text, token } from "./texts.js";

const MANY = 25;
const BYTES = 4 * 1024 * 1024;
const form = document.getElementById("add");
const label = document.getElementById("add-label");
let busy = false;

function say(message) {
  document.getElementById("add-said").textContent = message;
}

/** Return the next files that go together. */
function batch(files) {
  const some = [];
  let bytes = 0;
  for (const file of files) {
    if (some.length && (some.length >= MANY || bytes + file.size > BYTES)) break;
    some.push(file);
    bytes += file.size;
  }
  return some;
}

async function post(some) {
  const data = new FormData();
  if (label) data.append("label", label.value.trim());
  // Under numbers, so that two files of one name are told apart in the answer.
  some.forEach((file, n) => data.append("files", file, `${n}:${file.name}`));
  try {
    const answer = await fetch(form.dataset.api, {
      method: "POST", headers: { "X-CSRFToken": token() }, body: data,
    });
    return await answer.json();
  } catch {
    return { ok: false, findings: [{ what: text("no_answer"), path: "", found: "", fix: "" }] };
  }
}

/** Send files, and again those beside one that is refused; return what was added and refused. */
async function send(files) {
  const waiting = [...files], refused = [];
  let added = 0;
  while (waiting.length) {
    say(text("adding", { done: added, all: files.length }));
    const some = batch(waiting);
    const answer = await post(some);
    if (answer.ok) {
      added += some.length;
      document.dispatchEvent(new CustomEvent("added", { detail: answer }));
      waiting.splice(0, some.length);
      continue;
    }
    const bad = new Map(answer.findings.map((one) => [parseInt(one.path, 10), one]));
    const wrong = some.filter((_, n) => bad.has(n));
    if (!wrong.length) return { added, refused, stopped: problem(answer) };
    wrong.forEach((file) => refused.push(`${file.name}: ${bad.get(some.indexOf(file)).what}`));
    waiting.splice(0, some.length, ...some.filter((file) => !wrong.includes(file)));
  }
  return { added, refused, stopped: "" };
}

async function add(files) {
  if (busy || form.querySelector("fieldset").disabled) return;
  if (!files.length) {
    say(text("no_pictures"));
    return;
  }
  if (label && !label.value.trim()) {
    say(text("label_first"));
    label.focus();
    return;
  }
  busy = true;
  const { added, refused, stopped } = await send(files);
  busy = false;
  const told = [text("added", { n: added })];
  if (refused.length) told.push(text("not_added", { names: refused.join(" · ") }));
  if (stopped) told.push(stopped);
  document.getElementById("add-files").value = "";
  say(told.join(" "));
  if (added) document.dispatchEvent(new Event("added-all"));
}

/** Return the files of a drop, those in dropped folders too. */
async function walk(entry) {
  if (entry.isFile) return [await new Promise((good, bad) => { entry.file(good, bad); })];
  const reader = entry.createReader(), found = [];
  for (;;) {
    const some = await new Promise((good, bad) => { reader.readEntries(good, bad); });
    if (!some.length) return found;
    for (const one of some) found.push(...(await walk(one)));
  }
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry()).filter(Boolean);
  const files = entries.length ? [] : [...transfer.files];
  for (const entry of entries) files.push(...(await walk(entry)));
  await add(files.filter((file) => file.type.startsWith("image/")));
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  add([...document.getElementById("add-files").files]);
});
for (const name of ["dragover", "dragenter"]) {
  addEventListener(name, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    form.classList.add("over");
  });
}
addEventListener("dragleave", (event) => { if (!event.relatedTarget) form.classList.remove("over"); });
addEventListener("drop", (event) => {
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  form.classList.remove("over");
  form.scrollIntoView({ block: "nearest" });
  dropped(event.dataTransfer).catch(() => say(text("no_answer")));
});
