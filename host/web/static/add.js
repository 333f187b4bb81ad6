/** Add files to a job: chosen or dropped onto the page, a few at a time; what is refused is told. */

import { problem } from "./edit.js";
import { text, token } from "./texts.js";

const MANY = 25;
const BYTES = 4 * 1024 * 1024;
const form = document.getElementById("add");
const label = document.getElementById("add-label");
let line = Promise.resolve();
let waiting = 0;  // additions that are not through

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

async function post(some, into) {
  const data = new FormData();
  if (into) data.append("label", into);
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
async function send(files, into) {
  const left = [...files], refused = [];
  let added = 0;
  while (left.length) {
    say(text("adding", { done: added, all: files.length }));
    const some = batch(left);
    const answer = await post(some, into);
    if (answer.ok) {
      added += some.length;
      document.dispatchEvent(new CustomEvent("added", { detail: answer }));
      left.splice(0, some.length);
      continue;
    }
    const why = some.map((_, n) => answer.findings.find((one) => one.path.startsWith(`${n}:`))?.what);
    if (!why.some(Boolean)) return { added, refused, stopped: problem(answer) };
    some.forEach((file, n) => { if (why[n]) refused.push(`${file.name}: ${why[n]}`); });
    left.splice(0, some.length, ...some.filter((_, n) => !why[n]));
  }
  return { added, refused, stopped: "" };
}

/** Add files after those before them. */
function add(files) {
  if (form.querySelector("fieldset").disabled) return;
  if (!files.length) {
    say(text("no_pictures"));
    return;
  }
  const into = label?.value.trim();
  if (into === "") {
    say(text("label_first"));
    label.focus();
    return;
  }
  document.getElementById("add-files").value = "";
  waiting += 1;
  line = line.then(() => all(files, into))
    .catch(() => say(text("no_answer")))
    .finally(() => { waiting -= 1; });
}

async function all(files, into) {
  const { added, refused, stopped } = await send(files, into);
  const told = [text("added", { n: added })];
  if (refused.length) told.push(text("not_added", { names: refused.join(" · ") }));
  if (stopped) told.push(stopped);
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
  add(files.filter((file) => file.type.startsWith("image/")));
}

addEventListener("beforeunload", (event) => { if (waiting) event.preventDefault(); });
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
