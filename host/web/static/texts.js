/** The page's words in its language, and how to fill them. */

const block = document.getElementById("texts");
const words = block ? JSON.parse(block.textContent) : {};

/** Return the text `key` with {name} replaced by values.name. */
export function text(key, values = {}) {
  return (words[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** Return whether the page has words for `key`. */
export function knows(key) {
  return key in words;
}

/** Return the token that every changing request carries. */
export function token() {
  return document.querySelector('meta[name="csrf-token"]').content;
}
