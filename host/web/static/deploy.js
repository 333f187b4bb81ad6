/** The deploy page: the help shows what has the words that the board says. */

const input = document.getElementById("said");
const entries = [...document.querySelectorAll(".board-errors > div")];

/** Blanks and signs count for little: people type what they can read on a small screen. */
function plain(text) {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, " ").trim();
}

function matches(entry, words) {
  const said = entry.dataset.said.split(" | ").map(plain);
  const all = plain(entry.textContent);
  // What was pasted may be longer than what is listed.
  return all.includes(words) || said.some((one) => one.length > 5 && words.includes(one))
    || words.split(" ").every((word) => all.includes(word));
}

input?.addEventListener("input", () => {
  const words = plain(input.value);
  for (const entry of entries) entry.hidden = words !== "" && !matches(entry, words);
  document.getElementById("said-none").hidden = entries.some((entry) => !entry.hidden);
});
