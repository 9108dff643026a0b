// What a page may do that was opened with --control: change a link, capture, open a shell.

import { el, number, say } from "./format.js";

const FIELDS = [
  { name: "delay_ms", says: "delay", unit: "ms", step: 0.5, most: asked => Math.max(200, 2 * (asked ?? 0)) },
  { name: "rate_mbit_s", says: "rate", unit: "Mbit/s", step: 0.5, least: 0.5, most: asked => Math.max(100, 2 * (asked ?? 0)) },
  { name: "loss_percent", says: "loss", unit: "%", step: 0.1, most: () => 100 },
];

/** Sliders for a link; each sends its own value when it is let go, and shows what was read back. */
export class Control {
  constructor(server) {
    this.server = server;
  }

  link(details, id) {
    const said = el("output", { class: "readback", role: "status" });
    const start = this.server.lab().links.get(id);
    const way = el("select", {}, el("option", { value: "" }, "both directions"), [start.a, start.b].map((from, n) => el("option", { value: from }, `from ${from} to ${n ? start.a : start.b}`)));
    const asked = lab => { const link = lab.links.get(id); return (way.value === link.b ? link.asked_back : null) ?? link.asked ?? {}; };
    const send = async values => {
      say(said, "Asking …");
      const answer = await this.server.post("link", { id, ...(way.value ? { from: way.value } : {}), ...values });
      say(said, answer.error ?? `Read back: ${readBack(answer)}`);
      said.className = answer.error ? "readback no" : "readback";
    };
    const fields = FIELDS.map(field => this.field(field, asked(this.server.lab()), send));
    const down = el("input", { type: "checkbox", change: () => send({ down: down.checked }) });
    way.addEventListener("change", () => { for (const field of fields) field.read(asked(this.server.lab())); });
    details.writers.push((_, lab) => {
      for (const field of fields) field.read(asked(lab));
      if (document.activeElement !== down) down.checked = Boolean(asked(lab).down);
    });
    return el("form", { class: "control", submit: event => event.preventDefault() },
      el("h3", {}, "Change"), el("label", { class: "choice" }, way), fields.map(field => field.part),
      el("label", { class: "row" }, down, " down: nothing passes"), said, this.capture({ id }));
  }

  field({ name, says, unit, step, least = 0, most }, asked, send) {
    const top = Math.ceil(most(asked[name])), attributes = { min: least, max: top, step };
    const slider = el("input", { type: "range", ...attributes, "aria-label": `${says} (${unit})` });
    const exact = el("input", { type: "number", min: least, step: "any", "aria-label": `${says} in ${unit}` });
    slider.addEventListener("input", () => { exact.value = slider.value; });
    slider.addEventListener("change", () => send({ [name]: Number(slider.value) }));
    exact.addEventListener("change", () => { if (exact.value !== "" && exact.checkValidity()) send({ [name]: Number(exact.value) }); });
    const read = values => {
      const value = values[name];
      if (document.activeElement === slider || document.activeElement === exact) return;
      if (value != null && value > Number(slider.max)) slider.max = Math.ceil(value);
      slider.value = value ?? (name === "rate_mbit_s" ? top : 0);
      exact.value = value ?? "";
      exact.placeholder = value == null ? "no limit" : "";
    };
    read(asked);
    return { read, part: el("div", { class: "field" }, el("span", {}, says), slider, exact, el("span", { class: "quiet" }, unit)) };
  }

  host(details, name) {
    const ends = [...this.server.lab().overlays.values()].flatMap(one => one.endpoints.filter(end => end.host === name));
    return el("div", { class: "control" }, el("h3", {}, "Work in it"),
      el("p", { class: "row" }, el("button", { type: "button", click: () => this.shell(name) }, "Open a shell")),
      ends.map(end => el("div", {}, el("span", { class: "quiet" }, `endpoint ${end.name}`), this.capture({ endpoint: end.name }))));
  }

  capture(what) {
    const said = el("output", { role: "status" }), seconds = el("input", { type: "number", min: 1, max: 600, value: 10, "aria-label": "seconds to capture" });
    const button = el("button", { type: "button", click: async () => {
      button.disabled = true;
      say(said, `Capturing for ${seconds.value} s …`);
      const answer = await this.server.post("capture", { ...what, seconds: Number(seconds.value) });
      button.disabled = false;
      if (answer.error) { say(said, answer.error); return; }
      said.replaceChildren(el("a", { href: this.server.address(`capture/${encodeURIComponent(answer.name)}`), download: answer.name }, `Download ${answer.name}`));
    } }, "Capture");
    return el("p", { class: "row capture" }, button, " ", seconds, " s ", said);
  }

  /** A terminal on a host; xterm.js is loaded when it is first needed. */
  async shell(name) {
    const dialog = document.getElementById("shell"), place = document.getElementById("terminal");
    await loaded();
    say(document.getElementById("shell-title"), `Shell on ${name}`);
    dialog.showModal();
    const terminal = new globalThis.Terminal({ cursorBlink: false, fontSize: 14 }), fit = new globalThis.FitAddon.FitAddon();
    terminal.loadAddon(fit);
    place.replaceChildren();
    terminal.open(place);
    const address = new URL(this.server.address("shell", { lab: this.server.lab().name, host: name }), location.href);
    address.protocol = "ws:";
    const socket = new WebSocket(address);
    socket.binaryType = "arraybuffer";
    const size = () => { fit.fit(); if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify({ resize: [terminal.cols, terminal.rows] })); };
    socket.onopen = size;
    socket.onmessage = message => terminal.write(typeof message.data === "string" ? message.data : new Uint8Array(message.data));
    socket.onclose = event => terminal.write(`\r\n[the shell has ended${event.reason ? `: ${event.reason}` : ""}]\r\n`);
    const encoder = new TextEncoder();
    terminal.onData(text => { if (socket.readyState === WebSocket.OPEN) socket.send(encoder.encode(text)); });
    const watch = new ResizeObserver(size);
    watch.observe(place);
    // Escape belongs to the shell
    dialog.oncancel = event => event.preventDefault();
    document.getElementById("shell-close").onclick = () => dialog.close();
    dialog.onclose = () => { watch.disconnect(); socket.close(); terminal.dispose(); };
    terminal.focus();
  }
}

const readBack = answer => FIELDS.map(({ name, says, unit }) => (answer[name] == null ? null : `${says} ${number(answer[name], unit)}`)).concat(answer.down ? "down" : null).filter(Boolean).join(", ") || "as it was asked";

let loading = null;
function loaded() {
  loading ??= (async () => {
    document.head.append(el("link", { rel: "stylesheet", href: "static/vendor/xterm.css" }));
    for (const name of ["xterm.js", "xterm-addon-fit.js"]) {
      await new Promise((done, failed) => document.head.append(el("script", { src: `static/vendor/${name}`, load: done, error: failed })));
    }
  })();
  return loading;
}
