// The same values as tables: for screen readers, for the keyboard, and for whoever looks for one name.

import { MEANING, METRICS, SIGNS, bytes, el, moment, number, over, say, standing } from "./format.js";

const MOST = 200;

/** A table whose rows are found again by their keys, so that only what changed is written. */
export class Rows {
  constructor(title, columns, chosen) {
    this.chosen = chosen;
    this.rows = new Map();
    this.body = el("tbody");
    this.words = el("input", { type: "search", placeholder: "words", input: () => this.update(this.items) });
    this.said = el("output", { class: "quiet" });
    this.none = el("p", { class: "quiet" });
    const head = el("tr", {}, columns.map(name => el("th", { scope: "col" }, name)));
    this.table = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": title }, el("table", {}, el("caption", { class: "hidden" }, title), el("thead", {}, head), this.body));
    this.part = el("div", {}, el("p", { class: "filter" }, el("label", {}, `${title} with `, this.words), " ", this.said), this.table, this.none);
  }

  /** Items have a `key`, `cells` (text, or `{text, state}`), and may have something to choose: `open`. */
  update(items, none = "There are none.") {
    this.items = items;
    const words = this.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const text = item => item.cells.map(cell => cell.text ?? cell).join(" ").toLowerCase();
    const all = words.length ? items.filter(item => words.every(word => text(item).includes(word))) : items;
    const shown = all.slice(0, MOST);
    say(this.said, items.length > 8 ? `${all.length > MOST ? `the first ${MOST} of ` : ""}${all.length} of ${items.length}` : "");
    this.words.parentElement.hidden = items.length <= 8 && !words.length;
    say(this.none, items.length ? "" : none);
    this.table.hidden = !items.length;
    const keys = new Set(shown.map(item => item.key));
    for (const [key, row] of this.rows) if (!keys.has(key)) { row.remove(); this.rows.delete(key); }
    shown.forEach((item, n) => {
      const row = this.row(item);
      if (this.body.rows[n] !== row) this.body.insertBefore(row, this.body.rows[n] ?? null);
    });
  }

  row(item) {
    let row = this.rows.get(item.key);
    if (!row) {
      row = el("tr", {}, item.cells.map((_, n) => (n ? el("td") : el("th", { scope: "row" }))));
      if (item.open) row.cells[0].append(el("button", { type: "button", class: "link", click: () => this.chosen(...item.open) }));
      this.rows.set(item.key, row);
    }
    item.cells.forEach((cell, n) => {
      const place = n === 0 && item.open ? row.cells[0].firstChild : row.cells[n];
      say(place, cell.text ?? cell);
      row.cells[n].className = cell.state ?? "";
    });
    return row;
  }
}

const ORDER = { no: 0, down: 1, unknown: 2, yes: 3 };

export const LINK_COLUMNS = ["direction", "keeps?", "rate / asked (Mbit/s)", "round trip / asked (ms)", "loss / asked (%)", "queue (packets)", "drops", "lateness (ms)", "why"];

/** A row per direction; links that do not keep to what was asked come first. */
export function linkRows(lab) {
  const links = [...lab.links.values()].map(link => [standing(link), link]).sort(([a], [b]) => ORDER[a] - ORDER[b]);
  return links.flatMap(([state, link]) => {
    const { asked = {}, asked_back = asked } = link;
    return [link.a, link.b].map((from, n) => {
      const to = n ? link.a : link.b, one = link.directions.find(other => other.from === from) ?? {};
      const pair = n ? [asked_back, asked] : [asked, asked_back];
      const cells = ["rate", "rtt", "loss"].map(metric => over(metric, one, ...pair));
      return { key: `${link.id}\n${n}`, open: ["link", link.id], cells: [`${from} → ${to}`, { text: `${SIGNS[state]} ${MEANING[state]}`, state }, ...cells, over("queue", one, ...pair).replace(" / no limit", ""), number(one.drops), number(one.lateness_ms), { text: link.why ?? "", state: "wrap" }] };
    });
  });
}

export const HOST_COLUMNS = ["host", "CPU / quota (%)", "memory / limit", "daemons", "site"];

export function daemonText(daemon) {
  return `${daemon.state === "runs" ? "✓" : "!"} ${daemon.name} ${daemon.state}`;
}

export function hostRows(lab) {
  return [...lab.hosts.values()].map(host => {
    const ended = host.daemons.filter(one => one.state !== "runs"), text = host.daemons.map(daemonText).join(", ");
    const cpu = `${number(host.cpu_percent)} / ${host.cpu_quota_percent == null ? "no quota" : number(host.cpu_quota_percent)}`;
    const memory = `${bytes(host.memory_bytes)} / ${host.memory_limit_bytes == null ? "no limit" : bytes(host.memory_limit_bytes)}`;
    return { key: host.name, open: ["host", host.name], cells: [host.name, cpu, memory, { text: text || "–", state: ended.length ? "no wrap" : "wrap" }, host.site ?? ""] };
  });
}

export const OVERLAY_COLUMNS = ["overlay", "state", "mode", "encrypted", "endpoints", "routes", "hops"];

export function overlayRows(lab) {
  return [...lab.overlays.values()].map(one => {
    const hops = (one.routes ?? []).map(route => route.hops).filter(hop => hop != null);
    const most = Math.max(...hops), least = Math.min(...hops);
    return { key: one.overlay, cells: [one.overlay, one.state === "broken" ? { text: "! broken", state: "no" } : `✓ ${one.state ?? ""}`, one.mode ?? "–", one.encrypted == null ? "–" : one.encrypted ? "yes" : "no", { text: one.endpoints.map(end => `${end.name} ${end.address} on ${end.host}`).join(", ") || "–", state: "wrap" }, one.routes ? String(one.routes.length) : "–", hops.length ? (least === most ? `${most}` : `${least} to ${most}`) : "–"] };
  });
}

export const EVENT_COLUMNS = ["time", "level", "event"];

export function eventRows(events, virtual) {
  const signs = { info: "· info", warning: "! warning", error: "✕ error" };
  return events.map((event, n) => ({ key: `${event.t}\n${events.length - n}\n${event.text}`, cells: [moment(event.t, virtual), { text: signs[event.level] ?? event.level, state: event.level === "info" ? "" : "no" }, { text: event.text, state: "wrap" }] }));
}

export const SAYS = Object.fromEntries(Object.entries(METRICS).map(([name, one]) => [name, `${one.says} (${one.unit})`]));
