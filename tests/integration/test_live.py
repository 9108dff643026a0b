"""Labs that stay up: taken up by other processes, changed while they run, repaired, taken down."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from lab.emulation.emulation import Emulation
from lab.emulation.registry import HostRecord, Record, find, records
from lab.errors import CommandError, LabError, UnknownName
from lab.live.logs import commands
from lab.live.session import Session
from lab.topology import Topology
from overlays import registry
from tests.integration.inventory import inventory
from topologies import linear

ROOT = Path(__file__).resolve().parents[2]
NAME = f"test-{os.getpid()}"
LINE = "linear:sites=AMS+PRG+BRA"
SHORT = ["--bringups", "1", "--repetitions", "1", "--duration", "1", "--cells", "latency/from=AMS/hops=1"]


def lab(*argv: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run a verb in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "lab", *argv], cwd=ROOT, capture_output=True, text=True, check=False, **more
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def up(docker_daemon: None) -> Iterator[str]:
    """A chain of three hosts with the control on it, left up by a command that has ended."""
    before = inventory()
    lab("up", LINE, "--name", NAME, "--rate", "200", "--overlay", "underlay")
    yield NAME
    lab("down", NAME)
    assert inventory() == before
    assert all(record.name != NAME for record in records())


def test_ps_shows_hosts_links_and_overlays(up: str) -> None:
    (seen,) = json.loads(lab("ps", up, "--json").stdout)
    assert seen["state"] == "up"
    assert [host["name"] for host in seen["hosts"]] == ["AMS", "PRG", "BRA"]
    assert all(host["up"] and host["memory_mib"] > 1 and not host["dead"] for host in seen["hosts"])
    for link in seen["links"]:
        assert abs(link["rtt_ms"] - link["asked_rtt_ms"]) < max(1.0, 0.05 * link["asked_rtt_ms"]), link
        assert link["asked_mbit"] == {"ab": 200.0, "ba": 200.0}
    (overlay,) = seen["overlays"]
    assert (overlay["name"], len(overlay["endpoints"])) == ("underlay", 3)
    assert "AMS-PRG" in lab("ps").stdout


def test_a_command_runs_in_a_host_and_in_an_endpoint(up: str) -> None:
    said = lab("exec", "AMS", "--lab", up, "--", "cat", "/etc/hostname", "-", input="typed\n").stdout
    assert said == "AMS\ntyped\n"
    assert "eth1" in lab("exec", "PRG/underlay", "--lab", up, "--", "ip", "-o", "addr").stdout
    assert lab("exec", "AMS", "--lab", up, "--", "sh", "-c", "exit 7", check=False).returncode == 7
    assert "AMS\n" in lab("shell", "AMS", "--lab", up, input="hostname\n").stdout


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["exec", "AMX", "--lab", NAME, "--", "true"], "unknown host 'AMX'; did you mean 'AMS'?"),
        (["exec", "AMS/underly", "--lab", NAME, "--", "true"], "did you mean 'underlay'?"),
        (["exec", "AMS", "--lab", NAME[:-1] + "x", "--", "true"], "unknown lab"),
        (["down", NAME[:-1] + "x"], f"did you mean '{NAME}'?"),
        (["capture", "AMS-BRA", "--lab", NAME], "unknown link or host 'AMS-BRA'"),
        (["logs", "weave", "--lab", NAME], "unknown host or overlay 'weave'"),
    ],
    ids=["host", "overlay", "lab", "nearly a lab", "link", "log"],
)
def test_what_is_not_there_is_told_with_the_nearest_name(up: str, argv: list[str], said: str) -> None:
    done = lab(*argv, check=False)
    assert done.returncode == 1
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_every_endpoint_answers_every_other(up: str) -> None:
    done = json.loads(lab("ping-all", up, "--json").stdout)
    assert {(row["a"], row["b"]) for row in done["pairs"]} == {("AMS", "PRG"), ("AMS", "BRA"), ("PRG", "BRA")}
    assert all(row["lost"] == 0 for row in done["pairs"])


def test_up_again_changes_nothing_and_a_plan_does_nothing(up: str) -> None:
    before = find(up)
    assert "is as it is wanted" in lab("up", LINE, "--name", up, "--rate", "200").stdout
    assert "rate=50 each way" in lab("up", LINE, "--name", up, "--rate", "50", "--dry-run").stdout
    assert find(up) == before


def test_cleanup_leaves_it_alone(up: str) -> None:
    assert f"lab {up} is left alone: it is meant to stay up" in lab("cleanup").stdout
    assert lab("exec", "AMS", "--lab", up, "--", "true").returncode == 0


def round_trip(name: str, a: str, b: str) -> float:
    """What `ping-all` says of two hosts of a lab (ms)."""
    pairs = json.loads(lab("ping-all", name, "--json").stdout)["pairs"]
    return next(float(row["rtt_ms"]) for row in pairs if (row["a"], row["b"]) == (a, b))


def test_links_and_hosts_come_and_go_beside_what_stays(up: str, tmp_path: Path) -> None:
    # given a process that runs in an endpoint
    lab("exec", "AMS/underlay", "--lab", up, "--", "sh", "-c", "tail -f /dev/null >/dev/null 2>&1 &")
    before = find(up)
    # when the lab gets a host and two links, and another rate
    file = tmp_path / "wanted.yaml"
    file.write_text(
        "name: wanted\nhosts: {AMS: AMS, PRG: PRG, BRA: BRA, NEW: MIL}\nlinks:\n"
        "- {between: [AMS, PRG], rtt: 5, rate: 100}\n- {between: [PRG, BRA], rtt: 4.7, rate: 200}\n"
        "- {between: [BRA, NEW], rtt: 3}\n- {between: [AMS, NEW], rtt: 2}\n"
    )
    said = lab("up", str(file), "--name", up).stdout
    # then that is what was changed
    assert "+ host NEW (MIL)" in said
    assert "~ link AMS-PRG: delay=2.5, rate=100 each way" in said
    after = find(up)
    old = {host.name: (host.pid, host.container) for host in before.hosts}
    assert {h.name: (h.pid, h.container) for h in after.hosts if h.name != "NEW"} == old
    running = lab("exec", "AMS/underlay", "--lab", up, "--", "sh", "-c", "cat /proc/[0-9]*/comm").stdout
    assert "tail" in running.split()
    # over the new host, no longer over PRG, which is 9.7 ms; other work on the machine only adds to a reading
    assert min(round_trip(up, "AMS", "BRA") for _ in range(3)) == pytest.approx(5.0, abs=1.5)
    # and back again
    said = lab("up", LINE, "--name", up, "--rate", "200").stdout
    assert "- host NEW" in said
    assert {h.name: (h.pid, h.container) for h in find(up).hosts} == old


def test_a_host_that_was_killed_is_told_and_made_anew(up: str) -> None:
    # given a host whose container somebody kills
    victim = next(host for host in find(up).hosts if host.name == "BRA")
    subprocess.run(["docker", "kill", victim.container], check=True, capture_output=True)
    # then ps says what became of it, and commands in it do
    assert re.search(r"BRA .*DEAD: it was killed", lab("ps", up).stdout)
    done = lab("exec", "BRA", "--lab", up, "--", "true", check=False)
    assert "has died" in done.stderr
    # and up mends the lab, its overlay too
    assert "~ host BRA (BRA): made anew" in lab("up", LINE, "--name", up, "--rate", "200").stdout
    assert all(row["lost"] == 0 for row in json.loads(lab("ping-all", up, "--json").stdout)["pairs"])


def test_a_host_that_cannot_be_added_leaves_the_lab_as_it_was(up: str, tmp_path: Path) -> None:
    graph = nx.Graph(linear.topology(sites=["AMS", "PRG", "BRA"]).with_rate(200.0).graph)
    graph.add_node("BAD", site="MIL", image="no-such-image")
    graph.add_edge("BRA", "BAD", rtt=1.0)
    import asyncio

    session = Session.attach(up)
    with pytest.raises(LabError, match="no-such-image"):
        asyncio.run(session.become(session.lab.compare(Topology(graph, name="bad"))))
    assert "BAD" not in [host.name for host in find(up).hosts]
    lab("up", LINE, "--name", up, "--rate", "200")
    assert all(host["up"] for host in json.loads(lab("ps", up, "--json").stdout)[0]["hosts"])


async def facts(session: Session, daemons: dict[str, list[str]]) -> dict[str, Any]:
    """What must be the same when an overlay was taken up: its daemons, endpoints and Docker."""
    found = {}
    for name, host in session.lab.hosts.items():
        pids = [(await host.run(["cat", f"/run/lab/daemons/{d}.pid"])).stdout for d in daemons[name]]
        shown = await host.run(["docker", "ps", "-q", "--no-trunc"])
        found[name] = (
            pids,
            sorted(shown.stdout.split()),
            (await host.run(["pgrep", "-x", "dockerd"])).stdout,
        )
    return found


@pytest.mark.parametrize(
    "spec",
    # daemons of its own, Docker's, and a secret; each other mode is taken up in its contract
    ["tinc", "libnetwork:mode=swarm", "weave:encryption=on"],
)
async def test_an_overlay_is_taken_up_as_it_runs(spec: str, nothing_left: None) -> None:
    if missing := registry.parse(spec).obtainable():
        pytest.skip(missing.what)
    first = await Session.up(linear.topology(sites=["AMS", "PRG", "BRA"]), [spec], name=f"{NAME}-taken")
    try:
        one = await first.overlay(spec)
        daemons = {name: list(one.daemons(host)) for name, host in first.lab.hosts.items()}
        before = await facts(first, daemons)
        # when another object takes the lab and its overlay up
        second = Session.attach(f"{NAME}-taken")
        other = await second.overlay(spec)
        ends = [await other.attach(host) for host in second.lab.hosts.values()]
        # then nothing was started again, and the endpoints are those that there were
        assert await facts(second, daemons) == before
        assert [end.address for end in ends] == [end.address for end in first.endpoints(spec).values()]
        await other.check()
        await other.ready(20)
        assert dict(await other.mode()) == dict(await one.mode())
        # and the record alone says which logs are its daemons'
        if logs := {f"{host.name} {name}" for host in one.hosts for name in one.log_names(host)}:
            assert set(commands(find(f"{NAME}-taken"), spec, 1, False)) == logs
    finally:
        await first.lab.down()


async def test_a_lab_that_is_gone_cannot_be_taken_up(nothing_left: None) -> None:
    with pytest.raises(UnknownName):
        Emulation.attach("no-such-lab")


def test_what_a_restart_of_the_machine_left_is_told_and_taken_away(nothing_left: None) -> None:
    # given the record of a lab from before a restart, and a container of it that Docker kept
    record = Record(f"r{os.getpid():x}", f"{NAME}-old", boot="another start of this machine")
    container = f"lab-{record.lab_id}-AMS"
    argv = ["docker", "create", "--name", container, "--label", f"lab.id={record.lab_id}", "lab/gtsperf"]
    subprocess.run(argv, check=True, capture_output=True)
    record.hosts = [HostRecord("AMS", 1, "AMS", (), container, "", 1, 1)]
    record.save()
    # then ps tells, commands in it do, and down takes both away
    assert "ended when this machine was restarted" in lab("ps").stdout
    assert "AMS of lab" in lab("exec", "AMS", "--lab", record.name, "--", "true", check=False).stderr
    assert "down" in lab("down", record.name).stdout
    assert all(one.lab_id != record.lab_id for one in records())


def test_python_brings_a_lab_up_changes_and_measures_it(nothing_left: None, tmp_path: Path) -> None:
    from lab import Lab

    with Lab(LINE, overlay="underlay", rate=100) as net:
        assert net["AMS"].run(["hostname"]).stdout == "AMS\n"
        there = net["PRG"].endpoint().address
        assert "0% packet loss" in net["AMS"].endpoint().run(["ping", "-c", "1", there]).stdout
        net.link("AMS", "PRG").change(rtt=10.0)
        assert net.link("PRG", "AMS").read_back()["ab"].delay == pytest.approx(5.0, abs=0.2)
        run = net.experiment(
            "multihop", repetitions=1, duration=1, only=["latency/from=AMS/hops=1"], results=tmp_path
        ).run()
        (sample,) = run.samples
        assert sample.ok, sample.error
        assert [pair.lost for pair in net.ping_all()] == [0, 0, 0]
        assert all(host["up"] for host in net.look()["hosts"])
        with pytest.raises(UnknownName, match="did you mean 'AMS'"):
            net["AMX"]


def test_python_leaves_nothing_after_an_exception(nothing_left: None) -> None:
    from lab import Lab

    with pytest.raises(CommandError, match="false"), Lab("point_to_point") as net:
        net["AMS"].run(["false"])


async def test_python_works_where_a_loop_runs_already(nothing_left: None) -> None:
    from lab import Lab

    with Lab("point_to_point") as net:
        assert net["BRA"].run(["hostname"]).stdout == "BRA\n"


def test_a_capture_is_read_by_others_and_shows_the_delay(up: str, tmp_path: Path) -> None:
    # given a capture of a link at both its ends, while an echo passes
    file = tmp_path / "x.pcapng"
    argv = [
        sys.executable,
        "-m",
        "lab",
        "capture",
        "AMS-PRG",
        "--lab",
        up,
        "-f",
        "icmp",
        "-c",
        "8",
        "-w",
        str(file),
    ]
    with subprocess.Popen([*argv, "-s", "20"], cwd=ROOT, stderr=subprocess.PIPE) as capture:
        until = time.monotonic() + 20
        while not file.exists() and time.monotonic() < until:
            time.sleep(0.05)
        address = find(up).links[0]["address_b"]
        lab("exec", "AMS", "--lab", up, "--", "ping", "-c", "2", "-i", "0.2", address)
        assert capture.wait(30) == 0
    # when tcpdump reads it
    said = subprocess.run(
        [sys.executable, "-m", "lab", "exec", "AMS", "--lab", up, "--", "tcpdump", "-tt", "-n", "-r", "-"],
        cwd=ROOT,
        stdin=file.open("rb"),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # then each packet is there twice, the link's delay apart
    times = [
        float(line.split()[0]) for line in said.splitlines() if "echo request" in line and "seq 1," in line
    ]
    assert len(times) == 2
    # and a busy machine lets it go late, never early
    assert 21.75 / 2 - 0.5 <= (max(times) - min(times)) * 1e3 < 100


def test_an_experiment_runs_on_a_lab_that_is_up_and_leaves_it_so(up: str, tmp_path: Path) -> None:
    before = find(up)
    lab("emulate", "multihop", "--lab", up, *SHORT, "--results", str(tmp_path))
    assert find(up) == before
    (seen,) = json.loads(lab("ps", up, "--json").stdout)
    assert all(host["up"] and not host["dead"] for host in seen["hosts"])


def test_keep_leaves_the_lab_of_an_experiment_up(nothing_left: None, tmp_path: Path) -> None:
    said = lab(
        "emulate",
        "multihop",
        "-t",
        LINE,
        "--overlay",
        "underlay",
        "--keep",
        *SHORT,
        "--results",
        str(tmp_path),
    ).stdout
    name = re.search(r"lab (\w+) stays up", said)[1]  # type: ignore[index]
    assert lab("exec", "PRG", "--lab", name, "--", "true").returncode == 0
    lab("down", name)


def test_logs_of_a_host_are_shown(up: str) -> None:
    assert re.search(r"^AMS dockerd  .*API listen", lab("logs", "AMS", "--lab", up).stdout, re.MULTILINE)


def test_a_lab_that_is_half_dead_is_told_and_taken_down(nothing_left: None) -> None:
    # given a lab that lost a host, the process behind its links, and their namespace
    name = f"{NAME}-half"
    lab("up", "point_to_point", "--name", name)
    torn = Emulation.attach(name)
    for process in torn.shaper.processes:
        os.kill(process.pid, signal.SIGKILL)
    subprocess.run(["ip", "netns", "delete", f"lab-{torn.record.lab_id}"], check=True)
    container = torn.hosts["AMS"].container
    subprocess.run(["docker", "rm", "--force", container], check=True, capture_output=True)
    # then ps tells of all of it, and down takes the rest away
    said = lab("ps", name).stdout
    assert "links carry nothing" in said
    assert re.search(r"AMS .*DEAD: its container was removed", said)
    lab("down", name)


def test_a_second_command_says_whose_a_lab_is(nothing_left: None) -> None:
    from lab import Lab

    with Lab("point_to_point", name=f"{NAME}-mine") as net:
        for argv in (["down", net.name], ["up", "point_to_point", "--name", net.name]):
            done = lab(*argv, check=False)
            assert done.returncode == 1
            assert f"belongs to process {os.getpid()}" in done.stderr
        assert lab("exec", "AMS", "--lab", net.name, "--", "true").returncode == 0
