"""A lab changes and its overlays come along: what is asked of them, in which order, what they refuse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from lab.emulation.links.link import Wiring
from lab.emulation.reconcile import Difference, difference
from lab.emulation.registry import Record, forget, read
from lab.errors import OverlayError, UnknownName
from lab.events import Event, Note, StepDone
from lab.hosts.host import Endpoint, Host
from lab.live import session as module
from lab.live.session import Session, recorded_while
from lab.runs import bring_up
from lab.topology import Topology
from lab.util import paths
from overlays.base import Overlay
from tests.paths import ROOT
from tests.unit.fakes import FakeHost
from topologies import ring

RING = ring.topology().pinned()
SAID: list[str] = []


class Spoken(Overlay):
    """Says what it is asked for; refuses what its options name."""

    name, summary, hops, modes = "spoken", "", "overlay", ("plain",)
    refuses = ""

    async def _say(self, what: str) -> None:
        SAID.append(what)
        if what.split()[0] == self.refuses:
            raise OverlayError(f"spoken cannot {self.refuses}")

    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        self.hosts, self.topology = tuple(hosts), topology
        await self._say(f"install {' '.join(host.name for host in hosts)}")

    async def ready(self, timeout: float = 60.0) -> None: ...

    async def attach(self, host: Host, image: str = "", name: str = "endpoint") -> Endpoint:
        await self._say(f"attach {host.name}")
        return Endpoint(host, f"spoken-{host.name}", "10.0.0.1", overlay="spoken")

    async def mode(self) -> Mapping[str, str]:
        return {"mode": "plain"}

    def log_names(self, host: Host) -> Sequence[str]:
        return ("spokend", "dockerd") if host.name == "AMS" else ("spokend",)

    async def rewire(self, topology: Topology) -> None:
        self.topology = topology
        await self._say("rewire")

    async def join(self, host: Host) -> None:
        self.hosts = (*self.hosts, host)
        await self._say(f"join {host.name}")

    async def leave(self, host: Host) -> None:
        await self._say(f"leave {host.name}")
        self.hosts = tuple(h for h in self.hosts if h is not host)

    async def uninstall(self) -> None:
        self.hosts = ()
        await self._say("uninstall")


class Lab:
    """In place of an emulation: hosts that are names, of which some are dead."""

    def __init__(self) -> None:
        self.topology, self.name, self.shaper = RING, "class", None
        self.record = Record("x", "class")
        self.hosts: dict[str, Any] = {host.name: FakeHost(host.name) for host in RING.hosts}
        self.dead: set[str] = set()

    def alive(self) -> list[str]:
        return [name for name in self.hosts if name not in self.dead]

    async def become(self, change: Difference) -> None:
        SAID.append("become")
        self.topology, self.dead = change.topology, set()
        self.hosts = {h.name: self.hosts.get(h.name) or FakeHost(h.name) for h in change.topology.hosts}


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    async def reach(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(paths, "STATE", tmp_path)
    monkeypatch.setattr(module.registry, "parse", lambda spec: Spoken())
    monkeypatch.setattr(bring_up, "every_pair", reach)
    monkeypatch.setattr(Spoken, "refuses", "")
    SAID.clear()
    return Lab()


def wanted(lab: Lab, graph: nx.Graph[Any]) -> Difference:
    lines = {link.name: Wiring(link, 0, 0).state for link in RING.links}
    return difference(RING, Topology(graph, name="wanted"), links=RING.links, states=lines, alive=lab.alive())


def with_a_new_host() -> nx.Graph[Any]:
    graph: nx.Graph[Any] = nx.Graph(ring.topology().graph)
    graph.remove_node("MIL")
    graph.add_node("NEW", site="AMS")
    graph.add_edge("NEW", "AMS", rtt=1.0)
    return graph


async def a_session(lab: Lab, said: list[Event] | None = None) -> Session:
    session = Session(lab, emit=(said if said is not None else []).append)  # type: ignore[arg-type]
    await session.put_on("spoken")
    SAID.clear()
    return session


async def test_an_overlay_comes_up_as_for_a_run_and_its_record_names_its_logs(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []

    async def reach(endpoints: Any, pairs: Any, **_: Any) -> None:
        asked.extend(pairs)

    monkeypatch.setattr(bring_up, "every_pair", reach)
    events: list[Event] = []
    session = await a_session(lab, events)
    assert len(asked) == 5 * 4 / 2
    steps = ["install", "ready", "endpoints", "a packet between every pair of endpoints"]
    assert [event.step for event in events if isinstance(event, StepDone)] == [f"spoken: {s}" for s in steps]
    (recorded,) = lab.record.overlays
    assert recorded.logs == ("dockerd", "spokend")
    # and another command of the lab reads it back
    assert read(lab.record.lab_id) == session.lab.record


async def test_an_overlay_of_a_run_is_in_the_record_while_it_is_measured(lab: Lab) -> None:
    overlay, hosts = Spoken(), tuple(lab.hosts.values())
    await overlay.install(hosts, RING)
    ends = [await overlay.attach(host) for host in hosts]
    with recorded_while(lab, "spoken:a=b", overlay, ends, {"mode": "plain"}):  # type: ignore[arg-type]
        recorded = read(lab.record.lab_id)
        assert recorded is not None
        (one,) = recorded.overlays
        assert (one.spec, one.mode, len(one.endpoints)) == ("spoken:a=b", {"mode": "plain"}, 5)
    after = read(lab.record.lab_id)
    assert after is not None
    assert after.overlays == []


async def test_an_overlay_that_is_on_a_lab_stays_in_its_record_after_a_run(lab: Lab) -> None:
    session = await a_session(lab)
    (before,) = lab.record.overlays
    with recorded_while(lab, before.spec, Spoken(), [], {}):  # type: ignore[arg-type]
        pass
    assert lab.record.overlays == [before]
    assert set(session.endpoints("spoken")) == set(lab.hosts)


async def test_the_record_of_a_lab_that_was_removed_meanwhile_stays_away(lab: Lab) -> None:
    with recorded_while(lab, "spoken", Spoken(), [], {}):  # type: ignore[arg-type]
        forget(lab.record.lab_id)
    assert read(lab.record.lab_id) is None


async def test_an_overlay_takes_leave_before_and_takes_in_after(lab: Lab) -> None:
    session = await a_session(lab)
    await session.become(wanted(lab, with_a_new_host()))
    assert SAID == ["leave MIL", "become", "rewire", "join NEW", "attach NEW"]
    assert set(session.endpoints("spoken")) == {"AMS", "PRG", "BRA", "LJU", "NEW"}
    (recorded,) = lab.record.overlays
    assert set(recorded.hosts) == {"AMS", "PRG", "BRA", "LJU", "NEW"}


@pytest.mark.parametrize(("refuses", "before"), [("leave", True), ("rewire", False), ("join", False)])
async def test_what_an_overlay_refuses_it_is_put_on_anew_for(
    lab: Lab, refuses: str, before: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[Event] = []
    session = await a_session(lab, said)
    monkeypatch.setattr(Spoken, "refuses", refuses)
    await session.become(wanted(lab, with_a_new_host()))
    assert (SAID.index("uninstall") < SAID.index("become")) is before
    assert SAID.index("install AMS PRG BRA LJU NEW") > SAID.index("become")
    assert f"spoken cannot {refuses}" in "".join(e.text for e in said if isinstance(e, Note))
    assert set(session.endpoints("spoken")) == {"AMS", "PRG", "BRA", "LJU", "NEW"}


async def test_with_a_dead_host_overlays_are_put_on_anew(lab: Lab) -> None:
    session = await a_session(lab)
    lab.dead = {"PRG"}
    change = wanted(lab, nx.Graph(ring.topology().graph))
    await session.become(change)
    assert SAID[:2] == ["uninstall", "become"]
    assert SAID[2].startswith("install AMS PRG")


async def test_nothing_is_asked_of_an_overlay_for_a_link_that_is_only_shaped_anew(lab: Lab) -> None:
    session = await a_session(lab)
    graph: nx.Graph[Any] = nx.Graph(ring.topology().graph)
    graph.edges["AMS", "PRG"]["rtt"] = 5.0
    await session.become(wanted(lab, graph))
    assert SAID == ["become"]


async def test_overlays_come_and_go_as_they_are_named(lab: Lab) -> None:
    session = await a_session(lab)
    await session.become(wanted(lab, nx.Graph(ring.topology().graph)), [])
    assert SAID == ["uninstall"]
    assert session.specs == ()


async def test_another_process_finds_overlay_and_endpoints(lab: Lab) -> None:
    await a_session(lab)
    other = Session(lab)  # type: ignore[arg-type]
    assert other.endpoints("spoken")["AMS"].container == "spoken-AMS"
    await other.overlay("spoken")
    assert SAID == ["install AMS PRG BRA LJU MIL"]
    with pytest.raises(UnknownName, match="did you mean 'spoken'"):
        other.spec("spokn")


def test_bringing_a_lab_up_does_not_wait_for_what_only_runs_need() -> None:
    """A tenth of a second of every `lab up` went into models of run folders once."""
    code = "import sys, lab.live.session; print({'pydantic', 'scipy', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
