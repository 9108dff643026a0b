// The network on a canvas. It is drawn when something changed, and not otherwise.

import { METRICS, SIGNS, number, over, part, standing } from "./format.js";
import { along, bent, clear, crosses, distance, first, lane, overlap } from "./geometry.js";

const CROWD = 80, LANE = 5, APART = 4.5, HOST = 11, PILL_FONT = 12, NAME_FONT = 13, SMALL_FONT = 11.5;
const DASHES = { yes: [], no: [7, 4], unknown: [2, 4], down: [1, 7] };
const COLOURS = ["ink", "quiet", "panel", "track", "good", "bad", "open", "accent", "path", "host"];

export class Picture {
  /** `chosen(kind, name)` is called for a click, `spoken(text)` for what the keyboard came to. */
  constructor(canvas, chosen, spoken) {
    Object.assign(this, { canvas, chosen, spoken, lab: null, metric: "rate", layout: "structure", zoom: 1, pan: [0, 0], choice: null, hover: null, cursor: null, paths: [], ink: null });
    this.pen = canvas.getContext("2d");
    this.listen();
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  show(changes) {
    const placed = ["lab", "layout", "metric"].some(name => name in changes && changes[name] !== this[name]);
    const stale = changes.lab && changes.lab.changed !== this.drawn;
    Object.assign(this, changes);
    if (placed || stale) this.lines = null;
    this.ask();
  }

  ask() {
    this.asked ??= requestAnimationFrame(() => { this.asked = null; this.draw(); });
  }

  resize() {
    const { clientWidth, clientHeight } = this.canvas, ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(clientWidth * ratio);
    this.canvas.height = Math.round(clientHeight * ratio);
    this.lines = null;
    this.draw(); // at once: a canvas of a new size is empty
  }

  move(zoom, pan = this.pan) {
    this.zoom = Math.max(0.5, Math.min(20, zoom));
    this.pan = pan;
    this.canvas.style.touchAction = this.zoom > 1 ? "none" : "pan-y";
    this.lines = null;
    this.ask();
  }

  /** The page's colours, read again after they were switched. */
  recolour() {
    this.ink = null;
    this.ask();
  }

  colours() {
    const probe = document.createElement("i"), found = {};
    document.body.append(probe);
    for (const name of COLOURS) {
      probe.style.color = `var(--${name})`;
      found[name] = getComputedStyle(probe).color;
    }
    probe.remove();
    return { ...found, yes: found.good, no: found.bad, unknown: found.open, down: found.bad };
  }

  /** Places of hosts and lines of links; anew after a change of the network, the size or the view. */
  place() {
    const { lab, canvas } = this, hosts = lab.topology.hosts;
    const { clientWidth: wide, clientHeight: high } = canvas;
    const raw = hosts.map((host, n) => host.at?.[this.layout] ?? host.at?.structure ?? [n * 100, 0]);
    const [left, right] = [Math.min(...raw.map(p => p[0])), Math.max(...raw.map(p => p[0]))];
    const [top, low] = [Math.min(...raw.map(p => p[1])), Math.max(...raw.map(p => p[1]))];
    this.crowd = lab.links.size > CROWD || hosts.length > CROWD;
    const [side, edge] = this.crowd ? [16, 16] : [Math.min(76, wide / 7), 54];
    const scale = Math.min((wide - 2 * side) / (right - left || 1), (high - 2 * edge) / (low - top || 1), 2.2) * this.zoom;
    this.hosts = new Map(hosts.map((host, n) => [host.name, [wide / 2 + this.pan[0] + (raw[n][0] - (left + right) / 2) * scale, high / 2 + this.pan[1] + (raw[n][1] - (top + low) / 2) * scale]]));
    this.radius = this.crowd ? Math.max(2.5, Math.min(HOST, 2.5 * Math.sqrt(this.zoom))) : HOST;
    this.lines = new Map();
    const pairs = new Map();
    for (const [id, link] of lab.links) {
      const from = this.hosts.get(link.a), to = this.hosts.get(link.b);
      if (!from || !to) continue;
      const pair = [link.a, link.b].sort().join("\n"), nth = pairs.get(pair) ?? 0;
      pairs.set(pair, nth + 1);
      const others = () => [...this.hosts].filter(([name]) => name !== link.a && name !== link.b).map(([, point]) => point);
      const line = nth ? bent(from, to, 0.16 * nth * (link.a < link.b ? 1 : -1)) : this.crowd ? [from, to] : clear(from, to, others(), HOST + 9);
      this.lines.set(id, line);
    }
    this.drawn = lab.changed;
    this.labels = this.crowd ? { hosts: new Map(), links: new Map() } : this.placeLabels();
  }

  placeLabels() {
    const taken = [...this.hosts.values()].map(([x, y]) => ({ x: x - HOST - 2, y: y - HOST - 2, w: 2 * HOST + 4, h: 2 * HOST + 4 }));
    const lines = [...this.lines.values()], labels = { hosts: new Map(), links: new Map() };
    const { clientWidth: wide, clientHeight: high } = this.canvas;
    const best = (places, own, most) => {
      let least = Infinity, chosen = null;
      places.forEach((box, rank) => {
        const covered = taken.reduce((sum, other) => sum + overlap(box, other), 0);
        const outside = box.x < 0 || box.y < 0 || box.x + box.w > wide || box.y + box.h > high;
        const cost = rank + 2000 * (covered > 0) + covered + 1500 * outside + 30 * lines.filter(line => line !== own && crosses(box, line)).length;
        if (cost < least) [least, chosen] = [cost, box];
      });
      if (least >= most) return null;
      taken.push(chosen);
      return chosen;
    };
    for (const [name, [x, y]] of this.hosts) {
      this.pen.font = `600 ${NAME_FONT}px system-ui, sans-serif`;
      const w = Math.max(this.pen.measureText(shortened(name)).width, 62) + 6, h = 32, r = HOST + 3;
      const boxes = [[x - w / 2, y + r], [x - w / 2, y - r - h], [x + r, y - h / 2], [x - r - w, y - h / 2], [x + r - 4, y + r - 4], [x - r - w + 4, y + r - 4], [x + r - 4, y - r - h + 4], [x - r - w + 4, y - r - h + 4]];
      labels.hosts.set(name, best(boxes.map(([bx, by]) => ({ x: bx, y: by, w, h })), null, Infinity));
    }
    this.pen.font = `${PILL_FONT}px system-ui, sans-serif`;
    for (const [id, line] of this.lines) {
      const rows = this.rows(this.lab.links.get(id));
      const w = 44 + Math.max(this.pen.measureText("88.8 / 88").width, ...rows.map(row => this.pen.measureText(row.text.replace(/^[–\d.]+/, "88.8")).width)), h = 8 + 16 * rows.length;
      const places = [];
      for (const aside of [0, 1, -1]) {
        for (const at of [0.5, 0.42, 0.58, 0.35, 0.65, 0.28, 0.72]) {
          const [x, y] = along(line, at), [ax, ay] = line[0], [bx, by] = line.at(-1), far = Math.hypot(bx - ax, by - ay) || 1;
          const [nx, ny] = [-(by - ay) / far, (bx - ax) / far], away = aside * (Math.abs(nx) * w / 2 + Math.abs(ny) * h / 2 + 12);
          places.push({ x: x + nx * away - w / 2, y: y + ny * away - h / 2, w, h });
        }
      }
      labels.links.set(id, best(places, line, 1500));
    }
    return labels;
  }

  /** A row of text per direction, with the angle of its arrow; one row for both where it is the same. */
  rows(link) {
    const { asked = {}, asked_back = asked } = link, line = this.lines.get(link.id);
    const [ax, ay] = line[0], [bx, by] = line.at(-1), angle = Math.atan2(by - ay, bx - ax);
    const made = [link.a, link.b].map((from, n) => {
      const direction = link.directions.find(one => one.from === from) ?? {};
      return { text: over(this.metric, direction, n ? asked_back : asked, n ? asked : asked_back), angle: n ? angle + Math.PI : angle };
    });
    return this.metric === "rtt" ? [{ ...made[0], angle: null }] : made;
  }

  draw() {
    const { pen, canvas, lab } = this, ratio = devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    if (!lab || !canvas.clientWidth) return;
    if (!this.lines || this.drawn !== lab.changed) this.place();
    this.ink ??= this.colours();
    pen.lineJoin = "round";
    for (const path of this.paths.filter(one => one.kind === "underlay")) this.underlay(path);
    this.links();
    for (const path of this.paths.filter(one => one.kind === "overlay")) this.overlay(path);
    for (const [name, point] of this.hosts) this.host(name, point);
    if (!this.crowd) for (const [id, box] of this.labels.links) this.pill(lab.links.get(id), box);
    this.near();
  }

  links() {
    const strokes = new Map();
    const add = (colour, width, dash, line) => {
      const key = `${colour}|${width}|${dash}`;
      if (!strokes.has(key)) strokes.set(key, { colour, width, dash, path: new Path2D() });
      trace(strokes.get(key).path, line);
    };
    for (const [id, line] of this.lines) {
      const link = this.lab.links.get(id), state = standing(link), { asked = {}, asked_back = asked } = link;
      if (this.crowd) { this.thin(link, line, state, add); continue; }
      [link.a, link.b].forEach((from, n) => {
        const track = lane(n ? line.toReversed() : line, HOST + 5, APART);
        add(state === "yes" ? this.ink.track : this.ink[state], state === "yes" ? LANE : state === "down" ? 3 : 2, DASHES[state], track);
        const share = part(this.metric, link.directions.find(one => one.from === from) ?? {}, n ? asked_back : asked, n ? asked : asked_back);
        if (share > 0.002 && state !== "down") add(this.ink[state], LANE, state === "no" ? DASHES.no : [], first(track, Math.max(share, 0.02)));
      });
      if (this.choice?.kind === "link" && this.choice.name === id) add(this.ink.accent, 1.5, [], lane(line, HOST + 5, APART + LANE + 2)), add(this.ink.accent, 1.5, [], lane(line, HOST + 5, -APART - LANE - 2));
    }
    for (const { colour, width, dash, path } of strokes.values()) this.stroke(path, colour, width, dash);
  }

  /** In a crowd a link is one line: its pattern tells the state, its width the busier direction. */
  thin(link, line, state, add) {
    const { asked = {}, asked_back = asked } = link;
    const share = Math.max(0, ...link.directions.map(one => part(this.metric, one, asked, asked_back) ?? 0));
    const width = share > 0.66 ? 2.6 : share > 0.1 ? 1.7 : 0.9, chosen = this.choice?.kind === "link" && this.choice.name === link.id;
    add(state === "yes" && share <= 0.1 ? this.ink.quiet : this.ink[state], width, state === "yes" ? [] : DASHES[state].map(one => one * 0.6), line);
    if (chosen) add(this.ink.accent, 5, [], line);
  }

  stroke(path, colour, width, dash = []) {
    const { pen } = this;
    pen.setLineDash(dash);
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke(path);
    pen.setLineDash([]);
  }

  /** The hosts of a path in the underlay: a wide band below its links. */
  underlay({ hosts }) {
    const path = new Path2D();
    for (let n = 1; n < hosts.length; n++) {
      const pair = [hosts[n - 1], hosts[n]];
      const id = [...this.lines.keys()].find(one => pair.includes(this.lab.links.get(one).a) && pair.includes(this.lab.links.get(one).b));
      if (id) trace(path, this.lines.get(id));
    }
    this.pen.globalAlpha = 0.28;
    this.pen.lineCap = "round";
    this.stroke(path, this.ink.accent, this.crowd ? 8 : 26);
    this.pen.globalAlpha = 1;
    this.pen.lineCap = "butt";
  }

  /** The hops of an overlay: dashed arcs, from host to host. */
  overlay({ hosts }) {
    for (let n = 1; n < hosts.length; n++) {
      const from = this.hosts.get(hosts[n - 1]), to = this.hosts.get(hosts[n]);
      if (!from || !to) continue;
      const line = lane(bent(from, to, -0.22), HOST + 4, 0), path = new Path2D();
      trace(path, line);
      const [x, y] = line.at(-1), [px, py] = line.at(-2), angle = Math.atan2(y - py, x - px);
      for (const turn of [2.7, -2.7]) trace(path, [[x, y], [x + 9 * Math.cos(angle + turn), y + 9 * Math.sin(angle + turn)]]);
      this.stroke(path, this.ink.path, 2.5, [9, 4]);
    }
  }

  host(name, [x, y]) {
    const { pen, ink, radius } = this, host = this.lab.hosts.get(name) ?? { daemons: [] };
    const dead = host.daemons.some(one => one.state !== "runs"), gone = host.up === false;
    const circle = new Path2D();
    circle.arc(x, y, radius, 0, 7);
    pen.fillStyle = this.crowd ? (dead ? ink.bad : ink.host) : ink.panel;
    pen.fill(circle);
    if (this.crowd) { if (this.is("host", name)) this.ring(x, y, radius + 4, ink.accent, 2.5); return; }
    this.stroke(circle, gone || dead ? ink.bad : ink.host, 2.5, gone ? [3, 3] : []);
    const quota = host.cpu_quota_percent ?? 100, share = Math.min(1, (host.cpu_percent ?? 0) / quota);
    if (share > 0.005) {
      const arc = new Path2D();
      arc.moveTo(x, y);
      arc.arc(x, y, radius - 3.5, -Math.PI / 2, -Math.PI / 2 + share * 2 * Math.PI);
      arc.closePath();
      pen.fillStyle = share > 0.9 ? ink.bad : ink.host;
      pen.fill(arc);
    }
    if (this.is("host", name)) this.ring(x, y, radius + 4.5, ink.accent, 2.5);
    if (this.cursor === name && document.activeElement === this.canvas) this.ring(x, y, radius + 8, ink.accent, 1.5, [3, 3]);
    if (dead || gone) this.badge(x + radius - 2, y - radius + 2, gone ? "✕" : "!", ink.bad);
    const box = this.labels.hosts.get(name);
    if (!box) return;
    const middle = box.x + box.w / 2, cpu = host.cpu_percent == null ? "" : `CPU ${number(share * 100)} %`;
    this.text(shortened(name), middle, box.y + (cpu ? 10 : 16), ink.ink, `600 ${NAME_FONT}px`);
    if (cpu) this.text(cpu, middle, box.y + 24, share > 0.9 ? ink.bad : ink.quiet, `${SMALL_FONT}px`);
  }

  is(kind, name) {
    return (this.choice?.kind === kind && this.choice.name === name) || (kind === "host" && this.from === name);
  }

  ring(x, y, radius, colour, width, dash = []) {
    const path = new Path2D();
    path.arc(x, y, radius, 0, 7);
    this.stroke(path, colour, width, dash);
  }

  badge(x, y, sign, colour) {
    const { pen } = this;
    pen.beginPath();
    pen.arc(x, y, 8, 0, 7);
    pen.fillStyle = this.ink.panel;
    pen.fill();
    this.ring(x, y, 7, colour, 2);
    this.text(sign, x, y + 0.5, colour, "700 10px");
  }

  text(text, x, y, colour, font, align = "center") {
    const { pen } = this;
    pen.font = `${font} system-ui, sans-serif`;
    pen.textAlign = align;
    pen.textBaseline = "middle";
    pen.lineWidth = 3.5;
    pen.strokeStyle = this.ink.panel;
    pen.strokeText(text, x, y);
    pen.fillStyle = colour;
    pen.fillText(text, x, y);
  }

  /** Measured over asked for both directions, in a box; the sign alone where there is no room. */
  pill(link, box) {
    const state = standing(link), colour = this.ink[state], { pen } = this;
    if (!box) {
      const [x, y] = along(this.lines.get(link.id), 0.5);
      if (state !== "yes") this.badge(x, y, SIGNS[state], colour);
      return;
    }
    const { x, y, w, h } = box, path = new Path2D(), down = state === "down";
    path.roundRect(x, y, w, h, 7);
    pen.fillStyle = this.ink.panel;
    pen.fill(path);
    this.stroke(path, state === "yes" ? this.ink.track : colour, state === "yes" ? 1 : 1.5, state === "unknown" ? [2, 3] : []);
    this.text(SIGNS[state], x + 12, y + h / 2 + 0.5, colour, "700 13px");
    if (down) { this.text("down", x + 24, y + h / 2, colour, `600 ${PILL_FONT}px`, "left"); return; }
    this.rows(link).forEach(({ text, angle }, n) => {
      const row = y + 4 + 8 + 16 * n;
      if (angle != null) this.arrow(x + 27, row, angle);
      this.text(text, x + (angle == null ? 24 : 37), row + 0.5, this.ink.ink, `${PILL_FONT}px`, "left");
    });
  }

  arrow(x, y, angle) {
    const { pen } = this;
    pen.save();
    pen.translate(x, y);
    pen.rotate(angle);
    pen.beginPath();
    pen.moveTo(6, 0); pen.lineTo(-4, 4); pen.lineTo(-4, -4);
    pen.fillStyle = this.ink.quiet;
    pen.fill();
    pen.restore();
  }

  /** In a crowd: words for what the pointer or the keyboard is at. */
  near() {
    const at = this.hover ?? (this.cursor && document.activeElement === this.canvas ? { kind: "host", name: this.cursor } : null) ?? this.choice;
    if (!at || !this.crowd) return;
    const link = at.kind === "link" ? this.lab.links.get(at.name) : null, line = link && this.lines.get(at.name);
    const [x, y] = line ? along(line, 0.5) : this.hosts.get(at.name) ?? [0, 0];
    const words = link && line ? `${SIGNS[standing(link)]} ${shortened(link.id)}: ${this.rows(link).map(row => row.text).join(" and ")} ${METRICS[this.metric].unit}` : shortened(at.name);
    this.pen.font = `600 ${NAME_FONT}px system-ui, sans-serif`;
    const half = this.pen.measureText(words).width / 2 + 6;
    this.text(words, Math.max(half, Math.min(this.canvas.clientWidth - half, x)), Math.max(12, y - 14), this.ink.ink, `600 ${NAME_FONT}px`);
  }

  at(event) {
    const point = [event.offsetX, event.offsetY];
    if (!this.lines) return null;
    for (const [name, [x, y]] of this.hosts) if (Math.hypot(x - point[0], y - point[1]) < this.radius + 6) return { kind: "host", name };
    let least = 10, found = null;
    for (const [id, line] of this.lines) {
      const box = this.labels.links.get(id), inside = box && point[0] > box.x && point[0] < box.x + box.w && point[1] > box.y && point[1] < box.y + box.h;
      const far = inside ? 0 : distance(point, line);
      if (far < least) [least, found] = [far, { kind: "link", name: id }];
    }
    return found;
  }

  listen() {
    const { canvas } = this;
    let start = null;
    canvas.addEventListener("pointerdown", event => { start = { x: event.clientX, y: event.clientY, pan: this.pan, moved: false }; });
    canvas.addEventListener("pointermove", event => {
      if (start && event.buttons) {
        const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
        start.moved ||= Math.hypot(dx, dy) > 5;
        if (start.moved) { canvas.setPointerCapture(event.pointerId); this.move(this.zoom, [start.pan[0] + dx, start.pan[1] + dy]); }
        return;
      }
      const found = this.at(event);
      if (found?.name !== this.hover?.name) { this.hover = found; canvas.style.cursor = found ? "pointer" : ""; this.ask(); }
    });
    canvas.addEventListener("pointerleave", () => { this.hover = null; this.ask(); });
    canvas.addEventListener("click", event => {
      const moved = start?.moved, found = this.at(event);
      start = null;
      if (!moved) this.chosen(found?.kind ?? null, found?.name ?? null);
    });
    canvas.addEventListener("wheel", event => {
      if (!event.ctrlKey && !event.metaKey && document.activeElement !== canvas) return;
      event.preventDefault();
      this.move(this.zoom * (event.deltaY < 0 ? 1.2 : 1 / 1.2));
    }, { passive: false });
    canvas.addEventListener("keydown", event => this.key(event));
    for (const kind of ["focus", "blur"]) canvas.addEventListener(kind, () => this.ask());
  }

  key(event) {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (step && this.hosts) this.step(step);
    else if (event.key === "Enter" && this.cursor) this.chosen("host", this.cursor);
    else if (event.key === "Escape") this.chosen(null, null);
    else if (event.key === "+" || event.key === "-") this.move(this.zoom * (event.key === "+" ? 1.25 : 0.8));
    else if (event.key === "0") this.move(1, [0, 0]);
    else return;
    event.preventDefault();
    this.ask();
  }

  /** Go to the next host in a direction: near, and not far aside. */
  step([right, down]) {
    const [x, y] = this.hosts.get(this.cursor) ?? [NaN, NaN];
    let least = Infinity, next = this.cursor ?? [...this.hosts.keys()][0];
    for (const [name, [hx, hy]] of this.hosts) {
      const ahead = (hx - x) * right + (hy - y) * down, aside = Math.abs((hx - x) * down + (hy - y) * right);
      if (ahead > 1 && ahead + 2 * aside < least) [least, next] = [ahead + 2 * aside, name];
    }
    this.cursor = next;
    const host = this.lab.hosts.get(next);
    this.spoken(`${next}${host?.cpu_percent == null ? "" : `, CPU ${number(host.cpu_percent)} percent`}`);
  }
}

const shortened = name => (name.length > 22 ? `${name.slice(0, 21)}…` : name);

function trace(path, line) {
  path.moveTo(line[0][0], line[0][1]);
  for (let n = 1; n < line.length; n++) path.lineTo(line[n][0], line[n][1]);
}
