"""Captions: the conditions of a run in words, which every table and figure has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from lab.report.tables import Section, Table
from lab.runs.experiment import WARM_UP
from lab.runs.manifest import FOUND
from lab.runs.run_folder import StoredRun
from lab.runs.sample import State
from lab.util.documents import number

#: What a cell of a table of means has (`lab.report.selection.text`).
SPREAD = "mean ± standard deviation between/within bring-ups [95 % interval of the bring-ups' mean]"
MEANING: dict[State, str] = {
    "host-bound": "a host was at its own CPU quota, as the studies' machines were; counted",
    "emulator-bound": "this machine, not the network, set the pace; shown, not counted",
    "broken": "the overlay or the tool failed during the sample; shown, not counted",
}


def rate(run: StoredRun) -> str:
    """Return the links' rate in words (``links of 20 Mbit/s``), or that each has its own; and the clock."""
    value = run.manifest.rate
    if not value:
        return "links of the topology's own rates" + clock(run)
    found = run.manifest.profile.get("rate_source") == "capacity"
    return f"links of {value:g} Mbit/s" + (f", {FOUND}" if found else "") + clock(run)


def clock(run: StoredRun) -> str:
    """Return in words that a run was measured in virtual time, and what work costs there; "" in real time."""
    if run.manifest.clock == "real":
        return ""
    prices = (
        f"{price:g} µs per {'upcall' if name == 'upcall' else f'read or write of {name}'}"
        for name, price in run.manifest.costs.items()
    )
    return f", in virtual time with {', '.join(prices) or 'free CPU'}"


def conditions(run: StoredRun) -> str:
    """Return rate, shaper, congestion control, hops, profile and kernel of a run, in one line."""
    manifest = run.manifest
    controls = sorted({s.congestion_control for s in run.samples if s.congestion_control})
    parts = [
        f"{rate(run)}, shaped by {manifest.shaper or 'nobody here'}{cost(run)}",
        f"TCP {'+'.join(controls)}" if controls else "",
        hops(run),
        f"profile {manifest.profile.get('name', '?')}",
        f"Linux {manifest.environment.get('kernel', '?')}",
        f"run {manifest.run}",
    ]
    return "; ".join(filter(None, parts))


def cost(run: StoredRun) -> str:
    """Return in words the CPU cores that imposing the links took: mean and maximum of all samples, or ""."""
    stored = (number(sample.machine.get("links_cpu")) for sample in run.samples)
    shares = [share for share in stored if share is not None]
    if not shares:
        return ""
    return f" (took {sum(shares) / len(shares):.2f} of a core on average, {max(shares):.2f} at most)"


def hops(run: StoredRun) -> str:
    """Return the kind of hop of each overlay: ``hops: overlay (weave), routed underlay (libnetwork)``."""
    measured = {sample.overlay for sample in run.samples}
    names: dict[str, list[str]] = {}
    for name, overlay in run.manifest.overlays.items():
        if overlay.hops and name in measured:
            names.setdefault(overlay.hops, []).append(name)
    meanings = [f"{meaning} ({', '.join(names[meaning])})" for meaning in sorted(names)]
    return f"hops: {', '.join(meanings)}" if meanings else ""


def repetitions(run: StoredRun) -> list[str]:
    """Return per metric in words: the samples of a cell, their time (s), and the time before that (s)."""
    profile = run.manifest.profile
    seconds, warmup = profile.get("seconds", {}), profile.get("warmup", {})
    return [
        f"{metric} {count}"
        + (f" × {seconds[metric]:g} s" if seconds.get(metric) else "")
        + (f" after {warmup[metric]:g} s that do not count" if warmup.get(metric) else "")
        for metric, count in profile.get("repetitions", {}).items()
    ]


def bring_ups(run: StoredRun) -> str:
    """Return in words how often every overlay was brought up, where it was more than once."""
    times = run.manifest.bring_ups
    return f", in each of {times} bring-ups of the overlay" if times > 1 else ""


def per_cell(run: StoredRun) -> str:
    """Return `repetitions` in one line, and mention a warm-up that was discarded."""
    words = f"samples per cell: {', '.join(repetitions(run))}{bring_ups(run)}"
    phases = (phase for phase in run.manifest.timing.values() if isinstance(phase, dict))
    if any(WARM_UP in phase for phase in phases):
        words += "; before an overlay's first sample a moment of each metric was measured and thrown away"
    return words


def with_mode(run: StoredRun, overlay: str) -> str:
    """Return an overlay's name with the modes in which it was measured (``weave (sleeve)``)."""
    modes = sorted({s.mode["mode"] for s in run.samples if s.overlay == overlay and "mode" in s.mode})
    return f"{overlay} ({', '.join(modes)})" if modes else overlay


def label(run: StoredRun, overlay: str) -> str:
    """Return an overlay's name, options and modes for a figure, each once, e.g. ``tinc, encryption on``."""
    name, _, options = overlay.partition(":")
    modes = {s.mode["mode"] for s in run.samples if s.overlay == overlay and "mode" in s.mode}
    pairs = (option.partition("=") for option in options.split(",") if option)
    words = [f"{key} {value}".strip() for key, _, value in pairs if value not in modes]
    shown = ", ".join(sorted(modes - {name}))
    return ", ".join([name, *words]) + (f" ({shown})" if shown else "")


#: States of an overlay that was not measured completely, in words.
LACKING = {
    "not obtainable": "not obtainable here",
    "failed": "failed",
    "pending": "not measured to its end",
}


def lacking(run: StoredRun) -> list[str]:
    """Return half a sentence, without the reason, for every overlay that was not measured completely."""
    overlays = run.manifest.overlays.items()
    return [f"{name}: {LACKING[one.state]}" for name, one in overlays if one.state in LACKING]


def not_measured(run: StoredRun) -> list[str]:
    """Return a sentence, with the reason, for every overlay that was not measured completely."""
    overlays = [one for one in run.manifest.overlays.values() if one.state in LACKING]
    reasons = ("; ".join(filter(None, (one.reason, one.remedy))) for one in overlays)
    return [": ".join(filter(None, pair)) for pair in zip(lacking(run), reasons, strict=True)]


def verdicts(run: StoredRun) -> list[str]:
    """Return sentences that count the samples of each verdict that is not ``valid``, and the failures."""
    counts = Counter(sample.verdict.state for sample in run.samples if sample.ok)
    total = sum(counts.values())
    sentences = [
        f"{counts[state]} of {total} samples {state}: {words}"
        for state, words in MEANING.items()
        if counts[state]
    ]
    sentences += fallbacks(run)
    if collapsed := sum(sample.collapsed for sample in run.samples):
        sentences.append(f"the traffic of {collapsed} samples collapsed; counted as nothing carried")
    if failed := sum(not sample.measured for sample in run.samples):
        sentences.append(f"{failed} attempts failed; their raw output is in the run folder")
    return [*sentences, *run.faults]


def fallbacks(run: StoredRun) -> list[str]:
    """Return a sentence for every overlay whose mode changed: in how many samples, and where first."""
    changed = {n: [s for s in run.samples if s.overlay == n and s.changed] for n in run.manifest.overlays}
    return [
        f"{name}: its mode had changed in {len(samples)} samples, first in "
        f"{samples[0].cell} #{samples[0].repetition}: {'; '.join(samples[0].changed)}"
        for name, samples in changed.items()
        if samples
    ]


def table(
    run: StoredRun, title: str, columns: Sequence[str], sections: Sequence[Section], note: str = ""
) -> Table:
    """Return a table of statistics, with the overlays that are missing and the conditions of the run."""
    missing = [Section(sentence, []) for sentence in not_measured(run)]
    notes = [conditions(run), per_cell(run), *([note] if note else []), *verdicts(run)]
    heading = f"{title}, {rate(run)}: {SPREAD}"
    return Table(heading, columns, [*sections, *missing], notes)
