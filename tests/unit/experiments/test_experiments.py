"""What every experiment holds to: its grid, its page, its tables and figures, and what it parses."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments import cpu, encryption, fragmentation, mesh, offload, paths, streaming, throughput, window
from lab import catalog, plugins
from lab.app.request import load_experiment
from lab.errors import MeasureError
from lab.hosts.host import Endpoint, Result
from lab.measure.shared_port import shared_port
from lab.report.html import render
from lab.runs.experiment import Cell, Experiment
from lab.topology import Topology
from overlays import registry
from tests.paths import FIXTURES, ROOT
from tests.unit.fakes import FakeHost
from tests.unit.synthetic import synthetic

OUTPUTS = FIXTURES
DOCS = ROOT / "docs" / "experiments"
NAMES = plugins.names("experiments")
#: What the issue asks for.
ASKED = {
    *("congestion", "cpu", "datagram", "encryption", "fragmentation", "mesh"),
    *("multihop", "offload", "paths", "streaming", "throughput", "window"),
}


def grid(experiment: Experiment, overlay: str = "weave") -> list[Cell]:
    topology = catalog.topology(experiment.topology)
    return list(experiment.cells(topology, overlay, experiment.profiles["quick"]))


def text(name: str) -> str:
    return (OUTPUTS / name).read_text()


def endpoints(topology: Topology, answers: Mapping[str, str]) -> dict[str, Endpoint]:
    """Endpoints that answer a program's name with a recording, and anything else with nothing."""

    def answer(argv: Sequence[str]) -> tuple[int, str]:
        for word, said in answers.items():
            if word in argv:
                return (124 if word == "stress-ng" else 0), said
        return 0, ""

    return {
        host.name: Endpoint(FakeHost(host.name, answer), "c", f"192.0.2.{n}")  # type: ignore[arg-type]
        for n, host in enumerate(topology.hosts, 1)
    }


def test_all_experiments_that_were_asked_for_are_there() -> None:
    assert set(NAMES) == ASKED


@pytest.mark.parametrize("name", NAMES)
def test_a_grid_has_no_cell_twice_and_all_overlays_exist(name: str) -> None:
    experiment = load_experiment(name)
    keys = [cell.key for overlay in experiment.overlays for cell in grid(experiment, overlay)]
    assert len(keys) == len(set(keys)) > 1
    for overlay in experiment.overlays:
        assert registry.parse(overlay).name == overlay.split(":")[0]


@pytest.mark.parametrize("name", NAMES)
def test_both_profiles_say_why_and_paper_is_as_long_as_it_was(name: str) -> None:
    experiment = load_experiment(name)
    quick, paper = experiment.profiles["quick"], experiment.profiles["paper"]
    assert quick.why
    assert paper.why
    minutes = sum(cell.repetitions * cell.duration for cell in grid(experiment)) / 60
    assert minutes < 6, "quick is minutes for each overlay"
    assert min(paper.seconds.values()) >= 120
    assert quick.repetitions.keys() == quick.seconds.keys() == paper.repetitions.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_experiment_has_a_page(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text()
    assert page.startswith(f"# {name}\n")
    assert f"python -m lab emulate {name}" in page
    experiment = load_experiment(name)
    for claim in experiment.claims:
        assert claim.text in page, "the page names every claim"
        assert claim.experiment == name


def invented(cell: Cell, _: Topology, chance: random.Random) -> dict[str, float]:
    """A number for every value that some chart or claim asks for: nothing is meant by them."""
    experiment = load_experiment(CURRENT[0])
    names = {line.value for chart in getattr(experiment, "charts", ()) for line in chart.lines}
    return {name: 10 + chance.random() for name in names | {"mean_ms", "received_mbps", "sent_mbps"}}


CURRENT = [""]


@pytest.mark.parametrize("name", NAMES)
def test_tables_figures_and_claims_come_from_stored_samples(name: str, tmp_path: Path) -> None:
    # given a run of two overlays with samples in every cell
    CURRENT[0] = name
    experiment = load_experiment(name)
    run = synthetic(
        tmp_path,
        ("underlay", "weave"),
        experiment=experiment,
        topology=catalog.topology(experiment.topology),
        values=invented,
        facts={"mtu": "1376"},
        mode={"mode": "sleeve"},
        overlays={"underlay": {"state": "ok"}, "weave": {"state": "ok"}},
    )
    # then it has tables whose rows are whole, figures in both forms, and an answer for every claim
    tables = experiment.tables(run)
    assert any(section.rows for table in tables for section in table.sections)
    for table in tables:
        assert all(len(row) == len(table.columns) for section in table.sections for row in section.rows)
    figures = experiment.figures(run, tmp_path / "figures")
    assert {file.suffix for file in figures} == {".svg", ".png"}
    assert all(file.stat().st_size > 1000 for file in figures)
    for claim in experiment.claims:
        assert claim.answer(run).text
    assert experiment.summary in render(run, experiment, figures[:1])


@pytest.mark.parametrize("name", NAMES)
def test_a_run_without_samples_has_no_figures_and_nothing_can_be_told(name: str, tmp_path: Path) -> None:
    experiment = load_experiment(name)
    topology = catalog.topology(experiment.topology)
    run = synthetic(tmp_path, (), experiment=experiment, topology=topology)
    assert experiment.figures(run, tmp_path) == []
    assert {claim.answer(run).verdict for claim in experiment.claims} <= {"cannot be told"}
    assert not any(section.rows for table in experiment.tables(run) for section in table.sections)


def test_only_datagrams_that_fill_a_link_do_not_feel_how_late_they_are() -> None:
    one_way = {(name, c.metric) for name in NAMES for c in grid(load_experiment(name)) if c.one_way}
    metrics = {(name, c.metric) for name in NAMES for c in grid(load_experiment(name))}
    assert one_way == {(name, metric) for name, metric in metrics if metric.startswith("udp")}


def test_datagrams_are_offered_at_the_rate_of_the_links() -> None:
    """More than a link carries was offered once: of two fragments hardly ever both came through."""
    topology = catalog.topology("full_mesh")
    for rate, offered in ((50.0, "50M"), (None, "1000M")):
        profile = replace(mesh.QUICK, rate=rate)
        cells = mesh.Mesh().cells(topology, "underlay", profile)
        argv = mesh.Mesh.tools["udp1470"].argv("192.0.2.1", next(c for c in cells if c.metric == "udp1470"))
        assert argv[argv.index("-b") + 1] == offered


def test_datagrams_of_both_studies() -> None:
    assert [c.metric for c in grid(throughput.Throughput())] == ["tcp", "udp", "udp1470"]


def test_of_four_pairs_each_overlay_is_measured_on_its_own() -> None:
    pairs = catalog.topology("four_pairs")
    experiment = throughput.Throughput()
    found = {
        name: next(
            (c.params["from"], c.params["to"]) for c in experiment.cells(pairs, name, throughput.QUICK)
        )
        for name in ("underlay", "libnetwork", "weave", "flannel", "tinc")
    }
    assert found == {
        "underlay": ("vmAMS", "vmBRA"),
        "libnetwork": ("libAMS", "libBRA"),
        "weave": ("weaveAMS", "weaveBRA"),
        "flannel": ("flanAMS", "flanBRA"),
        "tinc": ("vmAMS", "vmBRA"),
    }


def test_windows_double_from_2000_to_1024000_bytes() -> None:
    assert [c.params["window"] for c in grid(window.Window())][:2] == [2000, 4000]
    assert grid(window.Window())[-1].params["window"] == 1_024_000


def test_the_datagram_that_fills_seven_packets_has_about_10000_bytes() -> None:
    from lab.measure.ethtool import payload

    assert fragmentation.FRAGMENTS[-1] == 7
    assert payload(1500, 7) == 10352
    assert payload(1500) == 1472


async def test_offload_is_set_and_read_back_before_a_sample() -> None:
    experiment = offload.Offload()
    cell = next(c for c in grid(experiment) if c.params["offload"] == "off")
    found = endpoints(
        catalog.topology(experiment.topology),
        {"ethtool": text("ethtool/features-off.txt"), "iperf3": text("iperf3/tcp.json")},
    )
    reading = await experiment.measure(cell, found)
    ran = [argv[3:] for argv in found["AMS"].host.ran]  # type: ignore[attr-defined]
    assert ran[0] == ("ethtool", "-K", "eth0", "gso", "off", "tso", "off")
    assert reading.facts["ufo"] == "gone from Linux since 4.14"
    assert reading.facts["offload"] == "off"
    assert reading.values == experiment.parse("tcp", reading.raw)


async def test_a_device_that_does_not_do_as_told_is_no_sample() -> None:
    experiment = offload.Offload()
    cell = next(c for c in grid(experiment) if c.params["offload"] == "off")
    found = endpoints(catalog.topology(experiment.topology), {"ethtool": text("ethtool/features.txt")})
    with pytest.raises(MeasureError, match="tcp-segmentation-offload cannot be set off"):
        await experiment.measure(cell, found)


async def test_stress_runs_for_its_share_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    async def no_wait(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr("experiments.cpu.asyncio.sleep", no_wait)
    experiment = cpu.Cpu()
    cell = next(c for c in grid(experiment) if c.params["stress"] == 40 and c.metric == "tcp")
    recorded = {"stress-ng": "", "iperf3": text("iperf3/tcp.json")}
    found = endpoints(catalog.topology(experiment.topology), recorded)
    await experiment.measure(cell, found)
    (stressed,) = [argv for argv in found["AMS"].host.ran if "stress-ng" in argv]  # type: ignore[attr-defined]
    assert stressed[3:7] == ("timeout", "-k", "2", f"{cell.seconds * 0.4:g}")
    assert waited == [cell.warmup]


async def test_a_stress_that_ends_early_is_no_sample() -> None:
    from lab.measure import stress

    host = FakeHost("AMS", lambda argv: (2, "stress-ng: error: no such stressor"))
    with pytest.raises(MeasureError, match="ended with status 2 before its 1 s were over"):
        await stress.one_cpu(Endpoint(host, "c", "192.0.2.1"), 1)  # type: ignore[arg-type]


def test_every_overlay_that_encrypts_stands_beside_itself_in_the_clear() -> None:
    for clear, encrypted in encryption.PAIRS:
        assert clear.split(":")[0] == encrypted.split(":")[0]
        assert encrypted.endswith(("encryption=on", "wireguard"))


async def test_streams_go_to_all_sites_at_once_and_latency_is_taken_beside() -> None:
    experiment = streaming.Streaming()
    topology = catalog.topology(experiment.topology).with_rate(10)
    cells = experiment.cells(topology, "weave", experiment.profiles["quick"])
    cell = next(c for c in cells if c.params.get("workers") == 3)
    recorded = {"iperf3": text("iperf3/stream.json"), "ping": text("ping/summary.txt")}
    found = endpoints(catalog.topology(experiment.topology), recorded)
    reading = await experiment.measure(cell, found)
    asked = [argv for argv in found["BRA"].host.ran if argv == ("sh",)]  # type: ignore[attr-defined]
    limited, freed = found["BRA"].host.fed[-2:]  # type: ignore[attr-defined]
    assert len(asked) == 2
    assert "labport root tbf rate 10mbit" in limited
    assert all(f"dev eth{n} egress" in limited and f"qdisc del dev eth{n}" in freed for n in (1, 2, 3))
    assert "tbf" not in freed
    ports = [argv[argv.index("-p") + 1] for e in found.values() for argv in e.host.ran if "-p" in argv]  # type: ignore[attr-defined]
    assert ports == ["5201", "5202", "5203"]
    assert reading.values == experiment.parse("stream", reading.raw)
    assert reading.values["jitter_ms MIL"] == reading.values["jitter_ms"] > 0


async def test_a_port_that_cannot_be_limited_is_no_sample_and_is_freed() -> None:
    class Unable(FakeHost):
        async def run(self, argv: Sequence[str], **more: Any) -> Result:
            self.ran.append(tuple(argv))
            status = int(b"tbf" in (more.get("stdin") or b""))
            return Result(tuple(argv), status, "", "Error: Specified qdisc kind is unknown.\n", 0.0)

    host = Unable("BRA")
    with pytest.raises(MeasureError, match="cannot hold BRA to 10 Mbit/s; it said 'Error: Specified"):
        async with shared_port(host, ["eth1"], 10):
            raise AssertionError("nothing is measured")
    assert len(host.ran) == 2, "set, and freed again"


async def test_a_circuit_is_cut_at_both_ends_and_always_mended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_wait(_: float) -> None: ...

    monkeypatch.setattr("experiments.paths.asyncio.sleep", no_wait)
    experiment = paths.Paths()
    cell = next(c for c in grid(experiment) if c.metric == "failure")
    rules: list[Sequence[str]] = []

    def answer(argv: Sequence[str]) -> tuple[int, str]:
        if "iptables" in argv:
            rules.append(argv)
            return int("-D" in argv and rules.count(argv) > 1), ""
        return 0, "12.5" if "date" in argv else ""

    found: dict[str, Any] = {
        host.name: Endpoint(FakeHost(host.name, answer), "c", "192.0.2.1")  # type: ignore[arg-type]
        for host in catalog.topology("ring").hosts
    }
    # when nobody answers, which is no measurement
    with pytest.raises(MeasureError, match="no answer before the circuit was cut"):
        await experiment.measure(cell, found)
    # then every rule that was set is gone
    assert cell.params["cut"] == "AMS:eth1+PRG:eth1"
    assert [("-I" in r, "-D" in r) for r in rules].count((True, False)) == 2
    assert sum("-D" in rule for rule in rules) == 3, "until the answer is that there is none left"


def test_a_failing_circuit_takes_the_time_before_and_after_as_well() -> None:
    (cell,) = [c for c in grid(paths.Paths()) if c.metric == "failure"]
    assert cell.seconds == 90
    assert cell.duration == 2 + 90 * 1.5
