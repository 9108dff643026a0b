// Where objects come from: a server that sends them, or a recording in the page.

import { Model } from "./model.js";

/** Objects as they come. After a break, the browser asks again by itself and gets the latest state first. */
export class Live {
  constructor(token, changed) {
    this.model = new Model();
    this.heard = performance.now();
    this.open = false;
    const stream = new EventSource(`events?token=${encodeURIComponent(token)}`);
    stream.onopen = () => { this.open = true; changed(); };
    stream.onerror = () => { this.open = false; this.ended = stream.readyState === EventSource.CLOSED; changed(); };
    stream.onmessage = message => {
      this.heard = performance.now();
      this.model.apply(JSON.parse(message.data));
      changed();
    };
    addEventListener("pagehide", () => stream.close());
  }
}

/** A recording: its state at any moment, by copies of the state on the way. */
export class Recorded {
  static EVERY = 4000;

  constructor(objects) {
    this.objects = objects;
    this.first = objects[0].t;
    this.last = objects[objects.length - 1].t;
    this.copies = [[0, new Model()]];
    this.model = new Model();
    this.next = 0;
    this.time = this.first;
    this.seek(this.first);
  }

  /** Go to a moment; backwards from the nearest copy. Returns if the state is another one. */
  seek(time) {
    const count = this.count(time), before = this.next;
    if (count < this.next) {
      const [at, model] = this.copies.findLast(([n]) => n <= count);
      this.model = model.copy();
      this.next = at;
    }
    while (this.next < count) {
      this.model.apply(this.objects[this.next++]);
      if (this.next % Recorded.EVERY === 0 && this.copies.at(-1)[0] < this.next) this.copies.push([this.next, this.model.copy()]);
    }
    this.time = time;
    return this.next !== before;
  }

  /** The number of objects up to a moment, by halving. */
  count(time) {
    let low = 0, high = this.objects.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.objects[middle].t <= time) low = middle + 1; else high = middle;
    }
    return low;
  }

  /** Moments worth a mark: warnings, errors, and samples that do not count. */
  marks() {
    return this.objects.filter(one => (one.kind === "event" && one.level !== "info") || (one.kind === "sample" && (one.verdict?.counts === false || one.state === "failed" || one.state === "collapsed")));
  }
}

/** The objects of the page's recording. */
export async function recording() {
  const { data } = JSON.parse(document.getElementById("recording").textContent);
  const packed = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
  const text = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  return text.split("\n").map(line => JSON.parse(line));
}
