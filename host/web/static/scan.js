/** The machine code from a board's screen: the camera is shown to the host until it reads one. */

import { cut, jpeg, start, stop, trouble } from "./camera.js";
import { text, token } from "./texts.js";

const WEBCAM = [1280, 720];
const WHOLE = [320, 240];  // all that a board's camera would see
const PAUSE = 250;         // milliseconds between two pictures
const at = (id) => document.getElementById(id);
const place = at("scan");
let turn = 0;     // of the camera; another one ends the one before
let on = false;

function say(message, wrong = false) {
  at("scan-said").textContent = message;
  at("scan-said").classList.toggle("text-danger", wrong);
}

/** Return what the host reads in a picture: {ok, machine_code} or {ok: false, error, findings}. */
async function read(picture, name) {
  const body = new FormData();
  body.set("picture", picture, name);
  const headers = { "X-CSRFToken": token() };
  try {
    return await (await fetch(place.dataset.api, { method: "POST", body, headers })).json();
  } catch {
    return { ok: false, error: "", findings: [{ what: text("no_answer"), fix: "" }] };
  }
}

/** Take over the code, or say what is wrong. */
function show(answer) {
  end();
  if (answer.ok) {
    at("machine_code").value = answer.machine_code;
    say(text("scanned"));
    at("machine_code").focus();
  } else {
    say(answer.findings.map((one) => `${one.what} ${one.fix}`).join(" "), true);
    at("scan-start").focus();
  }
}

async function begin() {
  end();
  const mine = ++turn;
  try {
    await start(at("scan-video"), "", WEBCAM, () => show({ findings: [{ what: text("camera_gone"), fix: "" }] }));
  } catch (error) {
    if (mine === turn) show({ findings: [{ what: trouble(error), fix: "" }] });
    return;
  }
  on = true;
  at("scan-view").hidden = false;
  at("scan-stop").focus();
  say(text("scanning"));
  for (let answer = null; mine === turn; await new Promise((done) => setTimeout(done, PAUSE))) {
    cut(at("scan-video"), WHOLE, at("scan-seen"));
    answer = await read(await jpeg(at("scan-seen")), "camera.jpg");
    if (mine === turn && (answer.ok || answer.error !== "machine_code_scan")) show(answer);
  }
}

function end() {
  turn++;
  if (!on) return;
  on = false;
  stop(at("scan-video"));
  at("scan-view").hidden = true;
  say("");
}

if (place) {
  at("scan-start").addEventListener("click", begin);
  at("scan-start").disabled = false;
  at("scan-stop").addEventListener("click", () => { end(); at("scan-start").focus(); });
  at("scan-file").addEventListener("change", async () => {
    const [file] = at("scan-file").files;
    at("scan-file").value = "";
    if (file) show(await read(file, file.name));
  });
  addEventListener("pagehide", end);
}
