"""Plug-ins of another distribution on real hosts: a run from end to end, and a lab that stays up."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.errors import ExitCode
from tests.integration.inventory import inventory
from tests.paths import ROOT

NAME = f"thirdparty-{os.getpid()}"


def lab(*words: str, status: tuple[ExitCode, ...] = (ExitCode.DONE,)) -> str:
    """Run a verb in a process of its own, and return what it printed."""
    argv = [sys.executable, "-m", "lab", *words]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode in status, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def up(docker_daemon: None) -> Iterator[str]:
    """Their topology with their overlay, left up by a command that has ended."""
    before = inventory()
    lab("up", "corner", "--name", NAME, "--overlay", "hub")
    yield NAME
    lab("down", NAME)
    assert inventory() == before


def test_a_run_of_theirs_ends_with_samples_claim_and_figure(nothing_left: None, tmp_path: Path) -> None:
    lab("emulate", "roundtrip", "--results", str(tmp_path))
    (run,) = tmp_path.iterdir()
    assert len((run / "samples.jsonl").read_text().splitlines()) == 6
    assert "port 6900, neighbours 192.168.1.2\n" in next(run.glob("logs/hub*/west/hubd.log")).read_text()
    # on a busy machine its samples may not count: then the answer and the exit status say so
    either = (ExitCode.DONE, ExitCode.CANNOT_TELL)
    shown = " ".join(lab("report", "--claims", str(run), status=either).split())
    assert re.search(
        r"at most 10 ms to the round trip of the links\. .*?ICMP echoes .*?hub, west to south", shown
    )
    page = (run / "report.html").read_text()
    pictures = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    assert any(b"Round trip by the number of hops" in base64.b64decode(picture) for picture in pictures)


def test_what_their_daemon_wrote_is_printed_by_the_overlay_s_name(up: str) -> None:
    printed = lab("logs", "hub", "--lab", up)
    assert printed.count("port 6900, neighbours") == 3
    assert "neighbour 192.168.1.1 is there" in printed


def test_their_hosts_relay_for_each_other(up: str) -> None:
    listed = lab("exec", "south/hub", "--lab", up, "--", "ip", "-o", "-4", "addr", "show", "dev", "eth0")
    (address,) = re.findall(r"inet (10\.70\.\d+\.\d+)/", listed)
    printed = lab("exec", "west/hub", "--lab", up, "--", "ping", "-c", "3", "-i", "0.2", address)
    assert "3 received" in printed
    assert float(re.findall(r"= ([\d.]+)/", printed)[0]) >= 20, "both links' round trips are in it"
