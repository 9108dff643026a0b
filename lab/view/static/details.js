// What is chosen: a link with both directions, a host with its daemons, or the path between two hosts.

import { MEANING, METRICS, SIGNS, bytes, el, moment, number, over, part, say, standing } from "./format.js";
import { daemonText } from "./tables.js";

const EVERY = ["rate", "rtt", "loss", "queue"];

/** A part of the page that is made anew when something else is chosen, and else only written to. */
export class Details {
  constructor(place, actions) {
    Object.assign(this, { place, actions, key: null, writers: [] });
  }

  /** `choice` is `{kind, name}` or null; `pair` is `[from, to]` or null. */
  show(model, lab, choice, pair) {
    const there = choice && lab && (choice.kind === "link" ? lab.links.has(choice.name) : lab.hosts.has(choice.name));
    const known = pair && lab ? `${pair.join("\n")}\n${lab.overlays.size}` : "";
    const key = `${lab?.name}\n${lab?.changed}\n${there ? `${choice.kind} ${choice.name}` : ""}\n${known}`;
    if (key !== this.key) {
      this.key = key;
      this.writers = [];
      const parts = [pair && lab ? this.path(lab, pair) : null, there ? this[choice.kind](lab, choice.name) : null].filter(Boolean);
      this.place.replaceChildren(...(parts.length ? parts : [this.nothing(lab)]));
    }
    for (const write of this.writers) write(model, lab);
  }

  nothing(lab) {
    const words = lab ? "Choose a link or a host, here, in the picture or in a table. Two hosts, one after the other, show the path between them." : "No lab has sent anything yet.";
    const list = el("ul", { class: "plainly looks" }), events = el("ul", { class: "plainly" });
    this.writers.push((model, now) => {
      const found = now ? faults(now) : [];
      fill(list, found.length ? found.slice(0, 8) : [{ text: "✓ Every link keeps to what was asked, and every daemon runs." }], this.actions.choose);
      fill(events, model.events.slice(0, 5).map(event => ({ text: `${moment(event.t, now?.clock === "virtual")} ${event.text}`, state: event.level === "info" ? "" : "no" })), this.actions.choose);
    });
    return el("div", { class: "card" }, el("h2", {}, "Details"), el("p", { class: "quiet" }, words), ...(lab ? [el("h3", {}, "Needs a look"), list, el("h3", {}, "Last events"), events] : []));
  }

  card(title, kind) {
    const close = el("button", { type: "button", class: "plain close", "aria-label": `close ${title}`, click: () => this.actions.choose(null, null) }, "✕");
    return el("section", { class: "card", "aria-label": title }, el("div", { class: "bar" }, el("h2", {}, el("small", { class: "quiet" }, kind), ` ${title}`), close));
  }

  link(_, id) {
    const card = this.card(id, "link"), verdict = el("p", { class: "standing" }), body = el("div");
    const lines = [0, 1].map(n => this.direction(id, n));
    card.append(verdict, ...lines, body);
    this.writers.push((model, lab) => {
      const link = lab.links.get(id), state = standing(link);
      verdict.className = `standing ${state}`;
      say(verdict, `${SIGNS[state]} ${state === "yes" || state === "no" ? MEANING[state].replace("it", "what was asked") : MEANING[state]}${link.why ? `: ${link.why}` : ""}`);
    });
    if (this.actions.control) body.append(this.actions.control.link(this, id));
    return card;
  }

  /** One direction: a bar for each value over what was asked, and the rate of the last moments. */
  direction(id, n) {
    const title = el("h3"), values = {}, graph = el("canvas", { class: "graph", width: 320, height: 44, role: "img" });
    const rest = el("p", { class: "quiet" });
    const list = el("dl", { class: "values" }, EVERY.map(metric => {
      values[metric] = { text: el("dd"), bar: el("i") };
      return [el("dt", {}, { rate: "rate", rtt: "round trip", loss: "loss", queue: "queue" }[metric]), values[metric].text, el("dd", { class: "gauge", "aria-hidden": "true" }, values[metric].bar)];
    }));
    this.writers.push((model, lab) => {
      const link = lab.links.get(id), { asked = {}, asked_back = asked } = link, pair = n ? [asked_back, asked] : [asked, asked_back];
      const from = n ? link.b : link.a, one = link.directions.find(other => other.from === from) ?? {};
      say(title, `${from} → ${n ? link.a : link.b}`);
      for (const metric of EVERY) {
        say(values[metric].text, `${over(metric, one, ...pair)} ${METRICS[metric].unit}`);
        values[metric].bar.style.width = `${100 * (part(metric, one, ...pair) ?? 0)}%`;
        values[metric].bar.className = standing(link);
      }
      say(rest, `${number(one.packets_s)} packets/s · ${number(one.drops)} drops · ${number(one.lateness_ms, "ms")} late`);
      drawGraph(graph, (model.history.get(`${lab.name}\n${id}`) ?? []).map(([t, ...rates]) => [t, rates.find(rate => rate[0] === from)?.[1]]), pair[0].rate_mbit_s);
    });
    return el("div", {}, title, list, rest, graph);
  }

  host(start, name) {
    const card = this.card(name, "host"), cpu = el("dd"), memory = el("dd"), cpuBar = el("i"), memoryBar = el("i");
    const why = el("p", { class: "standing no" }), daemons = el("ul", { class: "plainly" }), ends = el("p", { class: "quiet" });
    const links = [...start.links.values()].filter(link => link.a === name || link.b === name).slice(0, 12);
    card.append(
      why, el("dl", { class: "values" }, el("dt", {}, "CPU"), cpu, el("dd", { class: "gauge", "aria-hidden": "true" }, cpuBar), el("dt", {}, "memory"), memory, el("dd", { class: "gauge", "aria-hidden": "true" }, memoryBar)),
      el("h3", {}, "Daemons"), daemons, ends,
      el("h3", {}, "Links"), el("p", { class: "chips" }, links.map(link => el("button", { type: "button", class: "chip", click: () => this.actions.choose("link", link.id) }, link.id))),
    );
    this.writers.push((model, lab) => {
      const host = lab.hosts.get(name), quota = host.cpu_quota_percent, limit = host.memory_limit_bytes;
      const share = (host.cpu_percent ?? 0) / (quota ?? 100);
      say(cpu, `${number(host.cpu_percent)} / ${quota == null ? "no quota" : `${number(quota)} %`}`);
      say(memory, `${bytes(host.memory_bytes)} / ${limit == null ? "no limit" : bytes(limit)}`);
      cpuBar.style.width = `${100 * Math.min(1, share)}%`;
      cpuBar.className = share > 0.9 ? "no" : "yes";
      memoryBar.style.width = limit ? `${100 * Math.min(1, host.memory_bytes / limit)}%` : "0";
      memoryBar.className = "yes";
      const texts = host.daemons.length ? host.daemons.map(one => [daemonText(one) + (one.said ? `: ${one.said}` : ""), one.state]) : [["none", "runs"]];
      if (daemons.textContent !== texts.map(([text]) => text).join("")) daemons.replaceChildren(...texts.map(([text, state]) => el("li", { class: state === "runs" ? "" : "no" }, text)));
      const found = [...lab.overlays.values()].flatMap(one => one.endpoints.filter(end => end.host === name).map(end => `${end.name} ${end.address} (${one.overlay})`));
      say(why, host.up === false ? `✕ ${host.why ?? "The host does not run."}` : "");
      say(ends, found.length ? `Endpoints: ${found.join(", ")}` : "");
    });
    if (this.actions.control) card.append(this.actions.control.host(this, name));
    return card;
  }

  /** The hosts that packets pass, in the underlay and in each overlay; and a ping. */
  path(start, [from, to]) {
    const card = this.card(`${from} → ${to}`, "path"), list = el("ul", { class: "plainly paths" });
    card.append(list, this.actions.live ? this.ping(from, to) : null ?? "");
    const lines = new Map();
    this.writers.push(() => {
      for (const { kind, overlay, hosts, why } of this.actions.paths()) {
        const key = `${kind} ${overlay ?? ""}`;
        if (!lines.has(key)) { lines.set(key, el("li")); list.append(lines.get(key)); }
        const name = kind === "underlay" ? "underlay" : overlay;
        lines.get(key).className = kind;
        say(lines.get(key), hosts ? `${name}: ${hosts.join(" → ")} (${hosts.length - 1} ${hosts.length === 2 ? "hop" : "hops"})` : `${name}: ${why ?? "not known"}`);
      }
    });
    return card;
  }

  ping(from, to) {
    const said = el("output", { role: "status" });
    const button = el("button", { type: "button", click: async () => {
      button.disabled = true;
      say(said, "…");
      const answer = await this.actions.post("ping", { from, to });
      say(said, answer.error ?? (answer.rtt_ms == null ? "no answer" : number(answer.rtt_ms, "ms")));
      button.disabled = false;
    } }, "Ping");
    return el("p", { class: "row" }, button, " ", said);
  }
}

/** Links that do not keep to what was asked, and daemons that have ended. */
function faults(lab) {
  const links = [...lab.links.values()].filter(link => ["no", "down"].includes(standing(link)));
  const hosts = [...lab.hosts.values()].filter(host => host.daemons.some(one => one.state !== "runs"));
  return [
    ...hosts.map(host => ({ open: ["host", host.name], name: host.name, text: ` ${host.daemons.filter(one => one.state !== "runs").map(daemonText).join(", ")}`, state: "no" })),
    ...links.map(link => ({ open: ["link", link.id], name: link.id, text: ` ${SIGNS[standing(link)]} ${link.why || MEANING[standing(link)]}`, state: "no" })),
  ];
}

/** Write a list anew where its text differs. */
function fill(list, items, choose) {
  const key = items.map(item => `${item.name ?? ""}${item.text}`).join("\n");
  if (list.dataset.key === key) return;
  list.dataset.key = key;
  list.replaceChildren(...items.map(item => el("li", {}, item.open ? el("button", { type: "button", class: "link", click: () => choose(...item.open) }, item.name) : null, el("span", { class: item.state ?? "" }, item.text))));
}

/** The rates of the last moments, and what was asked as a dashed line. */
export function drawGraph(canvas, points, asked) {
  const pen = canvas.getContext("2d"), { width, height } = canvas, style = getComputedStyle(canvas);
  const values = points.map(([, rate]) => rate ?? 0), most = Math.max(asked ?? 0, ...values, 0.1) * 1.08;
  pen.clearRect(0, 0, width, height);
  const up = value => height - 1 - (value / most) * (height - 3);
  pen.strokeStyle = style.color;
  pen.lineWidth = 1;
  if (asked) { pen.setLineDash([4, 3]); pen.beginPath(); pen.moveTo(0, up(asked)); pen.lineTo(width, up(asked)); pen.stroke(); pen.setLineDash([]); }
  pen.beginPath();
  values.forEach((value, n) => pen.lineTo(width - (values.length - 1 - n) * (width / 119), up(value)));
  pen.strokeStyle = style.outlineColor;
  pen.lineWidth = 2;
  pen.stroke();
  canvas.setAttribute("aria-label", `rate of the last ${values.length} moments, now ${number(values.at(-1))} Mbit/s`);
}
