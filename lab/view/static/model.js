// The state that a stream of objects describes. Objects are replaced, never changed, so that a copy is cheap.

const EVENTS = 500, MOMENTS = 120;

function newLab(name) {
  return { name, state: "up", topology: { name: "", hosts: [], links: [] }, links: new Map(), ids: [], hosts: new Map(), overlays: new Map(), pings: [], shaper: null, clock: null, changed: 0 };
}

export class Model {
  constructor() {
    this.labs = new Map();
    this.runs = new Map();
    this.events = [];
    this.machine = null;
    this.now = 0;
    this.history = new Map(); // of the rates of links, for as long as the page looks; not part of a copy
  }

  /** A copy that later objects do not change. */
  copy() {
    const made = new Model();
    const kept = (all, ...names) => new Map([...all].map(([key, one]) => [key, { ...one, ...Object.fromEntries(names.map(name => [name, new Map(one[name])])) }]));
    made.labs = kept(this.labs, "links", "hosts", "overlays");
    made.runs = kept(this.runs, "samples", "figures");
    made.events = this.events.slice();
    made.machine = this.machine;
    made.now = this.now;
    return made;
  }

  apply(object) {
    this.now = object.t ?? this.now;
    const take = TAKES[object.kind];
    if (take) take(this, object);
  }

  lab(name) {
    if (!this.labs.has(name)) this.labs.set(name, newLab(name));
    return this.labs.get(name);
  }

  run(name) {
    if (!this.runs.has(name)) this.runs.set(name, { run: name, state: "planned", cells: [], repetitions: 1, done: 0, total: 0, samples: new Map(), figures: new Map(), current: null, last: [] });
    return this.runs.get(name);
  }
}

function takeLab(model, object) {
  const lab = model.lab(object.lab);
  lab.state = object.state === "gone" ? "gone" : "up";
  lab.shaper = object.shaper ?? lab.shaper;
  lab.clock = object.clock ?? lab.clock;
  if (!object.topology) return;
  lab.topology = object.topology;
  lab.changed += 1;
  const old = lab.links;
  lab.links = new Map(object.topology.links.map(link => [link.id, { directions: [], keeps: "unknown", why: "", ...old.get(link.id), asked: {}, asked_back: undefined, ...link }]));
  lab.ids = [...lab.links.keys()];
  const names = new Set(object.topology.hosts.map(host => host.name));
  lab.hosts = new Map([...lab.hosts].filter(([name]) => names.has(name)));
  for (const host of object.topology.hosts) lab.hosts.set(host.name, { daemons: [], ...lab.hosts.get(host.name), ...host, host: host.name });
}

/** A row for each direction that has news: the number of its link, 0 for a to b, and its figures. */
function takeLinks(model, object) {
  const lab = model.lab(object.lab), touched = new Map();
  const names = object.columns.slice(2), keeps = object.columns.indexOf("keeps");
  const link = number => touched.get(number) ?? lab.links.get(lab.ids[number]);
  for (const [number, asked] of Object.entries(object.asked ?? {})) {
    if (link(number)) touched.set(number, { ...link(number), asked_back: undefined, ...asked });
  }
  for (const row of object.rows) {
    const number = String(row[0]), old = link(number);
    if (!old) continue;
    const direction = { from: row[1] ? old.b : old.a };
    names.forEach((name, n) => { direction[name] = row[n + 2]; });
    const others = old.directions.filter(one => one.from !== direction.from);
    const state = row[keeps] === 1 ? "yes" : row[keeps] === 0 ? "no" : "unknown";
    touched.set(number, { ...old, keeps: state, why: object.why[number] ?? "", directions: [...others, direction] });
  }
  for (const changed of touched.values()) {
    lab.links.set(changed.id, changed);
    remember(model, object.lab, changed.id, changed.directions);
  }
}

function remember(model, lab, id, directions) {
  const key = `${lab}\n${id}`;
  if (!model.history.has(key)) model.history.set(key, []);
  const kept = model.history.get(key);
  kept.push([model.now, ...directions.map(one => [one.from, one.rate_mbit_s])]);
  if (kept.length > MOMENTS) kept.shift();
}

function takeHost(model, object) {
  const lab = model.lab(object.lab), { v, t, kind, lab: _, ...values } = object;
  lab.hosts.set(object.host, { daemons: [], ...lab.hosts.get(object.host), ...values, name: object.host });
}

function takeOverlay(model, object) {
  const overlays = model.lab(object.lab).overlays, { v, t, kind, lab: _, ...values } = object;
  overlays.set(object.overlay, { endpoints: [], routes: null, ...overlays.get(object.overlay), ...values });
}

function takeRun(model, object) {
  const { v, t, kind, ...values } = object;
  Object.assign(model.run(object.run), values, { at: object.t });
}

export const sampleKey = sample => [sample.cell, sample.bring_up ?? 1, sample.repetition].join("\n");

function takeSample(model, object) {
  const run = model.run(object.run);
  run.samples.set(sampleKey(object), object);
  run.current = object.state === "running" ? object : run.current && sampleKey(run.current) === sampleKey(object) ? null : run.current;
  if (object.state !== "running") run.last = [object, ...run.last].slice(0, 6);
}

const TAKES = {
  lab: takeLab,
  links: takeLinks,
  host: takeHost,
  overlay: takeOverlay,
  run: takeRun,
  sample: takeSample,
  figure: (model, object) => model.run(object.run).figures.set(object.name, object.svg),
  machine: (model, object) => { model.machine = object; },
  event: (model, object) => { model.events = [object, ...model.events].slice(0, EVENTS); },
  ping: (model, object) => {
    const lab = model.lab(object.lab);
    lab.pings = [object, ...lab.pings].slice(0, 20);
  },
};
