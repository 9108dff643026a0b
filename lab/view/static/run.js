// A run: its grid of cells, the sample that runs, verdicts as they come, figures as they grow.

import { el, number, say, span } from "./format.js";
import { sampleKey } from "./model.js";

const BOXES = { counts: "✓", not: "!", failed: "✕", collapsed: "✕", running: "▶", planned: "" };
const STATES = { counts: "counts", not: "does not count", failed: "failed", collapsed: "collapsed", running: "runs now", planned: "still to come" };

export function sampleState(sample) {
  if (!sample) return "planned";
  if (sample.state !== "measured") return sample.state;
  return sample.verdict?.counts === false ? "not" : "counts";
}

const cellText = cell => Object.entries(cell.labels ?? {}).map(pair => pair.join(" ")).join(", ") || cell.id;

/** How far a run is, in a few words. */
export function progress(run) {
  const left = run.state === "running" && run.seconds_left != null ? `, ${span(run.seconds_left)} left` : "";
  return `${run.done} of ${run.total} samples${left}`;
}

export class RunPart {
  constructor() {
    this.bar = el("progress", { max: 1, value: 0, "aria-label": "samples that are done" });
    this.title = el("p", { class: "row" });
    this.current = el("p", { class: "current" });
    this.grid = el("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "cells" });
    this.last = el("ol", { class: "plainly verdicts" });
    this.figures = el("div", { class: "figures" });
    const legend = el("p", { class: "quiet cellsigns" }, Object.entries(STATES).map(([state, words]) => el("span", {}, el("i", { class: `sample ${state}`, "aria-hidden": "true" }, BOXES[state]), ` ${words}`)));
    this.part = el("div", { class: "run" },
      el("div", {}, this.title, this.bar, this.current, this.grid, legend),
      el("div", {}, el("h3", {}, "Verdicts, newest first"), this.last), this.figures);
    this.drawn = new Map();
  }

  update(run) {
    say(this.title, `${run.experiment ?? "run"} · ${run.run} · ${run.state} · ${progress(run)}`);
    this.bar.max = run.total || 1;
    this.bar.value = run.done;
    const now = run.current, cell = now && run.cells.find(one => one.id === now.cell);
    say(this.current, now ? `▶ ${now.overlay}, ${cell ? cellText(cell) : now.cell}, repetition ${now.repetition}` : "");
    this.cells(run);
    this.verdicts(run);
    this.draw(run);
  }

  /** A row for each set of labels, a column for each overlay, a box for each repetition. */
  cells(run) {
    const key = `${run.run}\n${run.bring_ups}\n${run.repetitions}\n${run.cells.map(cell => cell.id).join("\n")}`;
    if (key !== this.key) {
      this.key = key;
      this.boxes = new Map();
      const overlays = [...new Set(run.cells.map(cell => cell.overlay))], rows = new Map();
      for (const cell of run.cells) rows.set(cellText(cell), [...(rows.get(cellText(cell)) ?? []), cell]);
      const most = Math.max(...run.cells.map(cell => cell.repetitions ?? run.repetitions)), all = most * (run.bring_ups ?? 1);
      const box = (cell, n, per) => {
        const made = el("i", { class: "sample planned", role: "img" }), slot = { cell: cell.id, bring_up: Math.floor(n / per) + 1, repetition: (n % per) + 1 };
        this.boxes.set(sampleKey(slot), { made, slot });
        return made;
      };
      const boxes = (cell, per = cell.repetitions ?? run.repetitions) => Array.from({ length: per * (run.bring_ups ?? 1) }, (_, n) => box(cell, n, per));
      const body = [...rows].sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true })).map(([text, cells]) => el("tr", {}, el("th", { scope: "row" }, text), overlays.map(overlay => el("td", {}, cells.filter(cell => cell.overlay === overlay).map(cell => el("span", { class: "boxes" }, boxes(cell)))))));
      this.grid.style.setProperty("--across", Math.min(10, all > 10 ? most : all));
      this.grid.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, el("td"), overlays.map(one => el("th", { scope: "col" }, one)))), el("tbody", {}, body)));
    }
    for (const [key, { made, slot }] of this.boxes) {
      const sample = run.samples.get(key), state = sampleState(sample);
      const words = `${run.bring_ups > 1 ? `bring-up ${slot.bring_up}, ` : ""}repetition ${slot.repetition}: ${STATES[state]}${reasons(sample)}`;
      if (made.title === words) continue;
      made.className = `sample ${state}`;
      made.title = words;
      made.setAttribute("aria-label", words);
      say(made, BOXES[state]);
    }
  }

  verdicts(run) {
    const key = run.last.map(sampleKey).join("\n") + run.done;
    if (this.shown === key) return;
    this.shown = key;
    this.last.replaceChildren(...run.last.map(sample => {
      const state = sampleState(sample), cell = run.cells.find(one => one.id === sample.cell);
      const metrics = Object.entries(sample.metrics ?? {}).filter(([, value]) => typeof value === "number").slice(0, 3).map(([name, value]) => `${name} ${number(value)}`);
      return el("li", { class: state === "counts" ? "yes" : "no" }, el("b", {}, `${BOXES[state]} ${STATES[state]}`), `: ${sample.overlay}, ${cell ? cellText(cell) : sample.cell}, repetition ${sample.repetition}`,
        metrics.length ? el("small", { class: "quiet" }, ` ${metrics.join(", ")}`) : null, sample.verdict?.sentences?.length ? el("p", { class: "quiet" }, sample.verdict.sentences.join(" ")) : null);
    }));
    if (!run.last.length) this.last.replaceChildren(el("li", { class: "quiet" }, "None yet."));
  }

  /** A figure is an image, so nothing in it can run. */
  draw(run) {
    for (const [name, svg] of run.figures) {
      const old = this.drawn.get(name);
      if (old?.svg === svg) continue;
      const image = old?.image ?? el("img", { alt: `figure ${name}, of the samples so far` });
      if (!old) this.figures.append(el("figure", {}, image, el("figcaption", { class: "quiet" }, name)));
      if (old) URL.revokeObjectURL(image.src);
      image.src = URL.createObjectURL(new Blob([svg], { type: "image/svg+xml" }));
      this.drawn.set(name, { svg, image });
    }
    for (const [name, { image }] of this.drawn) image.parentElement.hidden = !run.figures.has(name);
  }
}

const reasons = sample => (sample?.verdict?.words?.length ? ` (${sample.verdict.words.join(", ")})` : "");
