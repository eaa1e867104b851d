"use strict";

/* Asks for /status.json about once a second and writes what has changed into
 * the page.  Rows and buttons are kept, never rebuilt, so that whoever is at
 * one with the keyboard stays there.  Texts go in as text: what a service has
 * written can be no markup.
 *
 * Asking again and again is chosen over a stream of events: it survives a
 * restart of the supervisor, a laptop's sleep and a tunnel without a rule of
 * its own for each, and holds no connection of the server's open. */

const EVERY_MS = 1000;
const LIMIT_MS = 5000;
const TRAIL = 60; // polls that a service's trail shows

const at = (id) => document.getElementById(id);
const rows = new Map(); // by name
const lastState = new Map();
let token = takeToken();
let lastGood = null;
let timer = 0;
let isAsking = false;

/* --- words --------------------------------------------------------------- */

function span(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];

  for (let i = 0; i < 3; i++) {
    const [name, length] = units[i];
    if (seconds >= length) {
      const rest = Math.floor((seconds % length) / units[i + 1][1]);
      return `${Math.floor(seconds / length)} ${name} ${rest} ${units[i + 1][0]}`;
    }
  }
  return `${Math.floor(seconds)} s`;
}

const clock = (stamp) =>
  new Date(stamp).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false});

const number = (value) => value.toLocaleString("en").replaceAll(",", " ");

function bytes(count) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;

  while (count >= 1000 && unit < units.length - 1) {
    count /= 1000;
    unit++;
  }
  return `${unit && count < 10 ? count.toFixed(1) : Math.round(count)} ${units[unit]}`;
}

function write(element, text) {
  if (element.textContent !== text)
    element.textContent = text;
}

function mark(element, name, value) {
  if (element.getAttribute(name) !== value)
    element.setAttribute(name, value);
}

function make(tag, className, text) {
  const element = document.createElement(tag);

  if (className)
    element.className = className;
  if (text !== undefined)
    element.textContent = text;
  return element;
}

/* --- what a state means -------------------------------------------------- */

function tone(service) {
  switch (service.state) {
  case "RUNNING":
    return service.healthy ? "good" : "bad";
  case "FAILED":
  case "TIMEOUT":
    return "bad";
  case "BACKOFF":
    return "warn";
  case "STARTING":
  case "STOPPING":
    return "busy";
  default:
    return service.wanted ? "warn" : "idle";
  }
}

function healthWord(service) {
  const health = service.health;

  if (service.state !== "RUNNING")
    return ["–", "idle"];
  if (!service.healthy)
    return ["unhealthy", "bad"];
  if (!health)
    return ["alive", "good"];
  if (health.fails_in_a_row > 0)
    return [`${health.fails_in_a_row} of ${health.fall} failures`, "warn"];
  return ["healthy", "good"];
}

function healthDetail(health) {
  if (!health || !health.at)
    return "";
  if (health.error)
    return health.error;
  return `${health.status} · ${health.latency_ms.toFixed(health.latency_ms < 10 ? 1 : 0)} ms`;
}

/* --- services ------------------------------------------------------------ */

function makeRow(name) {
  const row = make("tr");
  const cell = (tag, className) => {
    const element = make(tag, className);
    element.setAttribute("role", tag === "th" ? "rowheader" : "cell");
    row.append(element);
    return element;
  };
  const parts = {row, trail: []};
  const title = cell("th");

  row.setAttribute("role", "row");
  row.dataset.name = name;
  title.scope = "row";
  title.append(make("span", "name", name), parts.about = make("span", "about"));
  parts.about.append(parts.pid = make("span"), parts.address = make("span"));
  const state = cell("td", "state");
  state.append(parts.badge = make("span", "badge"), parts.when = make("small"));
  parts.health = cell("td", "health");
  parts.health.append(parts.word = make("span", "word"), parts.detail = make("span", "detail"),
                      parts.path = make("span", "trail"));
  parts.path.setAttribute("aria-hidden", "true");
  parts.uptime = cell("td", "number");
  parts.uptime.dataset.label = "up";
  parts.restarts = cell("td", "number");
  parts.restarts.dataset.label = "restarts";
  const error = cell("td", "error");
  error.append(parts.error = make("span", "text"), parts.errorAt = make("time"));
  const orders = cell("td", "orders");
  orders.append(parts.main = make("button"), parts.again = make("button", "", "Restart"));
  parts.main.type = parts.again.type = "button";
  parts.again.dataset.verb = "restart";
  parts.again.setAttribute("aria-label", `Restart ${name}`);
  parts.main.addEventListener("click", () => press(name, parts.main));
  parts.again.addEventListener("click", () => press(name, parts.again));
  return parts;
}

const colours = {good: "--good", bad: "--bad", warn: "--warn", busy: "--busy", idle: "--idle-wash"};

/* The last minute at a glance: one stretch of colour for each stretch of time
 * in one state. */
function drawTrail(parts, now) {
  const trail = parts.trail;
  const stops = [];

  trail.push(now);
  if (trail.length > TRAIL)
    trail.shift();
  let from = TRAIL - trail.length;
  stops.push(`transparent 0 ${100 * from / TRAIL}%`);
  for (let i = 0; i < trail.length;) {
    let end = i;
    while (end < trail.length && trail[end] === trail[i])
      end++;
    const to = from + end - i;
    stops.push(`var(${colours[trail[i]]}) ${100 * from / TRAIL}% ${100 * to / TRAIL}%`);
    from = to;
    i = end;
  }
  parts.path.style.backgroundImage = `linear-gradient(to right, ${stops.join(", ")})`;
}

function whenText(service) {
  if (service.next_start_s !== null)
    return service.next_start_s >= 1 ? `starts in ${span(service.next_start_s)}` : "starts now";
  if (service.waits_for)
    return `waits for ${service.waits_for}`;
  return !service.wanted && service.state === "STOPPED" ? "until started" : "";
}

function showOrders(parts, service) {
  const verb = service.wanted && service.state !== "FAILED" ? "stop" : "start";

  if (parts.main.dataset.verb !== verb) {
    parts.main.dataset.verb = verb;
    parts.main.textContent = verb === "stop" ? "Stop" : "Start";
    parts.main.setAttribute("aria-label", `${parts.main.textContent} ${service.name}`);
  }
  mark(parts.again, "aria-disabled", String(!service.wanted));
}

function showService(parts, service) {
  const [word, wordTone] = healthWord(service);
  const now = tone(service);

  mark(parts.row, "data-tone", now);
  write(parts.pid, service.pid ? `pid ${service.pid}` : "");
  write(parts.address, service.health ? service.health.address : "");
  write(parts.badge, service.state);
  mark(parts.badge, "data-tone", now);
  write(parts.when, whenText(service));
  write(parts.word, word);
  mark(parts.health, "data-tone", wordTone);
  write(parts.detail, service.state === "RUNNING" ? healthDetail(service.health) : "");
  drawTrail(parts, now);
  write(parts.uptime, service.uptime_s > 0 ? span(service.uptime_s) : "–");
  write(parts.restarts, number(service.restarts));
  parts.restarts.title = service.max_restarts
    ? `${service.restarts_in_window} of ${service.max_restarts} in the window` : "";
  write(parts.error, service.last_error || "");
  if (service.last_error)
    parts.error.tabIndex = 0;
  else
    parts.error.removeAttribute("tabindex");
  write(parts.errorAt, service.last_error_at ? clock(service.last_error_at) : "");
  showOrders(parts, service);
}

function showServices(services) {
  const seen = new Set();
  const body = at("rows");

  services.forEach((service, index) => {
    let parts = rows.get(service.name);
    if (!parts)
      rows.set(service.name, parts = makeRow(service.name));
    seen.add(service.name);
    if (body.children[index] !== parts.row)
      body.insertBefore(parts.row, body.children[index] || null);
    showService(parts, service);
  });
  for (const [name, parts] of rows) {
    if (!seen.has(name)) {
      parts.row.remove();
      rows.delete(name);
      lastState.delete(name);
    }
  }
  applyFilter();
}

function applyFilter() {
  const wanted = at("filter").value.trim().toLowerCase();
  const problemsOnly = at("problems").getAttribute("aria-pressed") === "true";
  let shown = 0;

  for (const [name, parts] of rows) {
    const text = `${name} ${parts.badge.textContent} ${parts.word.textContent}`.toLowerCase();
    parts.row.hidden = !text.includes(wanted) ||
      (problemsOnly && ["good", "idle"].includes(parts.row.dataset.tone));
    shown += !parts.row.hidden;
  }
  write(at("none"), problemsOnly && !wanted ? "No service has a problem." : "No service matches.");
  at("none").hidden = shown > 0 || rows.size === 0;
}

/* Says aloud what has changed, and nothing else. */
function announce(services) {
  const said = [];

  for (const service of services) {
    const state = service.state === "RUNNING" ? healthWord(service)[0] : service.state.toLowerCase();
    const before = lastState.get(service.name);
    if (before !== undefined && before !== state)
      said.push(`${service.name}: ${state}`);
    lastState.set(service.name, state);
  }
  if (said.length)
    at("said").textContent = said.slice(0, 5).join("; ");
}

/* --- summary ------------------------------------------------------------- */

function verdict(status) {
  const wanted = status.services.filter((service) => service.wanted);
  const sick = wanted.filter((service) => !service.healthy);
  const starting = sick.filter((service) => service.state === "STARTING");

  if (status.ending)
    return ["busy", "Stopping"];
  if (status.count === 0)
    return ["idle", "No services"];
  if (wanted.length === 0)
    return ["idle", "Everything is stopped"];
  if (sick.length === 0)
    return ["good", wanted.length === 1 ? "The service is healthy" : `All ${wanted.length} services are healthy`];
  if (starting.length === sick.length)
    return ["busy", sick.length === 1 ? `${sick[0].name} is starting` : `${sick.length} services are starting`];
  if (sick.length === 1)
    return ["bad", `${sick[0].name} is not healthy`];
  return ["bad", `${sick.length} of ${wanted.length} services are not healthy`];
}

function showRatio(element, part, whole) {
  write(element, "");
  element.append(String(part), make("small", "", ` of ${whole}`));
}

function showSummary(status) {
  const [kind, headline] = verdict(status);
  const restarts = status.services.reduce((sum, service) => sum + service.restarts, 0);

  mark(at("verdict"), "data-tone", kind);
  write(at("headline"), headline);
  write(at("subline"), `watching for ${span(status.uptime_s)}`);
  showRatio(at("tile-running"), status.running, status.count);
  showRatio(at("tile-healthy"), status.healthy, status.count);
  write(at("tile-restarts"), number(restarts));
  write(at("tile-open"), number(status.pool.open));
  write(at("version"), `weir ${status.version}`);
  document.title = `${kind === "bad" ? "✕ " : ""}${headline} · weir watch`;
}

/* --- pool and events ----------------------------------------------------- */

function showGauge(pool) {
  const gauge = at("gauge");
  const kinds = ["leased", "dialing", "idle"];

  if (!gauge.children.length)
    gauge.append(...kinds.map((kind) => make("span", kind)));
  kinds.forEach((kind, index) => {
    gauge.children[index].style.flexGrow = pool[kind];
    gauge.children[index].toggleAttribute("data-none", pool[kind] === 0);
    write(at(`pool-${kind}`), number(pool[kind]));
  });
  write(at("pool-waiting"), number(pool.waiting));
  mark(gauge, "aria-label",
       `${pool.open} connections: ${pool.leased} lent, ${pool.dialing} being dialled, ${pool.idle} idle`);
}

function showPool(pool) {
  const figures = at("figures");
  const closed = Object.values(pool.closed).reduce((sum, count) => sum + count, 0);
  const shown = [
    ["requests", pool.requests, false],
    ["failures", pool.failures, pool.failures > 0],
    ["dialled", pool.dialed, false],
    ["dials that failed", pool.dial_failures, pool.dial_failures > 0],
    ["reused", pool.reused, false],
    ["retries", pool.retries + pool.stale_retries, false],
    ["had to wait", pool.queued, false],
    ["closed", closed, false],
    ["sent", bytes(pool.bytes_sent), false],
    ["received", bytes(pool.bytes_received), false],
  ];

  showGauge(pool);
  write(at("pool-line"), pool.leases ? `${Math.round(100 * pool.reused / pool.leases)} % of leases reused a connection` : "");
  if (!figures.children.length) {
    figures.append(...shown.map(([name]) => {
      const pair = make("div");
      pair.append(make("dt", "", name), make("dd"));
      return pair;
    }));
  }
  shown.forEach(([, value, isAlarm], index) => {
    const pair = figures.children[index];
    write(pair.lastChild, typeof value === "number" ? number(value) : value);
    pair.classList.toggle("alarm", isAlarm);
  });
}

let lastEvents = "";

function showEvents(events) {
  const list = at("events");
  const key = events.length ? JSON.stringify(events[0]) + events.length : "";

  if (key === lastEvents)
    return;
  lastEvents = key;
  list.replaceChildren(...events.map((event) => {
    const item = make("li", event.failure ? "failure" : "");
    const time = make("time", "", clock(event.time));
    const what = make("span", "what");
    time.dateTime = time.title = event.time;
    what.append(make("b", "", event.event.replaceAll("_", " ")), make("span", "", event.detail || ""));
    item.append(time, make("span", "who", event.service || "weir watch"), what);
    return item;
  }));
}

function showOutlets(outlets) {
  const said = [];

  if (outlets.webhook) {
    said.push(`webhook: ${number(outlets.webhook.delivered)} delivered`);
    if (outlets.webhook.queued)
      said.push(`${number(outlets.webhook.queued)} waiting`);
    if (outlets.webhook.dropped)
      said.push(`${number(outlets.webhook.dropped)} dropped`);
    if (outlets.webhook.refused)
      said.push(`${number(outlets.webhook.refused)} refused`);
  }
  if (outlets.file_lost)
    said.push(`file: ${number(outlets.file_lost)} lost`);
  if (outlets.history_lost)
    said.push(`history: ${number(outlets.history_lost)} lost`);
  write(at("outlets-line"), said.join(", "));
}

function show(status) {
  document.body.classList.toggle("no-control", !status.control);
  at("board").hidden = false;
  at("token-form").hidden = true;
  showSummary(status);
  showServices(status.services);
  announce(status.services);
  showPool(status.pool);
  showEvents(status.events);
  showOutlets(status.outlets);
}

/* --- asking -------------------------------------------------------------- */

/* From "#token=…", which no server sees, or what this tab has kept. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");

  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token");
}

function ask(path, options = {}) {
  const headers = {"X-Weir-Watch": "1"};

  if (token)
    headers.Authorization = `Bearer ${token}`;
  return fetch(path, {...options, headers, cache: "no-store", signal: AbortSignal.timeout(LIMIT_MS)});
}

function link(state, text) {
  mark(at("link"), "data-state", state);
  write(at("link-text"), text);
}

function showLoss(why) {
  link("lost", "no connection");
  write(at("lost"), lastGood
    ? `weir watch has not answered since ${clock(lastGood)}: ${why}. What is shown is from then.`
    : `weir watch does not answer: ${why}.`);
  at("lost").hidden = false;
}

function askForToken() {
  const form = at("token-form");

  write(at("token-error"), token ? "That is not the token." : "");
  token = null;
  sessionStorage.removeItem("token");
  link("waiting", "waits for a token");
  at("board").hidden = true;
  if (form.hidden) {
    form.hidden = false;
    at("token").focus();
  }
}

async function poll() {
  if (isAsking)
    return;
  isAsking = true;
  clearTimeout(timer);
  let again = EVERY_MS;
  try {
    const answer = await ask("/status.json");
    if (answer.status === 401) {
      askForToken();
      again = 0;
    } else if (!answer.ok) {
      const told = await answer.json().catch(() => ({}));
      showLoss(told.error || `it answers ${answer.status}`);
    } else {
      const status = await answer.json();
      show(status);
      lastGood = status.now;
      at("lost").hidden = true;
      link("live", `live · ${clock(status.now)}`);
    }
  } catch (error) {
    showLoss(error.name === "TimeoutError" ? "it takes too long" : "it cannot be reached");
  }
  isAsking = false;
  if (again && !document.hidden)
    timer = setTimeout(poll, again);
}

/* --- orders -------------------------------------------------------------- */

let toastTimer = 0;

function toast(text) {
  const box = at("toast");

  clearTimeout(toastTimer);
  box.hidden = false;
  write(box, text);
  toastTimer = setTimeout(() => { box.hidden = true; }, 5000);
}

function isSure(name) {
  const dialog = at("confirm");

  at("confirm-title").textContent = `Stop ${name}?`;
  at("confirm-text").textContent = "It stays stopped until somebody starts it again.";
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), {once: true});
  });
}

async function press(name, button) {
  const verb = button.dataset.verb;

  if (button.getAttribute("aria-disabled") === "true")
    return;
  if (verb === "stop" && !await isSure(name))
    return;
  try {
    const answer = await ask(`/services/${encodeURIComponent(name)}/${verb}`, {method: "POST"});
    const told = await answer.json().catch(() => ({}));
    toast(answer.ok ? `${name}: ${verb} is under way` : `${name}: ${told.error || answer.status}`);
  } catch (error) {
    toast(`${name}: ${verb} did not reach weir watch`);
  }
  poll();
}

/* --- wiring -------------------------------------------------------------- */

at("filter").addEventListener("input", applyFilter);
at("problems").addEventListener("click", () => {
  const isOn = at("problems").getAttribute("aria-pressed") === "true";

  mark(at("problems"), "aria-pressed", String(!isOn));
  applyFilter();
});
at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  sessionStorage.setItem("token", token);
  at("token").value = "";
  poll();
});
document.addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLInputElement;

  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    at("filter").focus();
  } else if (event.key === "Escape" && event.target === at("filter")) {
    at("filter").value = "";
    applyFilter();
    at("filter").blur();
  }
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden)
    poll();
});
poll();
