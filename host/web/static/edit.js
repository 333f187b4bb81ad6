/** Sending edits of a job's data, one after the other. */

import { text, token } from "./texts.js";

let line = Promise.resolve();

/**
 * Send one edit and return the host's answer; edits wait for those before them. The answer of a
 * host that cannot be reached has the shape of a failure, too.
 */
export function send(url, edit) {
  const sent = line.then(() => post(url, edit));
  line = sent;
  return sent;
}

async function post(url, edit) {
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
      body: JSON.stringify(edit),
    });
    return await answer.json();
  } catch {
    return { ok: false, findings: [{ what: text("no_answer"), found: "", fix: "" }] };
  }
}

/** Return what went wrong as one line. */
export function problem(answer) {
  return answer.findings.map((one) => [one.what, one.found, one.fix].filter(Boolean).join(" ")).join(" ");
}

/** Return whether a key pressed now belongs to a field that takes text. */
export function typing() {
  const here = document.activeElement;
  return here instanceof HTMLSelectElement
    || (here instanceof HTMLInputElement && !["checkbox", "button", "submit"].includes(here.type));
}

/** Return "undo" or "redo" when a key event asks for it, else "". */
export function history(event) {
  if (!(event.ctrlKey || event.metaKey) || event.altKey) return "";
  const key = event.key.toLowerCase();
  if (key === "y" || (key === "z" && event.shiftKey)) return "redo";
  return key === "z" ? "undo" : "";
}
