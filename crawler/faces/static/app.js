// What is live: snapshots arrive as server-sent events, buttons tell what came of them in place.
"use strict";

const number = new Intl.NumberFormat("en");
const small = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let at = 0;
  while (bytes >= 999.95 && at < units.length - 1) { bytes /= 1000; at += 1; }
  return `${bytes.toFixed(at ? 1 : 0)} ${units[at]}`;
}

function span(seconds) {
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

function put(name, text) {
  for (const place of document.querySelectorAll(`[data-stat="${name}"]`)) {
    if (place.textContent !== text) place.textContent = text;
  }
}

function curve(rates) {
  const line = document.querySelector("#rate polyline");
  if (!line || !rates.length) return;
  const most = Math.max(...rates, 1);
  const step = 600 / Math.max(rates.length - 1, 1);
  line.setAttribute("points", rates.map((rate, at) => `${(at * step).toFixed(1)},${(76 - 72 * rate / most).toFixed(1)}`).join(" "));
  put("most", small.format(most));
}

function resting(hosts) {
  const list = document.querySelector("#resting");
  if (!list) return;
  if (!hosts.length) {
    const none = document.createElement("li");
    none.className = "soft";
    none.textContent = "None.";
    list.replaceChildren(none);
    return;
  }
  list.replaceChildren(...hosts.map(([host, seconds, why]) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = `/hosts/${encodeURIComponent(host)}`;
    link.textContent = host;
    item.append(link, ` ${span(seconds)}: ${why}`);
    return item;
  }));
}

function show(told) {
  const stats = told.stats;
  for (const name of ["pages", "queued", "in_flight", "errors", "hosts_due"]) put(name, number.format(stats[name]));
  for (const name of ["pages_per_s", "pages_per_s_average"]) put(name, small.format(stats[name]));
  put("bytes", size(stats.bytes));
  put("database", size(stats.database_bytes + stats.log_bytes));
  put("free", size(stats.disk_free_bytes));
  put("next_due", stats.in_flight || stats.hosts_due || stats.next_due_s === null ? "" : `Nothing may be asked for ${span(stats.next_due_s)}.`);
  curve(told.rates);
  resting(stats.resting);
  phase(stats.phase);
  refresh();
}

// What the file holds changes, too: a table is put in anew unless somebody is at work in it.
const REFRESH_MS = 5000;
let asked = Date.now();
async function refresh() {
  const place = document.querySelector("#fresh");
  if (!place || document.hidden || Date.now() - asked < REFRESH_MS) return;
  asked = Date.now();
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector("#fresh");
    const busy = place.contains(document.activeElement) || place.querySelector("details[open]") || !getSelection().isCollapsed;
    if (found && !busy) place.replaceWith(found);
  } catch { /* the stream says that it is not connected */ }
}

function phase(text) {
  const place = document.querySelector("#state");
  if (place && place.textContent !== text) place.textContent = text;
}

function watch() {
  const source = new EventSource("/events");
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.addEventListener("over", (event) => {
    phase(JSON.parse(event.data).ended ? "ended: crawler dashboard shows what the file holds" : "not running");
    source.close();
  });
  source.onerror = () => phase("not connected");
}

function commands() {
  for (const form of document.querySelectorAll("form.commands")) {
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const place = form.querySelector("#said");
      const asked = new URLSearchParams(new FormData(form, event.submitter));
      try {
        const answer = await fetch("/command", { method: "POST", body: asked, headers: { Accept: "text/plain" } });
        place.textContent = await answer.text();
      } catch { place.textContent = "the dashboard does not answer any more"; }
    });
  }
}

// What is being counted is there a moment later.
if (document.querySelector(".counting")) setTimeout(() => location.reload(), 1500);

watch();
commands();
