// Elements and numbers. Names come from files of others: they become text, never HTML.

/** Make an element: attributes, listeners (functions), then children; a string is text. */
export function el(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat(Infinity).filter(child => child != null));
  return made;
}

/** Write text only where it differs, so that a selection and a screen reader are left alone. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Three figures at most; a dash for what is not known. */
export function number(value, unit = "") {
  if (value == null || Number.isNaN(value)) return "–";
  const size = Math.abs(value);
  const digits = size >= 99.95 || Number.isInteger(value) ? 0 : size >= 9.995 ? 1 : 2;
  const text = size >= 10000 ? Math.round(value).toLocaleString("en").replaceAll(",", " ") : String(Number(value.toFixed(digits)));
  return unit ? `${text} ${unit}` : text;
}

export function bytes(value) {
  if (value == null) return "–";
  const power = value < 1024 ? 0 : Math.min(4, Math.floor(Math.log2(value) / 10));
  return number(value / 1024 ** power, ["B", "KiB", "MiB", "GiB", "TiB"][power]);
}

/** A span of time in words: "2 min 5 s". */
export function span(seconds) {
  if (seconds == null) return "–";
  const whole = Math.max(0, Math.round(seconds)), hours = Math.floor(whole / 3600), minutes = Math.floor(whole / 60) % 60;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

/** A moment as the clock of the reader shows it; virtual time is seconds since its beginning. */
export function moment(t, virtual = false) {
  return virtual ? `${number(t)} s` : new Date(t * 1000).toLocaleTimeString("en-GB");
}

/** What was asked of one direction, and of the round trip, by the metric that is shown. */
export const METRICS = {
  rate: { unit: "Mbit/s", says: "rate, of the rate that was asked", measured: d => d.rate_mbit_s, asked: a => a.rate_mbit_s },
  rtt: { unit: "ms", says: "round trip, of the one that was asked", measured: d => d.rtt_ms, asked: (a, b) => (a.delay_ms ?? 0) + (b.delay_ms ?? 0) },
  loss: { unit: "%", says: "loss, in percent", measured: d => d.loss_percent, asked: a => a.loss_percent ?? 0 },
  queue: { unit: "packets", says: "packets that wait, of the longest queue that was asked", measured: d => d.queue_packets, asked: a => a.queue_packets },
};

/** "38.2 / 50": measured over asked. */
export function over(metric, direction, asked, back) {
  const { measured, asked: wanted } = METRICS[metric];
  const limit = wanted(asked, back);
  return `${steady(measured(direction), metric === "queue")} / ${limit == null ? "no limit" : number(limit)}`;
}

/** A number that is measured again and again keeps its digits, so that it does not jump. */
function steady(value, whole) {
  if (value != null && Math.abs(value) < 0.005) return "0";
  if (value == null || whole || Math.abs(value) >= 99.95) return number(value);
  return value.toFixed(Math.abs(value) >= 9.995 ? 1 : 2);
}

/** The part of the asked value that was measured, 0 to 1; null where one is not known. */
export function part(metric, direction, asked, back) {
  const { measured, asked: wanted } = METRICS[metric];
  const value = measured(direction), limit = metric === "loss" ? 100 : wanted(asked, back);
  if (value == null || limit == null) return null;
  return limit > 0 ? Math.min(1, value / limit) : value > 0 ? 1 : 0;
}

export const SIGNS = { yes: "✓", no: "!", unknown: "?", down: "✕" };
export const MEANING = { yes: "keeps to it", no: "does not keep to it", unknown: "not known", down: "down" };

/** The state of a link: its own word, or that it is down. */
export function standing(link) {
  if (link.asked?.down || link.asked_back?.down) return "down";
  return link.keeps === "yes" || link.keeps === "no" ? link.keeps : "unknown";
}
