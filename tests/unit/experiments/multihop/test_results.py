"""Tables, figures and page of the multi-hop experiment, from runs made up for the test."""

from __future__ import annotations

import random
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.multihop import claims as multihop_claims
from experiments.multihop import results
from experiments.multihop.experiment import Multihop
from experiments.multihop.results import SEGMENT
from lab import catalog
from lab.cli.console import lines
from lab.report import claims, html
from lab.report.tables import Table
from lab.runs.experiment import Cell
from lab.runs.manifest import OverlayState
from lab.runs.run_folder import StoredRun, read
from lab.runs.sample import Verdict
from lab.topology import Topology
from tests.unit.synthetic import synthetic
from topologies.linear import topology as linear


def exact(cell: Cell, topology: Topology, chance: random.Random) -> dict[str, float]:
    """Every latency is what the links were asked for; every hop costs a Mbit/s."""
    hops = cell.params["hops"]
    if cell.metric in ("latency", "segment"):
        return {"mean_ms": topology.rtt(cell.params["from"], cell.params["to"])}
    return {"sent_mbps": 900.0, "received_mbps": 20.0 - hops}


def every_hop(
    path: Path, overlays: Sequence[str] = ("weave",), more: Mapping[str, int] = {SEGMENT: 1}, **known: Any
) -> StoredRun:
    """Make a run over each number of hops, with the latency of every link, or with the metrics of `more`."""
    quick = Multihop.profiles["quick"]
    repetitions, seconds = {**quick.repetitions, **more}, {**quick.seconds, **dict.fromkeys(more, 2)}
    profile = replace(quick, repetitions=repetitions, seconds=seconds)
    return synthetic(path, overlays, profile=profile, **known)


def table(run: StoredRun) -> Table:
    (found,) = Multihop().tables(run)
    return found


def rows(found: Table, heading: str) -> list[list[str]]:
    section = next(s for s in found.sections if s.heading.startswith(heading))
    return [list(row) for row in section.rows]


def test_latency_by_hops_beside_what_was_asked_and_what_was_published(tmp_path: Path) -> None:
    found = table(every_hop(tmp_path, values=exact))
    assert found.columns == ["hops", "to", "weave", "asked", "2016"]
    assert rows(found, "latency")[0] == ["1", "PRG", "21.75 ± 0.00 [21.75–21.75]", "21.75", "21.75"]
    assert [row[-1] for row in rows(found, "latency")] == ["21.75", "26.45", "68.03", "120.60", "161.23"]


def test_segments_are_summed_along_the_path(tmp_path: Path) -> None:
    found = table(every_hop(tmp_path, values=exact))
    sums = [row[2] for row in rows(found, "sum")]
    assert sums[-1] == "161.23 ± 0.00 (+0.00)"
    assert [s.split()[0] for s in sums] == ["21.75", "26.45", "68.03", "120.60", "161.23"]


def test_throughput_has_both_views_and_the_claims_as_words(tmp_path: Path) -> None:
    found = table(every_hop(tmp_path, values=exact))
    assert rows(found, "TCP received")[1] == ["2", "BRA", "18.0 ± 0.0 [18.0–18.0]", "20", ""]
    assert rows(found, "UDP sent")[0][2] == "900.0 ± 0.0 [900.0–900.0]"
    headings = " ".join(s.heading for s in found.sections)
    assert "2016: drops sharply after the first hop" in headings
    assert "2016: falls only slightly" in headings
    assert "no latency is added" in headings


def test_rate_and_shaper_are_named(tmp_path: Path) -> None:
    text = "\n".join(lines(table(synthetic(tmp_path, ("weave",)))))
    assert "links of 20 Mbit/s" in text
    assert "shaped by wire" in text
    assert "TCP bbr" in text
    assert "tcp 1 × 2 s after 2 s that do not count" in text
    assert "in each of 3 bring-ups of the overlay" in text


def test_samples_that_do_not_count_are_marked_and_counted(tmp_path: Path) -> None:
    def judged(cell: Cell, repetition: int) -> Verdict:
        bad = cell.metric == "tcp" and (cell.params["hops"] == 5 or repetition == 1)
        return Verdict(state="emulator-bound" if bad else "valid")

    found = table(every_hop(tmp_path, values=exact, verdict=judged))
    cells = [row[2] for row in rows(found, "TCP received")]
    assert cells[0] == "19.0 ± 0.0 (2 of 3 valid; all 19.0)"
    assert cells[4] == "15.0 ± 0.0 (none of 3 valid)"
    assert any(note.startswith("7 of 60 samples emulator-bound") for note in found.notes)


def test_a_sum_of_segments_that_do_not_count_is_marked(tmp_path: Path) -> None:
    def judged(cell: Cell, repetition: int) -> Verdict:
        bad = cell.metric == "segment" and cell.params["from"] == "PRG"
        return Verdict(state="emulator-bound" if bad else "valid")

    run = every_hop(tmp_path, values=exact, verdict=judged)
    sums = [row[2] for row in rows(table(run), "sum")]
    assert sums[0] == "21.75 ± 0.00 (+0.00)"
    assert sums[1] == "26.45 ± 0.00 (+0.00) (a link is not valid)"
    svg = Multihop().figures(run, tmp_path / "figures")[0].read_text()
    assert "cumulative sum of links" in svg
    assert "no valid sample" in svg


def test_an_overlay_that_cannot_be_had_has_a_line_of_its_own(tmp_path: Path) -> None:
    lacking = OverlayState(state="not obtainable", reason="no router is here", remedy="name one")
    overlays = {"underlay": OverlayState(state="ok"), "weave": lacking}
    found = table(synthetic(tmp_path, ("underlay",), overlays=overlays))
    assert [s.heading for s in found.sections][
        -1
    ] == "weave: not obtainable here: no router is here; name one"


def test_nothing_unmeasured_is_printed(tmp_path: Path) -> None:
    def some(cell: Cell, topology: Topology, chance: random.Random) -> dict[str, float]:
        known = cell.metric == "latency" and cell.params["hops"] < 3
        return exact(cell, topology, chance) if known else {}

    found = table(synthetic(tmp_path, ("weave",), values=some))
    assert [len(s.rows) for s in found.sections] == [2]
    assert "161.23" not in "\n".join(lines(found))


def test_another_topology_has_no_published_figures(tmp_path: Path) -> None:
    other = linear(["AMS", "HAM", "CPH"], rate=50)
    found = table(synthetic(tmp_path, ("weave",), values=exact, topology=other))
    assert [row[-1] for row in rows(found, "latency")] == ["", ""]
    assert rows(found, "TCP received")[0][-2] == "50"


def test_plain_lines_are_aligned(tmp_path: Path) -> None:
    text = list(lines(table(synthetic(tmp_path, ("underlay", "weave"), values=exact))))
    places = {line.index("20.0") for line in text if " 20" in line and "20.0" in line}
    assert text[1].startswith("hops  to    underlay")
    assert len(places) <= 1
    assert all(line == line.rstrip() for line in text)


def test_figures_15_and_16_are_drawn_in_every_form(tmp_path: Path) -> None:
    def judged(cell: Cell, repetition: int) -> Verdict:
        return Verdict(state="broken" if cell.metric == "udp" else "valid")

    more = dict.fromkeys((SEGMENT, "udp8192", "udp1470"), 1)
    run = every_hop(tmp_path, ("underlay", "weave"), verdict=judged, more=more)
    files = Multihop().figures(run, run.path / "figures")
    assert [f.name for f in files] == [
        f"{name}.{form}"
        for name in ("fig15-latency", "fig15-added", "fig16-throughput")
        for form in ("svg", "pdf", "png", "txt")
    ]
    latency, _, throughput = (f.read_text() for f in files if f.suffix == ".svg")
    for words in ("overall latency", "cumulative sum of links", "published 2016", "requested of the links"):
        assert f">{words}</text>" in latency
    for words in (
        "TCP received",
        "UDP received",
        "UDP sent",
        "UDP of 8192 bytes received",
        "UDP of 8192 bytes sent",
        "UDP of 1470 bytes received",
        "UDP of 1470 bytes sent",
        "no valid sample",
        "sample that is not valid",
        "weave (test)",
    ):
        assert f">{words}</text>" in throughput
    assert all("links of 20 Mbit/s, shaped by wire" in f.read_text() for f in files if f.suffix == ".txt")


def test_added_latency_is_what_is_measured_less_what_was_asked(tmp_path: Path) -> None:
    def slower(cell: Cell, topology: Topology, chance: random.Random) -> dict[str, float]:
        asked = topology.rtt(cell.params["from"], cell.params["to"])
        return {"mean_ms": asked + 0.5 * cell.params["hops"]}

    view = results.MultihopSamples(every_hop(tmp_path, values=slower))
    ((series,),) = [panel.series for panel in results._added(view).panels]
    assert [round(one.value, 6) for one in series.means if one] == [0.5, 1.0, 1.5, 2.0, 2.5]


def test_hosts_that_are_as_many_hops_away_are_bars(tmp_path: Path) -> None:
    star = synthetic(tmp_path, ("weave",), topology=catalog.topology("star"))
    (panel,) = results._latency(results.MultihopSamples(star)).panels
    assert panel.places == ["1: AMS", "1: MIL", "1: LJU"]


def test_the_same_samples_give_the_same_drawing(tmp_path: Path) -> None:
    run = synthetic(tmp_path, ("weave",))
    one = Multihop().figures(run, tmp_path / "a")[0].read_text()
    other = Multihop().figures(run, tmp_path / "b")[0].read_text()
    assert one == other


def test_a_run_without_samples_draws_nothing_and_says_so(tmp_path: Path) -> None:
    run = synthetic(tmp_path, ())
    assert Multihop().figures(run, tmp_path / "figures") == []
    assert "Nothing was measured" in html.render(run, Multihop(), [])


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    run = synthetic(tmp_path_factory.mktemp("run"), ("underlay", "weave"))
    experiment = Multihop()
    figures = experiment.figures(run, run.path / "figures")
    return html.write(run, experiment, run.path, figures).read_text()


class TestPage:
    def test_it_needs_nothing_from_anywhere(self, page: str) -> None:
        assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
        assert "http" not in re.sub(r"data:[^\"]*", "", page)
        assert page.count("data:image/svg+xml") == 4, "three figures and the topology"
        assert len(page) < 1_000_000

    def test_the_answer_comes_first_and_conditions_last(self, page: str) -> None:
        order = ["Answer</h2>", "Figures</h3>", "Tables</h3>", "Samples</h3>", "Conditions and checks</h3>"]
        places = [page.index(heading) for heading in order]
        assert places == sorted(places)
        assert "161.23" in page[places[2] : places[3]]

    def test_tables_are_folded_by_topic(self, page: str) -> None:
        topics = re.findall(r'<details class="topic"( open="")?><summary>(TCP received|latency, ms)', page)
        assert topics == [(' open=""', "latency, ms"), ("", "TCP received"), ("", "TCP received")]

    def test_every_sample_has_a_row_with_its_verdict(self, page: str) -> None:
        table = page[page.index('id="samples-table-1"') :]
        assert table[: table.index("</table>")].count("<td>valid</td>") == 54

    def test_how_to_repeat_it_is_one_command_with_its_seed(self, page: str) -> None:
        assert ">sudo lab emulate multihop --seed 7</pre>" in page
        assert "/x/lab" not in page

    def test_it_is_well_formed_but_for_void_elements(self, page: str) -> None:
        body = re.sub(r"<(meta|img|br|input)([^>]*)>", r"<\1\2/>", page.removeprefix("<!doctype html>"))
        ET.fromstring(body)

    def test_what_comes_from_a_run_is_escaped(self, tmp_path: Path) -> None:
        evil = {"x": OverlayState(state="failed", reason="<script>alert(1)</script>")}
        run = synthetic(tmp_path, (), overlays=evil, complete=False)
        page = html.render(run, Multihop(), [])
        assert "<script>alert" not in page
        assert "&lt;script&gt;" in page
        assert "not complete" in page


def test_everything_is_drawn_from_what_is_on_disk(tmp_path: Path) -> None:
    run = synthetic(tmp_path, ("weave",))
    again = read(run.path)
    assert list(lines(table(run))) == list(lines(table(again)))


def test_the_two_meanings_of_a_hop_are_told_apart(tmp_path: Path) -> None:
    run = synthetic(tmp_path, ("underlay", "weave", "libnetwork", "tinc"))
    said = " ".join(table(run).notes)
    assert "hops: overlay (weave, tinc), routed underlay (underlay, libnetwork);" in said
    assert "routed underlay (underlay" in html.render(run, Multihop(), [])


def test_hops_that_were_left_out_are_not_said_to_be_missing_in_the_topology(tmp_path: Path) -> None:
    whole = every_hop(tmp_path, values=exact)
    run = replace(whole, samples=tuple(s for s in whole.samples if s.params["hops"] != 1))
    (found,) = multihop_claims.throughput(
        run, claims.Band(high=0.67), metric="tcp", start=1, below_the_rate=False
    )
    assert isinstance(found, claims.CheckResult)
    assert "this run did not measure over both" in found.text
