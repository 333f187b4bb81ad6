/** How far a data set has come from a board; when it is there, or stops, the page comes anew. */

import { text } from "./texts.js";

const place = document.getElementById("transfer");

async function watch() {
  const answer = await fetch(place.dataset.api).then((one) => one.json()).catch(() => null);
  const eta = document.getElementById("eta");
  if (!answer?.ok) {
    eta.textContent = text("no_answer");
  } else if (answer.state !== "running") {
    location.reload();
    return;
  } else {
    const { done, total, rate } = answer;
    document.getElementById("bar").max = total || 1;
    document.getElementById("bar").value = done;
    document.getElementById("percent").textContent = `${Math.floor((100 * done) / (total || 1))} %`;
    const left = Math.round((total - done) / rate);
    const said = rate ? text(left < 90 ? "seconds" : "minutes", { n: left < 90 ? left : Math.round(left / 60) }) : "";
    eta.textContent = rate ? `${(rate / 1000).toFixed(1)} kB/s · ${said}` : "";
  }
  setTimeout(watch, 700);
}

if (place.dataset.state === "running") watch();
