// The time line of a recording: play, pause, speed, and going to a moment.

import { el, moment, say, span } from "./format.js";

const SPEEDS = [1, 2, 5, 10, 30, 60, 300];
/** Milliseconds from a step to the next: the feed has one a second. */
const TICK = 100;

export class Player {
  constructor(place, source, changed) {
    Object.assign(this, { source, changed, playing: false, before: 0 });
    const length = Math.max(source.last - source.first, 0.001);
    this.button = el("button", { type: "button", class: "play", click: () => this.toggle() });
    this.slider = el("input", { type: "range", min: 0, max: length, step: length / 2000, value: 0, "aria-label": "moment of the recording", input: () => { this.to(source.first + Number(this.slider.value)); } });
    this.speed = el("select", { "aria-label": "speed" }, SPEEDS.map(one => el("option", { value: one }, `${one} ×`)));
    // about a minute for all of it, to begin with
    this.speed.value = SPEEDS.find(one => length / one <= 90) ?? SPEEDS.at(-1);
    this.said = el("output", { class: "time" });
    const marks = el("div", { class: "marks", "aria-hidden": "true" });
    const found = source.marks();
    for (const one of found.filter((_, n) => n % Math.ceil(found.length / 400) === 0)) {
      const mark = el("i", { title: one.text ?? "a sample that does not count" });
      mark.style.left = `${(100 * (one.t - source.first)) / length}%`;
      marks.append(mark);
    }
    place.replaceChildren(this.button, el("div", { class: "line" }, marks, this.slider), this.said, this.speed);
    place.hidden = false;
    this.show();
  }

  toggle() {
    this.playing = !this.playing;
    if (this.playing && this.source.time >= this.source.last) this.to(this.source.first);
    this.before = performance.now();
    if (this.playing) setTimeout(() => this.step(), TICK);
    this.show();
  }

  step() {
    if (!this.playing) return;
    const now = performance.now();
    const time = this.source.time + ((now - this.before) / 1000) * Number(this.speed.value);
    this.before = now;
    if (time >= this.source.last) this.playing = false;
    this.to(Math.min(time, this.source.last));
    if (this.playing) setTimeout(() => this.step(), TICK);
  }

  to(time) {
    if (this.source.seek(time)) this.changed();
    this.show();
  }

  show() {
    const { source } = this, past = source.time - source.first;
    say(this.button, this.playing ? "❚❚ Pause" : "▶ Play");
    if (document.activeElement !== this.slider || this.playing) this.slider.value = past;
    const words = `${span(past)} of ${span(source.last - source.first)}`;
    say(this.said, `${words} · ${moment(source.time, source.virtual)}`);
    this.slider.setAttribute("aria-valuetext", words);
  }
}
