/** A job's page: live progress, log, learning curves, and a question before deleting. */

import { draw } from "./chart.js";
import { follow } from "./stream.js";
import { knows, text } from "./texts.js";

const live = document.getElementById("live");
const curves = document.getElementById("curves");
let rounds = [];
let lastSaid = "";
let step = "";

function percent(value) {
  return `${Math.round(100 * value)} %`;
}

function ago(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 90) return text("seconds", { n: Math.max(1, Math.round(seconds)) });
  return text("minutes", { n: Math.round(seconds / 60) });
}

function markSteps(step) {
  let past = true;
  for (const item of document.querySelectorAll("#steps li")) {
    const here = item.dataset.step === step;
    if (here) past = false;
    item.className = here ? "now" : past ? "past" : "";
    if (here) item.setAttribute("aria-current", "step");
    else item.removeAttribute("aria-current");
  }
}

function sentence(event) {
  const values = event.values ?? {};
  const parts = [document.querySelector(`#steps [data-step="${event.step}"]`)?.textContent.trim()];
  if (knows(event.message)) parts.push(text(event.message, values));
  if ("loss" in values) parts.push(text("epoch", { n: values.epoch }));
  for (const key of ["loss", "valid_loss"]) {
    if (key in values) parts.push(`${text(key)} ${values[key].toFixed(3)}`);
  }
  for (const key of ["accuracy", "valid_accuracy", "valid_map50"]) {
    if (key in values) parts.push(`${text(key)} ${(100 * values[key]).toFixed(1)} %`);
  }
  return parts.filter(Boolean).join(" · ");
}

/** Add a line; rounds without a loss (features of a batch) say no more than the last line. */
function log(event) {
  const said = sentence(event);
  if (said === lastSaid) return;
  lastSaid = said;
  const list = document.getElementById("log");
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
  const line = document.createElement("li");
  const time = document.createElement("time");
  time.textContent = new Date(1000 * event.time).toLocaleTimeString(document.documentElement.lang);
  line.append(time, said);
  list.append(line);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function collect(event) {
  if (event.message === "started") rounds = [];
  const values = event.values ?? {};
  if (!("loss" in values)) return;
  // A round that was cut off is done again.
  rounds = rounds.filter((one) => one.stage !== event.message || one.epoch !== values.epoch);
  rounds.push({ ...values, stage: event.message });
}

function drawCurves() {
  if (!rounds.length) return;
  curves.hidden = false;
  const line = (...keys) => rounds.map((values) => values[keys.find((key) => key in values)]);
  draw(document.getElementById("chart-accuracy"),
    { train: line("accuracy"), valid: line("valid_accuracy", "valid_map50") }, [0, 1], percent);
  draw(document.getElementById("chart-loss"),
    { train: line("loss"), valid: line("valid_loss") }, null, (value) => value.toFixed(2));
}

function progress(event) {
  log(event);
  collect(event);
  drawCurves();
  if (event.step && event.step !== step) {
    step = event.step;
    markSteps(step);
    document.getElementById("eta").textContent = "";
  }
  if (Number.isFinite(event.fraction)) {
    document.getElementById("bar").value = event.fraction;
    document.getElementById("percent").textContent = percent(event.fraction);
  }
  if ("eta_seconds" in event) document.getElementById("eta").textContent = ago(event.eta_seconds ?? NaN);
}

function state(now) {
  if (now.state === "queued") {
    const key = now.position ? "position" : "next";
    const min = Math.max(1, Math.round(now.starts_in / 60));
    const known = now.position && Number.isFinite(now.starts_in);
    const said = known ? text("starts_in", { n: now.position, min }) : text(key, { n: now.position });
    document.getElementById("eta").textContent = said;
  }
  if (now.state !== live.dataset.state && ["running", "paused"].includes(now.state)) location.reload();
}

function lost(isLost) {
  const banner = document.getElementById("connection");
  banner.hidden = !isLost;
  banner.textContent = text("connection");
}

if (live) {
  follow(live.dataset.events, { progress, state, lost, end: () => location.reload() });
} else if (curves) {
  follow(curves.dataset.events, { progress: collect, end: drawCurves });
}
if (curves) addEventListener("resize", drawCurves);
document.getElementById("cancel")?.addEventListener("submit", (event) => {
  const button = event.target.querySelector("button");
  button.textContent = text("cancelling");
  setTimeout(() => { button.disabled = true; });
});
document.getElementById("delete")?.addEventListener("submit", (event) => {
  if (!confirm(text("sure_delete"))) event.preventDefault();
});

/** While a mail of an ended job is under way, show where it stands. */
async function followMail() {
  const mail = document.getElementById("mail");
  if (mail?.dataset.ended !== "true" || !["waiting", "sending"].includes(mail.dataset.state)) return;
  await new Promise((done) => { setTimeout(done, 3000); });
  const page = await fetch(location.pathname).then((one) => one.text()).catch(() => "");
  const now = new DOMParser().parseFromString(page, "text/html").getElementById("mail");
  if (now && now.textContent !== mail.textContent) mail.replaceWith(now);
  else if (now) mail.dataset.state = now.dataset.state;
  followMail();
}
followMail();
