"""Write what pages of the documentation say of stored runs: ``python -m scripts.stored_pages``.

A page names what it is to have in a comment, and has it between this line and the next comment::

    <!-- stored: tables window-virtual -->
    <!-- end -->

`MAKERS` has what can stand there. A run is an archive in ``docs/data``, or a pack beside the claims. With
``--keep NAME FOLDER`` the run in a folder is made such an archive first. `DRAWN` are the figures.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from experiments.common.traffic import TCP
from experiments.congestion.results import CONTROLS, relayed_miss
from lab.app.questions import answered
from lab.app.request import all_claims, load_experiment
from lab.published import THROUGHPUTS, PublishedThroughput
from lab.report import captions
from lab.report.claims import Check, scorecard
from lab.report.questions import PartAnswer
from lab.report.selection import NOTHING, select, text
from lab.report.statistics import CONFIDENCE
from lab.report.tables import Section
from lab.runs import pack
from lab.runs.run_folder import StoredRun
from scripts import kept_runs
from scripts.kept_runs import DATA, FIGURES, ROOT, table

PAGES = (ROOT / "docs/explanation", ROOT / "docs/reference/experiments")
PACKS = ROOT / "experiments/claims/runs"
#: By run: a figure of its experiment, and its name in `FIGURES`.
DRAWN: Mapping[str, Mapping[str, str]] = {
    "congestion": {"congestion": "congestion"},
    "packetcost": {"packetcost-udp": "packetcost-udp"},
}
PLACE = re.compile(
    r"(<!-- stored: (?P<maker>[\w-]+)(?P<names>[^>]*?) -->\n)(?P<made>.*?)(<!-- end -->)",
    re.DOTALL,
)


#: The link and overlay that Hermans & de Niet call faulty.
FAULTY = ("weave", {"BRA", "LJU"})


def names() -> list[str]:
    """Return the names of all runs that are kept, those beside the claims first."""
    packs = [file.name.removesuffix(".pack.zip") for file in sorted(PACKS.glob("*.pack.zip"))]
    return packs + [file.name.removesuffix(".tar.xz") for file in sorted(DATA.glob("*.tar.xz"))]


@cache
def stored(name: str) -> StoredRun:
    """Read a run that is kept, by the name of its archive or pack."""
    if (DATA / f"{name}.tar.xz").exists():
        return kept_runs.stored(name)
    with pack.runs_in(PACKS / f"{name}.pack.zip") as (run,):
        return run


def tables(name: str) -> str:
    """Return the tables of a run with their conditions."""
    run = stored(name)
    lines = [captions.conditions(run), captions.per_cell(run), *captions.not_measured(run)]
    told = "".join(f"- {line}\n" for line in [*lines, *captions.verdicts(run)])
    parts = [
        _section(one.columns, section)
        for one in load_experiment(run.manifest.experiment).tables(run)
        for section in one.sections
    ]
    return f"\n{told}{''.join(parts)}\n"


def _section(columns: Sequence[str], section: Section) -> str:
    if not section.rows:
        return f"\n{section.heading}.\n"
    return f"\n*{section.heading}*\n\n{table([one or ' ' for one in columns], section.rows)}"


def answers(question: str) -> str:
    """Return the answer to a question from the stored packs alone: sentences and their evidence."""
    runs = [stored(name) for name in names() if not (DATA / f"{name}.tar.xz").exists()]
    (found,) = [one for one in answered(runs) if one.question.id == question]
    return "".join(map(_part, found.parts))


def _part(part: PartAnswer) -> str:
    return f"\n**{part.sentence}**\n\n" + "".join(f"- {line}\n" for line in part.evidence) + "\n"


def claims(*ids: str) -> str:
    """Return the answers to claims from the stored runs; a claim without one cannot be told."""
    runs = [stored(name) for name in names()]
    wanted = {name: [one for one in own if one.id in ids] for name, own in all_claims().items()}
    rows = [
        [row.claim.text, row.answer.verdict, row.evidence, row.run or NOTHING]
        for row in scorecard({name: own for name, own in wanted.items() if own}, runs)
    ]
    return f"\n{table(['claim', 'answer', 'evidence', 'run'], rows)}\n"


def published() -> str:
    """Return ratios of throughputs that were published: containers by machines, and TCP by UDP."""
    sound = [row for row in THROUGHPUTS if (row.instance, {row.a, row.b}) != FAULTY]
    vms = {(row.instance, row.a, row.b): row for row in sound if row.platform == "vm"}
    boxes = [row for row in sound if row.platform == "docker"]
    rows = []
    for name in dict.fromkeys(row.instance for row in boxes):
        own = [row for row in boxes if row.instance == name]
        machines = [vms[name, row.a, row.b] for row in own]
        udp = [one.udp / vm.udp for one, vm in zip(own, machines, strict=True)]
        rows.append([name, str(len(own)), *map(_range, (udp, _tcp_by_udp(machines), _tcp_by_udp(own)))])
    columns = ["overlay", "links", "UDP, containers by machines", "TCP by UDP, machines", "containers"]
    return f"\n{table(columns, rows)}\n"


def _tcp_by_udp(rows: Sequence[PublishedThroughput]) -> list[float]:
    return [row.tcp / row.udp for row in rows]


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def prices(*names: str) -> str:
    """Return TCP over Weave's fast datapath by hops, by the price of an upcall."""
    runs = [stored(name) for name in names]
    hops = sorted({sample.params["hops"] for run in runs for sample in run.samples})
    rows = []
    for run in runs:
        price = f"{run.manifest.costs.get('upcall', 0.0):g}"
        means = (_tcp(run, count) for count in hops)
        rows.append([price, *means])
    columns = ["µs an upcall", *(f"{count} hop{'s' * (count > 1)}" for count in hops)]
    run = runs[0]
    told = f"TCP received, Mbit/s; {captions.per_cell(run)}; run {', '.join(r.manifest.run for r in runs)}"
    return f"\n{table(columns, rows)}\n{told}.\n\n"


def _tcp(run: StoredRun, hops: int, control: str = "cubic") -> str:
    (overlay,) = run.manifest.overlays
    return text(select(run.samples, overlay, TCP, "received_mbps", hops=hops, control=control), 1)


def controls(*names: str) -> str:
    """Return TCP over one and two hops of Weave's routers by congestion control, and what relays missed."""
    runs = [stored(name) for name in names]
    rows = []
    for run in runs:
        (version,) = {sample.mode["version"] for sample in run.samples}
        shares = [check.estimate(CONFIDENCE) for check in relayed_miss(run) if isinstance(check, Check)]
        missed = ", ".join(f"{share.value:.2%}" for share in shares if share)
        rows += [[version, name, _tcp(run, 1, name), _tcp(run, 2, name), missed] for name in CONTROLS]
    columns = ["router", "congestion control", "1 hop", "2 hops", "lookups that the relay missed"]
    told = f"TCP received, Mbit/s; {captions.rate(runs[0])}; run {', '.join(r.manifest.run for r in runs)}"
    return f"\n{table(columns, rows)}\n{told}.\n\n"


#: What a place in a page can have, by its word.
MAKERS: Mapping[str, Callable[..., str]] = {
    "tables": tables,
    "answers": answers,
    "prices": prices,
    "controls": controls,
    "claims": claims,
    "published": published,
}


def written(page: str) -> str:
    """Return a page's text with all that is made of stored runs."""

    def fill(place: re.Match[str]) -> str:
        return place[1] + MAKERS[place["maker"]](*place["names"].split()) + place[5]

    return PLACE.sub(fill, page)


def pages() -> list[Path]:
    """Return the pages that have something of stored runs."""
    return sorted(page for folder in PAGES for page in folder.glob("*.md") if PLACE.search(page.read_text()))


def figures(target: Path = FIGURES) -> list[Path]:
    """Draw the figures of `DRAWN`; return the files."""
    drawn = (kept_runs.draw(stored(name), wanted, target) for name, wanted in DRAWN.items())
    return [file for files in drawn for file in files]


def main(arguments: Sequence[str]) -> None:
    """Keep the run that is named, write the pages, and draw the figures."""
    if arguments[:1] == ["--keep"]:
        print(kept_runs.keep(Path(arguments[2]), arguments[1]))
    for page in pages():
        page.write_text(written(page.read_text()))
        print(page)
    for file in figures():
        print(file)


if __name__ == "__main__":
    main(sys.argv[1:])
