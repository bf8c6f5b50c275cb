// What pages are more pleasant with: they do all they do without it.
"use strict";

const announce = (words) => {
  const place = document.getElementById("announce");
  if (place) place.textContent = words;
};

// Countdowns, by the server's clock.
const told = new Set();
const main = document.getElementById("main");
const ahead = main && main.dataset.now ? Number(main.dataset.now) - Date.now() : 0;
const words = (secs) => {
  const part = (size, unit) => Math.floor(secs / size) + unit;
  const hours = Math.floor((secs % 86400) / 3600);
  if (secs >= 86400) return part(86400, "d") + (hours ? " " + hours + "h" : "") + " left";
  if (secs >= 3600) return part(3600, "h ") + Math.floor((secs % 3600) / 60) + "min left";
  if (secs >= 60) return part(60, "min ") + (secs % 60) + "s left";
  return secs + "s left";
};
const count = () => {
  for (const left of document.querySelectorAll("time.left[data-until]")) {
    const until = Number(left.dataset.until);
    const secs = Math.ceil((until - Date.now() - ahead) / 1000);
    left.textContent = secs > 0 ? words(secs) : "over";
    left.classList.toggle("soon", secs > 0 && secs <= 300);
    left.classList.toggle("over", secs <= 0);
    const key = left.dataset.what + left.dataset.until;
    if (secs <= 0 && secs > -5 && !told.has(key)) {
      told.add(key);
      announce(left.dataset.what + ": the time is over");
    }
  }
};

// The filter of the picker: what does not fit is out of sight, what is ticked stays.
const filters = () => {
  for (const label of document.querySelectorAll("[data-filter]")) {
    label.hidden = false;
    const box = document.getElementById(label.dataset.filter);
    const field = label.querySelector("input");
    const look = () => {
      const asked = field.value.trim().toLowerCase();
      const fits = (item) => item.dataset.filtered.toLowerCase().includes(asked);
      for (const section of box.querySelectorAll("section[data-filtered]")) {
        let any = false;
        for (const item of section.querySelectorAll("li")) {
          item.hidden = !(fits(item) || item.querySelector("input").checked);
          any = any || !item.hidden;
        }
        section.hidden = !any;
      }
    };
    field.addEventListener("input", look);
    // Enter chooses nothing here, so it sends nothing.
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }
};

// What would become of a request, told while it is written.
const previews = () => {
  for (const form of document.querySelectorAll("form[data-preview]")) {
    let timer = 0;
    let asked = 0;
    const look = async () => {
      const ticket = ++asked;
      const said = new URLSearchParams(new FormData(form));
      if (!said.get("pick") && !said.get("resource")) return;
      said.set("deed", "check");
      const answer = await fetch(form.action, { method: "POST", body: said }).catch(() => null);
      if (!answer || !answer.ok || ticket !== asked) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById(form.dataset.preview);
      const place = document.getElementById(form.dataset.preview);
      if (fresh && place && fresh.textContent !== place.textContent) place.replaceChildren(...fresh.children);
    };
    form.addEventListener("input", (event) => {
      if (event.target.type === "search") return;
      clearTimeout(timer);
      timer = setTimeout(look, 400);
    });
  }
};

// Lists are read again, unless somebody is at work in them.
const REFRESH_MS = 10000;
const refresh = async () => {
  const lists = [...document.querySelectorAll("[data-live]")];
  const isBusy = (list) =>
    list.contains(document.activeElement) || list.querySelector("details[open] form");
  if (document.hidden || lists.length === 0) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (!answer || !answer.ok) return;
  // The session is over: nothing of it stays on the screen.
  if (answer.redirected) return location.assign(answer.url);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const list of lists) {
    const fresh = page.querySelector('[data-live="' + list.dataset.live + '"]');
    if (fresh && !isBusy(list) && fresh.innerHTML !== list.innerHTML) {
      const wasMore = list.dataset.live === "inbox" &&
        fresh.children.length > list.children.length;
      list.replaceChildren(...fresh.childNodes);
      if (wasMore) announce("A new request waits for you");
    }
  }
  count();
};

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  const ask = button && button.dataset.confirm;
  if (ask && !confirm(ask)) event.preventDefault();
});

filters();
previews();
count();
setInterval(count, 1000);
// Only pages that show what others may change are read again; those with an answer to a form are not.
if (document.querySelector("[data-live]") && !document.querySelector("[role=alert]")) {
  setInterval(refresh, REFRESH_MS);
}
