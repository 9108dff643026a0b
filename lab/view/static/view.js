// The page: one source of objects, and the parts that show its state.

import { bytes, el, moment, number, say, standing } from "./format.js";
import { Live, Recorded, recording } from "./source.js";
import { Picture } from "./picture.js";
import { Player } from "./player.js";
import { Details } from "./details.js";
import { RunPart, progress } from "./run.js";
import { EVENT_COLUMNS, HOST_COLUMNS, LINK_COLUMNS, OVERLAY_COLUMNS, Rows, SAYS, eventRows, hostRows, linkRows, overlayRows } from "./tables.js";

const settings = JSON.parse(document.getElementById("page").textContent);
const token = new URLSearchParams(location.search).get("token") ?? "";
const at = id => document.getElementById(id);
/** Tables and tiles are written at most so often; the picture at every change. */
const PAUSE = 250, SILENT = 6000;
const shown = { lab: null, choice: null, pair: null, from: null, tab: null, metric: "rate", layout: null, asked: new Map() };
let source = null, player = null;

const address = (path, query = {}) => `${path}?${new URLSearchParams({ ...query, token })}`;

async function post(path, body) {
  try {
    const answer = await fetch(address(path), { method: "POST", headers: { "Content-Type": "application/json", "X-Lab-Token": token }, body: JSON.stringify({ lab: shown.lab, ...body }) });
    const found = await answer.json().catch(() => ({}));
    return answer.ok ? found : { error: found.error ?? `The server refused it (${answer.status}).` };
  } catch {
    return { error: "The server does not answer; the page's command may have ended." };
  }
}

const lab = () => source?.model.labs.get(shown.lab) ?? null;
const run = () => [...(source?.model.runs.values() ?? [])].at(-1) ?? null;

// --- what is chosen

function choose(kind, name) {
  if (kind === "host") {
    const before = shown.choice?.kind === "host" ? shown.choice.name : null;
    shown.pair = before && before !== name ? [before, name] : null;
  } else shown.pair = null;
  shown.choice = kind ? { kind, name } : null;
  shown.asked.clear();
  render();
}

/** Paths between the two hosts: from what the feed says, and else from the server. */
function paths() {
  const [from, to] = shown.pair ?? [], now = lab();
  if (!from || !now) return [];
  const overlays = ["underlay", ...[...now.overlays.keys()].filter(name => name !== "underlay")];
  return overlays.map(name => {
    const kind = name === "underlay" ? "underlay" : "overlay", overlay = name;
    const route = now.overlays.get(name)?.routes?.find(one => one.from === from && one.to === to);
    if (route) return { kind, overlay, hosts: route.path };
    if (settings.mode !== "live") return { kind, overlay, hosts: null, why: "not in the recording" };
    const answer = server(now, name, from, to);
    return { kind, overlay, hosts: answer?.[kind] ?? null, why: answer?.error ?? answer?.why ?? (answer ? "not known" : "asking …") };
  });
}

function server(now, overlay, from, to) {
  if (!shown.asked.has(overlay)) {
    shown.asked.set(overlay, null);
    const query = { lab: now.name, from, to, ...(overlay === "underlay" ? {} : { overlay }) }, asked = shown.asked;
    fetch(address("path", query)).then(answer => answer.json()).catch(() => ({ error: "the server does not answer" })).then(answer => { asked.set(overlay, answer); render(); });
  }
  return shown.asked.get(overlay);
}

// --- parts of the page

const picture = new Picture(at("canvas"), choose, text => say(at("spoken"), text));
const actions = { choose, post, paths, live: settings.mode === "live", control: null };
const details = new Details(at("details"), actions);
const tables = { links: new Rows("Links", LINK_COLUMNS, choose), hosts: new Rows("Hosts", HOST_COLUMNS, choose), overlays: new Rows("Overlays", OVERLAY_COLUMNS, choose), events: new Rows("Events", EVENT_COLUMNS, choose) };
const runPart = new RunPart();
const TABS = [["run", "Run", runPart.part], ["links", "Links", tables.links.part], ["hosts", "Hosts", tables.hosts.part], ["overlays", "Overlays", tables.overlays.part], ["events", "Events", tables.events.part]];
for (const [name, title, part] of TABS) {
  at("tabs").append(el("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": name, click: () => { shown.byHand = true; tab(name); } }, title));
  at("panels").append(el("div", { role: "tabpanel", id: name, "aria-labelledby": `tab-${name}`, tabindex: -1 }, part));
}
at("tabs").addEventListener("keydown", event => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], all = [...at("tabs").children].filter(one => !one.hidden);
  if (!step) return;
  const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
  next.click();
  next.focus();
});

function tab(name) {
  shown.tab = name;
  for (const [one] of TABS) {
    at(`tab-${one}`).setAttribute("aria-selected", String(one === name));
    at(`tab-${one}`).tabIndex = one === name ? 0 : -1;
    at(one).hidden = one !== name;
  }
  render();
}

const TILES = Object.fromEntries(["links", "hosts", "overlays", "machine", "verdict", "run"].map(name => [name, { value: el("b"), note: el("span", { class: "quiet" }), part: el("div", { class: "tile" }) }]));
for (const [name, { part, value, note }] of Object.entries(TILES)) {
  part.append(el("h2", {}, { links: "Links", hosts: "Hosts", overlays: "Overlay", machine: "This machine", verdict: "A sample now", run: "Run" }[name]), value, note);
  at("tiles").append(part);
}

function tile(name, value, note, state = "") {
  const { part, value: big, note: small } = TILES[name];
  part.hidden = value == null;
  part.className = `tile ${state}`;
  say(big, value ?? "");
  say(small, note ?? "");
}

function tiles(model, now) {
  const links = [...(now?.links.values() ?? [])].map(standing), count = state => links.filter(one => one === state).length;
  const wrong = [["does not", "do not", count("no")]].filter(([, , n]) => n).map(([one, many, n]) => `! ${n} ${n === 1 ? one : many}`);
  const others = [count("down") ? `✕ ${count("down")} down` : null, count("unknown") ? `? ${count("unknown")} not known` : null];
  tile("links", links.length ? `${count("yes")} of ${links.length} keep` : null, [...wrong, ...others].filter(Boolean).join(", ") || "✓ to what was asked of them", count("no") || count("down") ? "no" : "");
  const hosts = [...(now?.hosts.values() ?? [])], daemons = hosts.flatMap(host => host.daemons), ended = daemons.filter(one => one.state !== "runs").length;
  tile("hosts", now ? String(hosts.length) : null, daemons.length ? `${ended ? `! ${ended} of ${daemons.length} daemons ended` : `✓ ${daemons.length} ${daemons.length === 1 ? "daemon runs" : "daemons run"}`}` : "no daemons", ended ? "no" : "");
  const overlays = [...(now?.overlays.values() ?? [])].filter(one => one.overlay !== "underlay");
  tile("overlays", overlays.length ? overlays.map(one => one.overlay).join(", ") : null, overlays.map(one => [one.mode, one.encrypted ? "encrypted" : null, one.state].filter(Boolean).join(", ")).join("; "), overlays.some(one => one.state === "broken") ? "no" : "");
  const machine = model.machine, verdict = machine?.verdict_now;
  tile("machine", machine ? `CPU ${number(machine.cpu_percent)} %` : null, machine ? `load ${number(Array.isArray(machine.load) ? machine.load[0] : machine.load)}, ${bytes(machine.memory_free_bytes)} free` : "");
  tile("verdict", verdict ? (verdict.counts ? "✓ would count" : "! would not count") : null, (verdict?.sentences ?? []).join(" "), verdict?.counts === false ? "no" : "");
  const last = run();
  tile("run", last ? `${last.total ? Math.floor((100 * last.done) / last.total) : 0} %` : null, last ? `${last.experiment ?? last.run}: ${last.state}, ${progress(last)}` : "");
}

function header(model, now) {
  const names = [...model.labs.keys()], select = at("lab");
  if (select.options.length !== names.length) {
    select.replaceChildren(...names.map(name => el("option", { value: name }, name)));
    select.value = shown.lab;
    select.disabled = names.length < 2;
  }
  const virtual = now?.clock === "virtual", live = settings.mode === "live", silent = live && performance.now() - source.heard > SILENT;
  const state = !live ? "recording" : !source.open ? "not connected" : silent ? "no news" : "live";
  say(at("state"), { live: "● live", recording: "◆ recording", "not connected": "✕ not connected", "no news": "? no news" }[state]);
  at("state").className = `chip ${state === "live" || state === "recording" ? "yes" : "no"}`;
  say(at("conditions"), [now?.topology.name, now?.shaper ? `shaper ${now.shaper}` : null, now?.clock ? `${now.clock} time` : null, model.now ? `values of ${moment(model.now, virtual)}` : null].filter(Boolean).join(" · "));
  const words = source.ended ? "The server refused the page or has ended. Open the address again that the command printed." : live && !source.open && source.model.now ? "The server does not answer. These are the last values; the page asks again by itself." : now?.state === "gone" ? `The lab ${now.name} is gone. These are its last values.` : "";
  say(at("notice"), words);
  at("notice").hidden = !words;
  document.body.classList.toggle("stale", Boolean(words));
}

/** The map, where places are known and most hosts have one of their own; else the structure. */
function prefer(now) {
  const hosts = now?.topology.hosts ?? [], mapped = Boolean(hosts.length) && hosts.every(host => host.at?.map);
  const apart = new Set(hosts.map(host => host.site)).size >= 0.8 * hosts.length;
  const layout = mapped ? (shown.layout ?? (apart ? "map" : "structure")) : "structure";
  at("by-map").disabled = !mapped;
  for (const name of ["map", "structure"]) at(`by-${name}`).setAttribute("aria-pressed", String(layout === name));
  return layout;
}

let due = null;
function render() {
  due ??= setTimeout(() => { due = null; write(); }, 0);
}

let last = 0, later = null;
function changed() {
  draw();
  const rest = last + PAUSE - performance.now();
  if (rest <= 0) render();
  else later ??= setTimeout(() => { later = null; render(); }, rest);
}

function pick() {
  const { labs } = source.model;
  if (!labs.has(shown.lab)) shown.lab = [...labs.values()].find(one => one.state !== "gone")?.name ?? [...labs.keys()][0] ?? null;
}

function draw() {
  pick();
  const now = lab();
  if (now) picture.show({ lab: now, layout: prefer(now), metric: shown.metric, choice: shown.choice, from: shown.pair?.[0], paths: paths().filter(one => one.hosts) });
}

function write() {
  if (!source) return;
  last = performance.now();
  const { model } = source;
  draw();
  const now = lab(), latest = run();
  at("main").hidden = !now && !latest;
  header(model, now);
  says();
  tiles(model, now);
  details.show(model, now, shown.choice, shown.pair);
  at("tab-run").hidden = !latest;
  const wanted = latest ? "run" : "links";
  if (shown.tab !== wanted && (!shown.byHand || (shown.tab === "run" && !latest))) return void tab(wanted);
  if (shown.tab === "run") runPart.update(latest);
  if (shown.tab === "events") tables.events.update(model.events.length ? eventRows(model.events.filter(one => !one.lab || one.lab === shown.lab), now?.clock === "virtual") : [], "Nothing has happened yet.");
  if (!now) return;
  if (shown.tab === "links") tables.links.update(linkRows(now));
  if (shown.tab === "hosts") tables.hosts.update(hostRows(now));
  if (shown.tab === "overlays") tables.overlays.update(overlayRows(now), "No overlay is up.");
}

// --- what the reader sets

at("lab").addEventListener("change", event => { shown.lab = event.target.value; choose(null, null); });
at("metric").addEventListener("change", event => { shown.metric = event.target.value; changed(); render(); });
for (const name of ["map", "structure"]) at(`by-${name}`).addEventListener("click", () => { shown.layout = name; picture.move(1, [0, 0]); changed(); });
at("zoom-in").addEventListener("click", () => picture.move(picture.zoom * 1.4));
at("zoom-out").addEventListener("click", () => picture.move(picture.zoom / 1.4));
at("zoom-fit").addEventListener("click", () => picture.move(1, [0, 0]));
addEventListener("keydown", event => { if (event.key === "Escape" && !at("shell").open && event.target !== at("canvas")) choose(null, null); });
/** How the picture is read: bars and discs, or widths where there are many hosts. */
function says() {
  const what = SAYS[shown.metric];
  say(at("reading"), picture.crowd ? `The wider a line, the more of it: ${what}.` : `A bar grows from the sender: ${what}. The disc of a host: CPU, of its quota.`);
}

const THEMES = { "": "◐ system", light: "○ light", dark: "● dark" };
function theme(name) {
  document.documentElement.dataset.theme = name;
  say(at("theme"), THEMES[name]);
  at("theme").setAttribute("aria-label", `colours: ${name || "as the system"}; change them`);
  picture.recolour();
  try { localStorage.setItem("lab-theme", name); } catch { /* a file may have no storage */ }
}
at("theme").addEventListener("click", () => { const names = Object.keys(THEMES); theme(names[(names.indexOf(document.documentElement.dataset.theme ?? "") + 1) % names.length]); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => picture.recolour());
let kept = "";
try { kept = localStorage.getItem("lab-theme") ?? ""; } catch { /* as above */ }
theme(kept in THEMES ? kept : "");

async function begin() {
  if (settings.mode === "live") {
    if (settings.control) actions.control = new (await import("./control.js")).Control({ post, address, lab });
    source = new Live(token, changed);
    setInterval(render, 2000);
  } else {
    source = new Recorded(await recording());
    player = new Player(at("player"), source, changed);
    document.body.classList.add("recorded");
  }
  document.title = settings.mode === "live" ? "lab" : "lab: a recording";
  render();
}
begin();
