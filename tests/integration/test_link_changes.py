"""Links of a lab of hosts: changed while it is measured, by hand and by a schedule; and what breaks them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.links import netns
from lab.emulation.ownership import RUN
from tests.integration.inventory import inventory
from tests.integration.test_emulate import begin, lab, only_run, samples, wait_for_samples

NET = """
name: linkchanges
hosts: {a: AMS, b: PRG, c: BRA}
links:
  - {between: [a, b], rtt: 10, rate: 20}
  - {between: [b, c], rtt: 20, rate: 20}
"""
# a loss so small that no transaction of netperf ends for it
SCHEDULE = """
schedule:
  - {at: 0.5s, link: a-b, rtt: 60}
  - {at: 1.5s, link: a-b, loss: 0.001, from: b}
"""
KNOB = "/proc/sys/net/bridge/bridge-nf-call-iptables"
RUN_ARGS = ["multihop", "--overlay", "underlay", "--cells", "latency/from=a/hops=1"]
RUN_ARGS += ["--rate", "20", "--bringups", "1", "--duration"]


@pytest.fixture
def net(tmp_path: Path) -> Path:
    file = tmp_path / "net.yaml"
    file.write_text(NET)
    return file


def shaper_folder(before: set[Path]) -> Path:
    """That of the one lab that came up."""
    (folder,) = set((RUN / "labs").glob("*/shaper")) - before
    return folder


def begun(tmp_path: Path, net: Path, count: int, seconds: int = 1) -> tuple[subprocess.Popen[str], Path]:
    """An experiment that has measured a sample, and the folder of its lab's shaper."""
    before = set((RUN / "labs").glob("*/shaper"))
    command = begin(
        *("emulate", *RUN_ARGS, str(seconds), "-t", str(net), "--repetitions", str(count)),
        *("--results", str(tmp_path / "r")),
    )
    wait_for_samples(tmp_path / "r", 1, command)
    return command, shaper_folder(before)


def mean(sample: dict[str, Any]) -> float:
    return float(sample["values"]["mean_ms"])


def test_a_schedule_changes_links_while_an_experiment_measures(
    docker_daemon: None, tmp_path: Path, net: Path
) -> None:
    before = inventory()
    net.write_text(NET + SCHEDULE)
    done = lab(
        *("emulate", *RUN_ARGS, "1", "-t", str(net), "--repetitions", "4"),
        *("--results", str(tmp_path / "r")),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    folder = only_run(tmp_path / "r")
    found = samples(folder)
    events = json.loads((folder / "reports/underlay.schedule.json").read_text())
    assert [one["what"] for one in events] == ["a-b: rtt 60", "a-b from b: loss 0.001"]
    assert all(one["error"] == "" for one in events)
    marked = [s for s in found if "links changed during it" in s["facts"]]
    assert 1 <= len(marked) < len(found)
    assert "a-b: rtt 60" in " ".join(s["facts"]["links changed during it"] for s in marked)
    assert mean(found[-1]) > 50
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["calibration"]["a-b"]["median_ms"] == pytest.approx(10, abs=0.6)
    assert {"ab_mbit", "ba_mbit", "ab_lost_percent", "p1_ms", "p99_ms"} <= manifest["calibration"][
        "a-b"
    ].keys()
    assert inventory() == before


def test_a_link_of_a_lab_that_is_measured_is_changed_by_hand(
    docker_daemon: None, tmp_path: Path, net: Path
) -> None:
    before = inventory()
    command, folder = begun(tmp_path, net, 8)
    name = folder.parent.name
    changed = lab("link", "a-b", "--rtt", "50", "--lab", name)
    wrong = lab("link", "a-d", "--rtt", "50", "--lab", name)
    said, _ = command.communicate(timeout=120)
    assert changed.returncode == 0, changed.stderr
    assert re.search(r"a-b +a to b +25 +20", changed.stdout), changed.stdout
    assert (wrong.returncode, "unknown link 'a-d'" in wrong.stderr) == (1, True), wrong.stderr
    assert command.returncode == 0, said
    found = samples(only_run(tmp_path / "r"))
    assert mean(found[-1]) > 45
    gone = lab("link", "a-b", "--rtt", "50", "--lab", name)
    assert (gone.returncode, gone.stderr.count("\n"), "Traceback" in gone.stderr) == (1, 1, False)
    assert inventory() == before


def test_a_wire_that_is_killed_in_mid_run_breaks_it_and_leaves_nothing(
    docker_daemon: None, tmp_path: Path, net: Path
) -> None:
    before = inventory()
    command, folder = begun(tmp_path, net, 20, seconds=4)
    if not (folder / "wire.json").exists():
        command.kill()
        pytest.skip("this kernel has netem, and so its labs no wire")
    time.sleep(1.5)  # into the next sample
    os.kill(json.loads((folder / "wire.json").read_text())["pid"], signal.SIGKILL)
    said, _ = command.communicate(timeout=180)
    assert command.returncode not in (0, 130), said
    assert "Traceback" not in said
    assert "wire" in said
    found = samples(only_run(tmp_path / "r"))
    assert found[0]["verdict"]["state"] != "broken"
    assert found[-1]["verdict"]["state"] == "broken"
    assert "wire" in " ".join(found[-1]["verdict"]["reasons"])
    assert inventory() == before


def test_a_filter_that_another_program_switches_off_breaks_the_sample(
    docker_daemon: None, tmp_path: Path, net: Path
) -> None:
    before = inventory()
    command, folder = begun(tmp_path, net, 20)
    if not (folder / "wire.json").exists():
        command.kill()
        pytest.skip("this kernel has netem, and so its labs no wire")
    subprocess.run(
        netns.inside(f"lab-{folder.parent.name}", ["tee", KNOB]),
        input=b"0\n",
        stdout=subprocess.DEVNULL,
        check=True,
    )
    said, _ = command.communicate(timeout=180)
    assert command.returncode == 1, said
    assert "Traceback" not in said
    found = samples(only_run(tmp_path / "r"))
    assert found[-1]["verdict"]["state"] == "broken"
    assert "bridge-nf-call-iptables" in " ".join(found[-1]["verdict"]["reasons"])
    assert inventory() == before


def test_a_lab_that_stays_up_is_changed_replayed_and_calibrated(
    docker_daemon: None, tmp_path: Path, net: Path
) -> None:
    before = inventory()
    assert lab("up", str(net)).returncode == 0
    try:
        trace = tmp_path / "t.csv"
        trace.write_text("time,delay,rate,loss\n0,5,10,0\n0.3,15,15,\n")
        start = time.monotonic()
        replayed = lab("link", "b-a", "--replay", str(trace), "--lab", "linkchanges")
        assert replayed.returncode == 0, replayed.stderr
        assert time.monotonic() - start >= 0.3
        assert re.search(r"a-b +b to a +15 +15", replayed.stdout), replayed.stdout
        assert lab("link", "a-b", "--down", "--lab", "linkchanges").returncode == 0
        measured = lab("calibrate", "--lab", "linkchanges")
        assert measured.returncode == 0, measured.stdout + measured.stderr
        assert "b-c" in measured.stdout
        reset = lab("link", "a-b", "--reset", "--lab", "linkchanges")
        assert re.search(r"a-b +a to b +5 +20", reset.stdout), reset.stdout + reset.stderr
        both = lab("link", "a-b", "--down", "--up", "--lab", "linkchanges")
        assert (both.returncode, "not several" in both.stderr) == (2, True)
        dear = lab("link", "a-b", "--delay", "5000", "--rate", "900000", "--lab", "linkchanges")
        assert (dear.returncode, "GiB of memory" in dear.stderr) == (1, True), dear.stderr
        assert re.search(r"a-b +a to b +5 +20", lab("link", "--lab", "linkchanges").stdout)
    finally:
        down = lab("down", "linkchanges")
    assert down.returncode == 0, down.stderr
    assert inventory() == before
