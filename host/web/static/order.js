/** The form of a training: what its choices would take, before it starts. */

const form = document.getElementById("order");
const box = document.getElementById("expected");
const LEFT_OUT = box ? JSON.parse(box.dataset.leftOut) : [];  // never in an address
const WAIT = 250;
let asked = null;
let timer = 0;

function query() {
  const chosen = new FormData(form);
  for (const name of LEFT_OUT) chosen.delete(name);
  for (const [name, value] of [...chosen]) if (value === "") chosen.delete(name);
  return new URLSearchParams(chosen);
}

function say(answer) {
  for (const row of box.querySelectorAll("[data-preset]")) {
    row.querySelector("td").textContent = answer.presets[row.dataset.preset].text;
  }
  for (const place of box.querySelectorAll("[data-text]")) {
    place.textContent = answer.texts[place.dataset.text];
  }
  box.querySelector("[data-text=fit]").classList.toggle("text-danger", !answer.firmware.fits);
}

function complain(findings) {
  const wrong = document.getElementById("expected-wrong");
  wrong.hidden = !findings.length;
  wrong.textContent = findings
    .map((one) => [one.path, one.what, one.needed && `(${one.needed})`, one.fix].filter(Boolean).join(" "))
    .join(" ");
}

async function ask() {
  asked?.abort();
  asked = new AbortController();
  try {
    const response = await fetch(`${box.dataset.url}?${query()}`, { signal: asked.signal });
    const answer = await response.json();
    for (const one of box.querySelectorAll("table, #expected-board")) one.hidden = !answer.ok;
    if (answer.ok) say(answer);
    complain(answer.findings);
  } catch (error) {
    if (error.name !== "AbortError") box.querySelector("table").hidden = true;
  }
}

function mark() {
  const preset = form.elements.preset.value;
  for (const row of box.querySelectorAll("[data-preset]")) {
    row.classList.toggle("chosen", row.dataset.preset === preset);
  }
  for (const input of form.querySelectorAll("[data-presets]")) {
    input.placeholder = JSON.parse(input.dataset.presets)[preset];
  }
}

if (form && box) {
  form.addEventListener("input", (event) => {
    mark();
    if (LEFT_OUT.includes(event.target.name)) return;
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  });
}
