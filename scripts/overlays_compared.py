"""Write the page that compares overlays, and figures, from runs: ``python -m scripts.overlays_compared``.

The runs are archives in ``docs/data``, one of each experiment that the page is about; ``--keep FOLDER...``
makes these archives of run folders first. Every number on the page is one of their samples, or made of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import fmean

from experiments.common.traffic import LATENCY, TCP, UDP
from experiments.encryption import CONTROLS
from experiments.multihop.results import MultihopSamples
from experiments.paths import FAILURE
from lab import plugins
from lab.published import CONTROL
from lab.report import captions
from lab.report.selection import NOTHING, Group, SampleValue, interval, measured_overlays, select, text
from lab.report.statistics import Estimate, contrast, ratio
from lab.runs import run_folder
from lab.runs.run_folder import StoredRun
from lab.runs.sample import Sample
from scripts import kept_runs
from scripts.kept_runs import DATA, FIGURES, ROOT, table

PAGE = ROOT / "docs/explanation/overlays-compared.md"
#: The runs that the page is made of: the experiment, and the clock where it is virtual.
RUNS = ("multihop", "encryption", "paths-virtual")
#: The figures that are made of them: the name of a figure of the experiment, and that in `FIGURES`.
DRAWN = {
    "fig15-latency": "multihop-latency",
    "fig15-added": "multihop-added",
    "fig16-throughput": "multihop-throughput",
    "encryption-throughput": "encryption",
    "paths": "paths",
}
#: The runs, by these names.
Runs = Mapping[str, StoredRun]
HEAD = """# Overlays compared

Which overlay over a wide-area network, today? This page has runs of three experiments on every overlay that
the lab has: [multihop](../reference/experiments/multihop.md),
[encryption](../reference/experiments/encryption.md) and [paths](../reference/experiments/paths.md).
`make docs-data` writes it from the runs in `docs/data`: no number is typed.

A number is a mean, ± its standard deviation. The 95 % interval follows where samples of at least three
bring-ups count, as the bring-up is what repeats an experiment. Where samples do not count, the page says how
many do, and the mean of all of them.
"""
#: The limits of the numbers, which the page names beside them.
LIMITS = """
## What this machine cannot tell

- **The fastest overlay on a fast link.** All hosts share two processors. In the tables of hops the links are
  slow, so the links set the pace. In the table of encryption each host has a quarter of a processor, so the
  overlay's own work sets it. The column `CPU` is the comparison that holds on other machines, too.
- **The effect of hardware.** Links are emulated. No network card computes checksums, cuts TCP's segments or
  encrypts.
- **Other kernels.** The machine's kernel has no WireGuard and no ESP. So WireGuard ran as `wireguard-go` in
  user space, and libnetwork without encryption. The kernel's WireGuard is in the table of failures alone,
  where its work is free.
- **A ratio of two overlays whose intervals overlap.** Three bring-ups are few.
"""
RESOURCES = """
## Bring-up and memory

Six hosts in a chain, from the first command to a packet between every pair of endpoints. Memory is that of
the processes that must run on a host for the overlay, the mean of the hosts. For libnetwork these include
Docker's own daemon, which the hosts run in any case.

"""
ENCRYPTION = """
## Encryption, and the price of a gigabit

Two hosts, one stream of TCP, a quarter of a processor for each host. CPU is the time of all processes of both
hosts for each gigabit that was received. It does not include the kernel's work in interrupts. Overlays that
always encrypt are compared with the underlay, so this is the price of the whole overlay.

"""
FAILURES = """
## When a link fails

A ring of the same five links. The first host pings its neighbour, and the link between them is cut for
{:g} s. {}An overlay that finds no other way is dark until the link is back.

"""
VIRTUAL = """Time was virtual: the processor costs nothing, and the daemons' timers are exact. libnetwork does
not run in [virtual time](virtual-time.md). """


def page(runs: Runs) -> str:
    """Return the page in Markdown."""
    view = MultihopSamples(runs["multihop"])
    parts = [
        HEAD,
        "\n## What they are\n\n",
        _about(view),
        RESOURCES,
        _resources(runs["multihop"]),
        _hops(view),
        _encryption(runs["encryption"]),
        _failure(runs["paths-virtual"]),
        LIMITS,
        *(_conditions(name, run) for name, run in runs.items()),
    ]
    return "".join(parts)


def _own(run: StoredRun) -> list[str]:
    """Return the lab's own overlays that were measured; the tests install one more."""
    own = plugins.own_names("overlays")
    return [name for name in measured_overlays(run) if name.partition(":")[0] in own]


def _about(view: MultihopSamples) -> str:
    """Return a table of what each overlay said of itself: hop, mode, encryption, MTU (bytes)."""
    rows = []
    for name in _own(view.run):
        modes = (sample.mode for sample in view.run.samples if sample.overlay == name and sample.ok)
        mode = next(modes, {})  # of an overlay whose traffic always collapsed there is none
        said = [mode.get(key, NOTHING) for key in ("mode", "encryption", "mtu")]
        headers = f"{1500 - int(mode['mtu'])}" if mode.get("mtu", "").isdigit() else NOTHING
        rows.append([name, view.run.manifest.overlays[name].hops or NOTHING, *said, headers])
    return table(["overlay", "a hop is", "mode", "encryption", "MTU, bytes", "1500 less the MTU"], rows)


def _resources(run: StoredRun) -> str:
    rows = []
    for name in _own(run):
        noted = run.manifest.resources.get(name, [])
        seconds = Group([SampleValue(one.bring_up, one.seconds) for one in noted])
        memory = [(one.bring_up, fmean(one.memory.values()) / 2**20) for one in noted if one.memory]
        rows.append([name, text(seconds, 1), text(Group([SampleValue(*pair) for pair in memory]), 1)])
    return table(["overlay", "bring-up, s", "memory, MiB a host"], rows)


def _hops(view: MultihopSamples) -> str:
    rate = captions.rate(view.run)
    return "".join(
        [
            f"\n## Over one to five hops\n\nThe chain AMS–PRG–BRA–LJU–MIL–AMS, {rate}.\n",
            _by_hops(view, "Round trip, ms", LATENCY, "mean_ms", 2),
            _by_hops(view, "TCP received, Mbit/s", TCP, "received_mbps", 1),
            _by_hops(view, "UDP received, Mbit/s", UDP, "received_mbps", 1),
            "\n### What a hop adds to the round trip\n\n",
            f"The round trip over the most hops less that of the {CONTROL}, by the hops.\n\n",
            table(["overlay", "ms a hop [95 % interval]"], _added(view)),
        ]
    )


def _added(view: MultihopSamples) -> list[list[str]]:
    rows, far = [], view.targets[-1]
    hops = view.topology.hops(view.first, far)
    control = view.group(CONTROL, LATENCY, far, "mean_ms")
    for name in _own(view.run):
        own = view.group(name, LATENCY, far, "mean_ms")
        if name != CONTROL and own.summary and control.summary:
            value = (own.summary.mean - control.summary.mean) / hops
            rows.append(
                [name, _with_interval(contrast([(1 / hops, own.means), (-1 / hops, control.means)]), value)]
            )
    return rows


def _with_interval(found: Estimate | None, value: float) -> str:
    """Write an estimate with its interval; the value alone where too few bring-ups count for one."""
    return interval(found) if found else f"{value:.2f} (no interval: too few bring-ups count)"


def _by_hops(view: MultihopSamples, heading: str, metric: str, value: str, digits: int) -> str:
    """Return a table of one value by overlay and hops; "" without samples."""
    names = _own(view.run)
    groups = {(name, t): view.group(name, metric, t, value) for name in names for t in view.targets}
    there = [t for t in view.targets if any(groups[name, t].entries for name in names)]
    if not there:
        return ""
    columns = [f"{view.topology.hops(view.first, target)} ({target})" for target in there]
    rows = [[name, *(text(groups[name, target], digits) for target in there)] for name in names]
    return f"\n### {heading}\n\n{table(['overlay, by hops', *columns], rows)}"


def _encryption(run: StoredRun) -> str:
    """Return throughput and processor time of each overlay, and of its encryption beside it in the clear."""
    rows = []
    for name in _own(run):
        group = select(run.samples, name, TCP, "received_mbps")
        control = select(run.samples, CONTROLS.get(name, ""), TCP, "received_mbps")
        beside = NOTHING
        if group.summary and control.summary:
            share = _with_interval(
                ratio(group.means, control.means), group.summary.mean / control.summary.mean
            )
            beside = f"{share} of {CONTROLS[name]}"
        rows.append([captions.with_mode(run, name), text(group, 0), text(_cpu(run, name), 1), beside])
    columns = ["overlay", "TCP received, Mbit/s", "CPU, s a Gbit", "throughput as a share"]
    return ENCRYPTION + table(columns, rows)


def _cpu(run: StoredRun, overlay: str) -> Group:
    """Group the processor time of both hosts (s) for each gigabit that TCP carried."""
    profile = run.manifest.profile
    seconds = profile["seconds"].get(TCP, 0) + profile["warmup"].get(TCP, 0)

    def of(sample: Sample) -> float | None:
        rate = sample.values.get("received_mbps") if sample.ok else None
        hosts: Mapping[str, Mapping[str, float]] = sample.machine.get("hosts", {})
        used = sum(host["cpu_s"] for host in hosts.values())
        return used / (rate / 1000 * seconds) if rate and hosts else None

    return Group.by([s for s in run.samples if s.overlay == overlay and s.metric == TCP], of)


def _failure(run: StoredRun) -> str:
    """Return the time without an answer when a link failed, and which overlays found another way."""
    rows = []
    for name in _own(run):
        found = select(run.samples, name, FAILURE, "around")
        ways = f"{sum(found.valid):g} of {len(found.valid)}" if found.valid else NOTHING
        dark, gap = (select(run.samples, name, FAILURE, value) for value in ("dark_s", "gap_s"))
        rows.append([captions.with_mode(run, name), ways, text(dark, 1), text(gap, 1)])
    away = run.manifest.profile["seconds"].get(FAILURE, 0)
    clock = VIRTUAL if run.manifest.clock == "virtual" else ""
    columns = ["overlay", "found another way", "dark, s", "longest silence at the return, s"]
    return FAILURES.format(away, clock) + table(columns, rows)


def _conditions(name: str, run: StoredRun) -> str:
    told = [*captions.not_measured(run), *captions.verdicts(run)]
    if steal := [float(s.machine["steal"]) for s in run.samples if "steal" in s.machine]:
        shares = f"{fmean(steal):.1%} of its processors' time on average, {max(steal):.0%} at most"
        told.append(f"neighbours of this machine took {shares}")
    lines = [captions.conditions(run), captions.per_cell(run), *told]
    return f"\n## Conditions: {name}\n\n" + "".join(f"- {line}\n" for line in lines)


def keep(folder: Path, data: Path = DATA) -> Path:
    """Make an archive of a run, named by its experiment, and by its clock where that is virtual."""
    manifest = run_folder.read(folder).manifest
    clock = "-virtual" if manifest.clock == "virtual" else ""
    return kept_runs.keep(folder, f"overlays-{manifest.experiment}{clock}", data)


def stored(data: Path = DATA) -> Runs:
    """Read the runs that are kept."""
    return {name: kept_runs.stored(f"overlays-{name}", data) for name in RUNS}


def figures(runs: Runs, target: Path = FIGURES) -> list[Path]:
    """Draw the figures of the documentation from the runs, of the lab's own overlays; return the files."""
    made = []
    for run in runs.values():
        own = _own(run)
        states = {name: state for name, state in run.manifest.overlays.items() if name in own}
        samples = [sample for sample in run.samples if sample.overlay in own]
        kept = replace(run, manifest=run.manifest.model_copy(update={"overlays": states}), samples=samples)
        made += kept_runs.draw(kept, DRAWN, target)
    return made


def main(arguments: Sequence[str]) -> None:
    """Keep the runs that were named, write the page, and draw the figures."""
    for folder in arguments[1:] if arguments[:1] == ["--keep"] else ():
        print(keep(Path(folder)))
    runs = stored()
    PAGE.write_text(page(runs))
    for file in figures(runs):
        print(file)


if __name__ == "__main__":
    main(sys.argv[1:])
