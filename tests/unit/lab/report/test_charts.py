"""Charts: which samples make a bar, what stands in the table, and what is never there."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from experiments.cpu import Cpu
from experiments.encryption import Encryption
from experiments.mesh import Mesh
from experiments.throughput import Throughput
from lab import catalog
from lab.report import charts
from lab.report.charts import SampleView, Series, table
from lab.runs.experiment import Cell
from lab.runs.manifest import OverlayState
from lab.runs.sample import Verdict
from lab.topology import Topology
from tests.unit.synthetic import synthetic

POINT = catalog.topology("point_to_point")


def halves(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
    """Every overlay carries half of what the control does."""
    return {
        "received_mbps": (100 if cell.overlay == "underlay" else 50) + chance.gauss(0, 0.5),
        "mean_ms": 1.0,
    }


def rows(run: object, chart: charts.Chart, heading: str) -> list[list[str]]:
    found = next(s for s in table(run, chart).sections if heading in s.heading)  # type: ignore[arg-type]
    return [list(row) for row in found.rows]


def test_a_ratio_to_the_control_has_its_interval(tmp_path: Path) -> None:
    run = synthetic(tmp_path, ("underlay", "weave"), experiment=Throughput(), topology=POINT, values=halves)
    ((_, control, weave),) = rows(run, Throughput.charts[0], "TCP, as a multiple of underlay's")
    assert control == "–"
    assert weave.startswith("0.50 [")


def test_too_few_samples_have_a_mean_and_no_ratio(tmp_path: Path) -> None:
    run = synthetic(
        tmp_path,
        ("underlay", "weave"),
        experiment=Throughput(),
        topology=POINT,
        values=halves,
        repetitions=2,
    )
    headings = [section.heading for section in table(run, Throughput.charts[0]).sections]
    assert not any("as a multiple" in heading for heading in headings)
    ((_, control, _weave),) = rows(run, Throughput.charts[0], "TCP, received")
    assert "[" not in control


def test_samples_that_do_not_count_are_shown_and_in_no_ratio(tmp_path: Path) -> None:
    run = synthetic(
        tmp_path,
        ("underlay", "weave"),
        experiment=Throughput(),
        topology=POINT,
        values=halves,
        verdict=lambda cell, n: Verdict(state="emulator-bound" if cell.overlay == "weave" else "valid"),
    )
    ((_, _control, weave),) = rows(run, Throughput.charts[0], "TCP, received")
    assert "none of 6 valid" in weave
    assert not any("as a multiple" in s.heading for s in table(run, Throughput.charts[0]).sections)


def test_each_kind_of_encryption_is_compared_with_its_own_overlay(tmp_path: Path) -> None:
    names = ("tinc", "tinc:encryption=on")
    run = synthetic(tmp_path, names, experiment=Encryption(), topology=POINT, values=halves)
    ((_, clear, encrypted),) = rows(run, Encryption.charts[0], "TCP, as a multiple of tinc's")
    assert clear == "–"
    assert encrypted.startswith("1.0")


def test_places_of_numbers_are_in_their_order_and_of_links_named(tmp_path: Path) -> None:
    mesh = catalog.topology("full_mesh")
    run = synthetic(tmp_path, ("underlay",), experiment=Mesh(), topology=mesh, values=halves)
    words = [row[0] for row in rows(run, Mesh.charts[0], "UDP request")]
    assert len(words) == 10
    assert words[:2] == ["AMS–PRG", "AMS–BRA"], "hosts are in the order of the topology"


def test_a_view_ignores_failed_samples(tmp_path: Path) -> None:
    run = synthetic(tmp_path, ("underlay",), experiment=Throughput(), topology=POINT, values=halves)
    failed = [s.model_copy(update={"outcome": "failed"}) for s in run.samples]
    assert not SampleView(replace(run, samples=failed), Throughput.charts[0]).samples


def test_a_line_that_is_not_drawn_stands_in_the_table(tmp_path: Path) -> None:
    both = (Series("TCP", "tcp", "received_mbps"), Series("twice", "tcp", "received_mbps", drawn=False))
    chart = charts.Chart("c", "t", "y", both)
    run = synthetic(tmp_path, ("underlay", "weave"), experiment=Throughput(), topology=POINT, values=halves)
    assert rows(run, chart, "twice, y")
    (drawn,) = charts._panels(SampleView(run, chart))
    assert [series.label for series in drawn.series] == ["TCP"]


def test_a_quantity_makes_lines_and_a_category_bars(tmp_path: Path) -> None:
    for name, experiment, lines in (("cpu", Cpu(), True), ("mesh", Mesh(), False)):
        topology = catalog.topology(experiment.topology)
        run = synthetic(
            tmp_path / name, ("underlay",), experiment=experiment, topology=topology, values=halves
        )
        (panel,) = charts._panels(SampleView(run, experiment.charts[0]))
        assert panel.lines == lines
        assert panel.title == "underlay (test)"


def test_numbers_that_are_cases_are_bars(tmp_path: Path) -> None:
    topology = catalog.topology(Cpu.topology)
    run = synthetic(tmp_path, ("underlay",), experiment=Cpu(), topology=topology, values=halves)
    chart = Cpu().charts[0]
    (lines,), (bars,) = (
        charts._panels(SampleView(run, one)) for one in (chart, replace(chart, categories=True))
    )
    assert (lines.lines, bars.lines) == (True, False)
    assert list(bars.places) == [f"{place:g}" for place in lines.places]


def test_what_the_links_allow_is_beside_rates_alone(tmp_path: Path) -> None:
    topology = catalog.topology("full_mesh:rate=50")
    run = synthetic(tmp_path, ("underlay",), experiment=Mesh(), topology=topology, values=halves)
    latency, throughput = (charts._panels(SampleView(run, chart))[0] for chart in Mesh.charts)
    assert set(latency.series[0].limits) == {None}
    assert {round(limit or 0, 1) for limit in throughput.series[0].limits} == {47.8}


def test_overlays_are_beside_what_they_are_compared_with_and_those_not_had_have_a_line(
    tmp_path: Path,
) -> None:
    names = ("tinc:encryption=on", "underlay", "tinc", "wireguard")
    lacking = {"flannel": OverlayState(state="not obtainable", reason="no binary", remedy="name one")}
    states = {name: OverlayState(state="ok") for name in names} | lacking
    run = synthetic(tmp_path, names, experiment=Encryption(), topology=POINT, values=halves, overlays=states)
    (panel,) = charts._panels(SampleView(run, Encryption.charts[0]))
    assert panel.places == [
        *("underlay (test)", "wireguard (test)", "tinc (test)", "tinc, encryption on (test)", "flannel")
    ]
    assert panel.at == [0, 1, 2.5, 3.5, 5.0]
    assert panel.notes == {4: "not obtainable here"}
    assert panel.series[0].means[4] is None


def test_samples_of_before_without_a_parameter_have_a_place_before_the_others(tmp_path: Path) -> None:
    run = synthetic(
        tmp_path, ("underlay",), experiment=Mesh(), topology=catalog.topology("full_mesh"), values=halves
    )
    first = run.samples[0].model_copy(update={"params": {}})
    view = SampleView(replace(run, samples=[*run.samples, first]), Mesh.charts[0])
    assert view.places[0] == (None, None)
    assert len(view.places) == 11
