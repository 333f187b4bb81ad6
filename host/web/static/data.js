/** The pictures of a job: choose by mouse or keys, move, delete, undo; saved at once. */

import { history, problem, send, typing } from "./edit.js";
import { text } from "./texts.js";

const STEP = 200;
const COUNT_MAX = 2000;
const PATCH_MAX = 500;  // of more changed pictures the whole grid comes anew
let last = null;  // the card from which Shift chooses on

const shelf = () => document.getElementById("shelf");
const cards = () => [...document.querySelectorAll("#grid .picture")];
const box = (card) => card.querySelector(".pick");
const chosen = () => cards().filter((card) => box(card).checked);
const numbers = (some) => some.map((card) => Number(card.dataset.number));

function say(message) {
  const place = document.getElementById("chosen");
  if (place) place.textContent = message;
}

function count() {
  const n = chosen().length;
  say(n ? text("chosen", { n }) : "");
}

function choose(card, on) {
  box(card).checked = on;
  card.classList.toggle("on", on);
}

/** Choose, or not, all cards from the last one to `card`. */
function chooseTo(card, on) {
  const all = cards();
  const [from, to] = [all.indexOf(last), all.indexOf(card)].sort((a, b) => a - b);
  for (const one of all.slice(Math.max(from, 0), to + 1)) choose(one, on);
}

/** Only one card is in the tab order; arrow keys go to the others. */
function enter(card, focus = true) {
  for (const one of document.querySelectorAll("#grid .pick:not([tabindex='-1'])")) one.tabIndex = -1;
  if (!card) return;
  box(card).tabIndex = 0;
  if (focus) {
    box(card).focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  }
}

function neighbour(card, key) {
  const all = cards();
  const here = all.indexOf(card);
  const columns = Math.max(1, all.findIndex((one) => one.offsetTop > all[0].offsetTop));
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
  if (key === "Home") return all[0];
  if (key === "End") return all.at(-1);
  return all[here + steps[key]];
}

/** Take over the changed cards and what is around the grid; false: the whole grid is needed. */
async function patch(changed, focused) {
  if (changed.length > PATCH_MAX || location.search.includes("mark=")) return false;
  const url = new URL(location.href);
  url.searchParams.set("only", changed.join(","));
  const page = await load(url);
  const old = new Map(cards().map((card) => [card.dataset.number, card]));
  const fresh = new Map([...page.querySelectorAll("#grid .picture")].map((card) => [card.dataset.number, card]));
  if (!document.getElementById("grid") || [...fresh.keys()].some((number) => !old.has(number))) return false;
  for (const number of changed.map(String)) {
    if (fresh.has(number)) old.get(number).replaceWith(fresh.get(number));
    else old.get(number)?.remove();
  }
  for (const part of ["#verdict", ".tabs", ".tools"]) {
    document.querySelector(part).replaceWith(page.querySelector(part));
  }
  settle(focused);
  return true;
}

/** After a change nothing is chosen, and the keys go on where they were. */
function settle(focused) {
  last = null;
  const all = cards();
  for (const card of all) if (box(card).checked) choose(card, false);
  enter(all.find((card) => card.dataset.number === focused) ?? all[0], Boolean(focused));
}

/** Take what the host shows now; cards that did not change stay, so that nothing flickers. */
async function refresh(focused) {
  const url = new URL(location.href);
  url.searchParams.set("count", Math.min(COUNT_MAX, Math.max(STEP, cards().length)));
  const page = await load(url);
  const old = new Map(cards().map((card) => [card.dataset.number, card]));
  for (const card of page.querySelectorAll("#grid .picture")) {
    const known = old.get(card.dataset.number);
    if (known?.dataset.state === card.dataset.state && !document.querySelector(".drawn")) {
      choose(known, false);
      known.hidden = false;
      card.replaceWith(known);
    }
  }
  shelf().replaceWith(page.getElementById("shelf"));
  settle(focused);
  watch();
}

async function load(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(answer.statusText);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

/** Send an edit, hide what it takes away, then show what the host has. */
async function act(edit, gone, message) {
  const all = cards();
  const here = all.findIndex((card) => card.contains(document.activeElement));
  const after = all.slice(Math.max(here, 0)).find((card) => !gone.includes(card)) ?? all.at(-1);
  for (const card of gone) card.hidden = true;
  say(text("saving"));
  const answer = await send(shelf().dataset.api, edit);
  const focused = here < 0 ? "" : after?.dataset.number;
  try {
    if (!answer.ok || !(await patch(answer.changed, focused))) await refresh(focused);
    say(answer.ok ? message : problem(answer));
  } catch {
    for (const card of gone) card.hidden = false;
    say(answer.ok ? message : problem(answer));
  }
}

function editable() {
  return shelf().dataset.editable === "true";
}

function move(label) {
  const some = chosen();
  if (!label) {
    say(text("label_first"));
  } else if (!some.length) {
    say(text("none_chosen"));
  } else {
    const stays = !document.querySelector('#pictures [name="label"]').value;
    const values = { n: some.length, label };
    act({ edit: "move", pictures: numbers(some), label }, stays ? [] : some, text("moved", values));
  }
}

function remove() {
  const some = chosen();
  if (!some.length) say(text("none_chosen"));
  else act({ edit: "delete", pictures: numbers(some) }, some, text("deleted", { n: some.length }));
}

function step(edit) {
  act({ edit }, [], text(edit === "undo" ? "undone" : "redone"));
}

function pressed(event) {
  if (event.target.id !== "pictures") return;
  const button = event.submitter;
  if (button?.value === "clear") return;  // the host knows which; the page comes anew
  event.preventDefault();
  if (button?.hasAttribute("data-to")) move(button.value);
  else if (button?.value === "delete") remove();
  else if (button?.value === "undo" || button?.value === "redo") step(button.value);
  else move(document.getElementById("to").value.trim());
}

function clicked(event) {
  const card = event.target.closest?.("#grid .picture");
  if (!card || event.target.closest("a")) return;
  const native = event.target === box(card);
  if (!native) event.preventDefault();
  const on = native ? box(card).checked : !box(card).checked;
  if (event.shiftKey && last) chooseTo(card, on);
  else choose(card, on);
  last = card;
  enter(card);
  count();
}

function key(event) {
  const back = history(event);
  if (back && !typing() && editable()) {
    event.preventDefault();
    step(back);
    return;
  }
  const card = document.activeElement.closest?.("#grid .picture");
  if (!card || typing() || event.altKey) return;
  if (onCard(card, event)) event.preventDefault();
}

/** Do what a key means on a card; false: nothing of ours. */
function onCard(card, event) {
  const other = /^(Arrow|Home|End)/.test(event.key) ? neighbour(card, event.key) : null;
  if (other) {
    if (event.shiftKey) {
      last ??= card;
      choose(card, true);
      choose(other, true);
      count();
    }
    enter(other);
    return true;
  }
  if (event.ctrlKey || event.metaKey) {
    if (event.key.toLowerCase() !== "a") return false;
    for (const one of cards()) choose(one, true);
    count();
    return true;
  }
  if (event.key === "Enter") {
    card.querySelector("a")?.click();
    return true;
  }
  if (!editable()) return false;
  if (event.key === "Delete" || event.key === "Backspace") remove();
  else if (event.key === "m" && document.getElementById("to")) document.getElementById("to").focus();
  else if (/^[1-9]$/.test(event.key)) document.querySelectorAll("[data-to]")[event.key - 1]?.click();
  else return false;
  return true;
}

let watcher = null;

/** Fetch the next pictures when the end of the grid comes near. */
function watch() {
  watcher?.disconnect();
  const more = document.getElementById("more");
  if (!more) return;
  watcher = new IntersectionObserver(async (seen) => {
    if (!seen.some((one) => one.isIntersecting)) return;
    watcher.disconnect();
    try {
      const page = await load(more.href);
      document.getElementById("grid").append(...page.querySelectorAll("#grid .picture"));
      for (const one of document.querySelectorAll("#grid .pick:not(:focus)")) one.tabIndex = -1;
      more.closest(".more").replaceWith(page.querySelector(".more"));
      watch();
    } catch {
      say(text("no_answer"));  // the link is still there
    }
  }, { rootMargin: "1200px" });
  watcher.observe(more);
}

document.addEventListener("submit", pressed);
document.addEventListener("click", clicked);
document.addEventListener("keydown", key);
document.addEventListener("added-all", () => refresh("").catch(() => location.reload()));
enter(cards()[0], false);
if (chosen().length) {  // before this script was there, or kept by the browser when it loaded again
  for (const card of chosen()) choose(card, true);
  count();
}
watch();
