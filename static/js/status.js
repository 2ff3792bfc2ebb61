// Keeps the status page up to date: it changes only what is different, says so politely, and moves no focus.
const line = document.querySelector("[data-live]");
const said = document.querySelector("[data-live-said]");
const stop = line.querySelector("[data-live-stop]");
const words = line.querySelector("[data-live-words]");
const text = (element) => element.textContent.replace(/\s+/g, " ").trim();

function update(newer) {
  const before = new Set([...document.querySelectorAll(".moment")].map(text));
  const isBusy = document.querySelector("#acciones").contains(document.activeElement);
  for (const part of document.querySelectorAll("[data-live-part]")) {
    const other = newer.getElementById(part.id);
    // What a person is about to press stays where it is.
    if (!other || text(part) === text(other) || (isBusy && part.id === "acciones")) continue;
    part.replaceWith(document.adoptNode(other));
  }
  const changes = [...document.querySelectorAll(".moment")].map(text).filter((moment) => !before.has(moment));
  if (changes.length) said.textContent = `Cambió el estado del registro. ${changes.join(". ")}`;
  if (!newer.querySelector("[data-live]") && !isBusy) line.hidden = true;
  return line.hidden;
}

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(line.dataset.live, { headers: { Accept: "text/html" } });
    if (!answer.ok) return;
    const newer = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (update(newer)) clearInterval(timer);
  } catch {
    // The next look finds the connection again.
  }
}

const timer = setInterval(look, line.dataset.liveSeconds * 1000);
words.hidden = stop.hidden = false;
stop.addEventListener("click", () => {
  clearInterval(timer);
  words.textContent = "La actualización automática está detenida.";
  line.querySelector("a").focus();
  stop.hidden = true;
});
