"""Tables, figures and claims of packetcost. Figures are exact: an interval spans what the boots counted."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from statistics import fmean, median

from experiments.common import claims as common
from experiments.packetcost.guest import SIZES, SIZES_AGAIN, STATES, TCP, UDP, WITH_OPENVSWITCH
from lab.icount import profile
from lab.published import CONTROL, THROUGHPUTS
from lab.report import captions
from lab.report.charts import Chart, Series
from lab.report.claims import (
    OPEN,
    REFUTED,
    REPRODUCED,
    TIMES_AS_MUCH,
    Band,
    Check,
    CheckResult,
    Checks,
    measured,
)
from lab.report.selection import NOTHING, measured_overlays, select
from lab.report.statistics import Estimate
from lab.report.tables import Section, Table
from lab.runs.run_folder import StoredRun

#: The value that counts both hosts, and the size (bytes) of datagrams whose code is profiled: iperf 2's.
BOTH, PROFILED_SIZE = "instructions", 1470
#: The size (bytes) that just fits an overlay whose MTU is 1450.
FITS = 1422
#: What the verb stores of where instructions go, by path and function.
CODE, MOST_FUNCTIONS = "reports/code.json", 40
COMMAND = "packetcost"
CLOCK = (
    "the least of 500 datagrams, or of 60 times 131072 bytes of TCP; figures of both hosts and of the sender "
    "include two readings of the clock (some 160 instructions)"
)

CHARTS = (
    Chart(
        name="packetcost-udp",
        title="Instructions of one UDP datagram",
        x=("size",),
        x_label="bytes in a datagram",
        y_label="instructions",
        series=(
            Series("both hosts", UDP, BOTH),
            Series("sender", UDP, "sender"),
            Series("receiver", UDP, "receiver"),
        ),
        digits=0,
        note=CLOCK,
        categories=True,  # three sizes around the MTU lie within 100 bytes, the fourth is far away
    ),
    Chart(
        name="packetcost-tcp",
        title="Instructions of one byte in TCP, both hosts, with and without offload at the ends of the path",
        x=("offload",),
        x_label="offload",
        y_label="instructions per byte",
        series=(Series("both hosts", TCP, BOTH),),
        digits=2,
        note=CLOCK,
    ),
    Chart(
        name="packetcost-openvswitch",
        title="Instructions of one UDP datagram with the module openvswitch loaded, both hosts",
        x=("size",),
        x_label="bytes in a datagram",
        y_label="instructions",
        series=(Series("not loaded", UDP, BOTH), Series("loaded", WITH_OPENVSWITCH, BOTH)),
        digits=0,
        note="loading it puts connection tracking into every network namespace, used or not",
        categories=True,
    ),
)

#: What a claim compares: the instructions that each boot counted of one cell.
Counts = Sequence[float]


def counts(run: StoredRun, path: str, metric: str, **params: object) -> Counts:
    """Return the instructions of both hosts that each boot counted of a cell."""
    return select(run.samples, path, metric, BOTH, **params).valid


def quotient(one: Counts, other: Counts, scale: float = 1.0) -> Estimate | None:
    """Divide two figures; the interval spans all boots, and has no width where they agree."""
    if not one or not other:
        return None
    return Estimate(
        scale * fmean(one) / fmean(other),
        scale * min(one) / max(other),
        scale * max(one) / min(other),
    )


def check(label: str, band: Band, one: Counts, other: Counts, unit: str, scale: float = 1.0) -> Check:
    """Make a check of a quotient of two figures."""
    reason = "" if one and other else "it was not counted"
    return Check(label, band, lambda confidence: quotient(one, other, scale), reason, unit)


def overlays(run: StoredRun) -> list[str]:
    """Return the paths of overlays that the studies measured as well."""
    return measured(run, CONTROL)


def offload_gains(run: StoredRun, band: Band) -> Checks:
    """Compare TCP without offload to TCP with, per overlay."""
    off, on = (partial(counts, run, metric=TCP, offload=state) for state in ("off", "on"))
    return [check(name, band, off(name), on(name), TIMES_AS_MUCH) for name in overlays(run)]


def without_offload(run: StoredRun, band: Band) -> Checks:
    """Compare the control's TCP to each overlay's, both without offload."""
    off = partial(counts, run, metric=TCP, offload="off")
    unit = f"of the {CONTROL}'s"
    return [check(name, band, off(CONTROL), off(name), unit) for name in overlays(run)]


def across_the_mtu(run: StoredRun, band: Band) -> Checks:
    """Compare bytes per instruction of a datagram in two fragments to those of one that just fits."""
    scale = PROFILED_SIZE / FITS
    return [
        check(
            f"{name} from {FITS} to {PROFILED_SIZE} bytes",
            band,
            counts(run, name, UDP, size=FITS),
            counts(run, name, UDP, size=PROFILED_SIZE),
            TIMES_AS_MUCH,
            scale,
        )
        for name in overlays(run)
    ]


def encapsulated(run: StoredRun, band: Band) -> Checks:
    """Compare the control's datagrams that fit one packet everywhere to each overlay's."""
    rows = partial(counts, run, metric=UDP, size=FITS)
    unit = f"of the {CONTROL}'s"
    return [check(name, band, rows(CONTROL), rows(name), unit) for name in overlays(run)]


def as_published(run: StoredRun, _: Band) -> Checks:
    """Compare the control's datagrams of 1470 bytes to each overlay's; the band is that of the links."""
    rows = partial(counts, run, metric=UDP, size=PROFILED_SIZE)
    checks = []
    for name in overlays(run):
        if found := published(name)["udp"]:
            own = Band(round(min(found), 2), round(max(found), 2))
            checks.append(check(name, own, rows(CONTROL), rows(name), f"of the {CONTROL}'s"))
    return checks


def openvswitch_costs(run: StoredRun, band: Band) -> Checks:
    """Compare datagrams with the module loaded to those without, per path and size."""
    return [
        check(
            f"{name}, {size} bytes",
            band,
            counts(run, name, WITH_OPENVSWITCH, size=size),
            counts(run, name, UDP, size=size),
            TIMES_AS_MUCH,
        )
        for name in measured_overlays(run)
        for size in SIZES_AGAIN
        if counts(run, name, WITH_OPENVSWITCH, size=size)
    ]


def exact(run: StoredRun, _: Band) -> Checks:
    """Compare the figures of every boot with those of the first, cell by cell."""
    found: dict[str, list[Mapping[str, float]]] = {}
    for sample in run.samples:
        if sample.ok:
            found.setdefault(sample.cell, []).append(sample.values)
    if not found:
        return []
    boots = min(len(values) for values in found.values())
    if boots < 2:
        return [CheckResult(OPEN, f"some cells have {boots} boot; two can differ")]
    differing = [cell for cell, values in found.items() if any(one != values[0] for one in values)]
    if differing:
        first = ", ".join(sorted(differing)[:3])
        return [CheckResult(REFUTED, f"{len(differing)} of {len(found)} cells differ between boots: {first}")]
    return [CheckResult(REPRODUCED, f"{len(found)} cells have the same figures in {boots} boots")]


CLAIMS = common.of(
    "packetcost",
    {
        "offload_gains": offload_gains,
        "without_offload": without_offload,
        "across_the_mtu": across_the_mtu,
        "encapsulated": encapsulated,
        "as_published": as_published,
        "openvswitch_costs": openvswitch_costs,
        "exact": exact,
    },
    COMMAND,
)


def published(overlay: str) -> dict[str, list[float]]:
    """Return what an overlay carried as a share of its own machines' network, per link and protocol."""
    found: dict[str, list[float]] = {"tcp": [], "udp": []}
    own = [row for row in THROUGHPUTS if row.instance == overlay]
    machines = {(row.study, row.a, row.b): row for row in own if row.platform == "vm"}
    for row in own:
        if row.platform == "docker" and (vm := machines.get((row.study, row.a, row.b))):
            found["tcp"].append(row.tcp / vm.tcp)
            found["udp"].append(row.udp / vm.udp)
    return found


def beside_published(run: StoredRun) -> Table:
    """Make a table of each path's share of the control, if instructions are the limit, and the published."""
    paths = [name for name in measured_overlays(run) if name != CONTROL]
    columns = ["", *paths]
    title = f"Carried per instruction, as a multiple of the {CONTROL}'s, and as published"
    sections = [
        Section("counted, both hosts", list(_shares(run, paths))),
        Section("published 2016, median [minimum–maximum] of the links", _published_rows(paths)),
    ]
    if not sections[0].rows:
        sections = []
    note = "the published values also include the work of iperf itself, and any other limits"
    return captions.table(run, title, columns, sections, note)


def _shares(run: StoredRun, paths: Sequence[str]) -> Iterator[list[str]]:
    """Rows of quotients; a row without any is left out."""
    udp = [(f"UDP, {size} bytes", UDP, {"size": size}) for size in SIZES]
    tcp = [(f"TCP, offload {state}", TCP, {"offload": state}) for state in STATES]
    cells: list[tuple[str, str, Mapping[str, object]]] = [*udp, *tcp]
    for label, metric, params in cells:
        control = counts(run, CONTROL, metric, **params)
        shares = [quotient(control, counts(run, name, metric, **params)) for name in paths]
        if any(shares):
            yield [label, *(f"{share.value:.2f}" if share else NOTHING for share in shares)]


def _published_rows(paths: Sequence[str]) -> list[list[str]]:
    found = {name: published(name) for name in paths}
    return [
        [f"{protocol.upper()}, iperf", *(_median(found[name][protocol]) for name in paths)]
        for protocol in ("udp", "tcp")
    ]


def _median(values: Sequence[float]) -> str:
    return f"{median(values):.2f} [{min(values):.2f}–{max(values):.2f}]" if values else NOTHING


def code(run: StoredRun) -> list[Table]:
    """Make the table of where instructions go, if they were counted by function."""
    file = run.path / CODE
    if not file.exists():
        return []
    profiles: dict[str, dict[str, float]] = json.loads(file.read_text())
    rows = profile.table(profiles, MOST_FUNCTIONS)
    title = f"Instructions of one datagram of {PROFILED_SIZE} bytes by function, both hosts"
    return [captions.table(run, title, ["function", *profiles], [Section("on average", rows)], "")]
