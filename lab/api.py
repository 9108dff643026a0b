"""The lab in Python: ``from lab import Lab``. It does what the verbs do, by the same engine.

Every call returns when the thing is done. An event loop runs in a thread of its own, so that this
works in a notebook too, where one runs already.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import networkx as nx

from lab import catalog
from lab.app import attached, run, virtual, virtual_script
from lab.app.handles import LabEndpoint, LabHost, LabLink, lab_endpoints
from lab.app.ping_all import ping_endpoints
from lab.app.request import RunRequest, load_experiment, plan_run
from lab.emulation.registry import DOCKER, NONE, read
from lab.errors import LabError, MachineError, UnknownName
from lab.events import Emit, silent
from lab.live.inspect import look
from lab.live.ping_all import Pair
from lab.live.session import Session
from lab.report import export
from lab.runs import run_folder
from lab.runs.pack import runs_in
from lab.runs.sample import CLOCKS, Clock, Sample
from lab.topology import Topology
from lab.util.event_loop import EventLoopThread
from lab.util.locks import lab_lock
from lab.virtual import beats, cost

T = TypeVar("T")
#: A topology, a graph, or the name or file of one.
Network = Topology | nx.Graph | str | Path  # type: ignore[type-arg]


def results(*runs: str | Path) -> Any:
    """Return the samples of stored runs as a pandas table, with the columns of ``lab results --csv``.

    ``lab.results("results/multihop-…").query("valid").groupby("overlay")["value.mean_ms"].mean()``

    Args:
        runs: run folders and packs, one or several. The column ``run`` tells their samples apart.

    Raises:
        RunError: a folder holds no run, or one of another schema; or a pack is none.
        MachineError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise MachineError("lab.results needs pandas; pip install pandas, or use lab results --csv") from None
    samples: list[Sample] = []
    for path in runs:
        with runs_in(Path(path)) as found:
            samples += [sample for one in found for sample in one.samples]
    return pandas.DataFrame(export.rows(samples))


def emulate(
    experiment: str,
    *,
    on: str = "",
    certificates: str | Path | None = None,
    insecure: bool = False,
    emit: Emit = silent,
    **request: Any,
) -> run_folder.StoredRun:
    """Run an experiment on labs of its own, as ``lab run`` does, and return the stored run.

    Args:
        experiment: its name.
        on: machines to spread it over, as ``--on`` has them; this machine alone by default.
        certificates: the folder of TLS certificates, for ``tls://``.
        insecure: accept a plain scheduler on a network.
        emit: told of every step; see `lab.events`.
        request: other fields of `lab.app.request.RunRequest`, e.g. ``overlays=("weave",)``, ``bring_ups=5``.

    Raises:
        LabError: the run cannot be made; what was measured is kept.
    """
    asked = RunRequest(experiment, **request)
    work: Callable[..., Coroutine[Any, Any, tuple[int, Path]]]
    work = virtual.emulate if asked.clock == "virtual" else run.emulate
    if on:
        from lab.spread import require
        from lab.spread import run as spread
        from lab.spread.clusters import Where

        require()
        where = Where(on, Path(certificates) if certificates else None, insecure)
        where.check()
        work = partial(spread.emulate, where=where)
    loop = EventLoopThread()
    try:
        _, folder = loop.call(work(asked, plan_run(asked, emit), emit=emit))
    finally:
        loop.stop()
    return run_folder.read(folder)


def _topology(network: Network) -> Topology:
    if isinstance(network, Topology):
        return network
    if isinstance(network, nx.Graph):
        return Topology(network, name=str(network.graph.get("name", "graph")))
    return catalog.topology(network)


def _check_clock(clock: str, topology: Topology, costs: Mapping[str, float]) -> None:
    """Check that this clock can measure a lab.

    Raises:
        UnknownName: there is no such clock.
        LabError: costs without virtual time; or in it a link without a rate, which would carry any.
    """
    if clock not in CLOCKS:
        raise UnknownName("clock", clock, CLOCKS)
    if clock == "real" and costs:
        raise LabError("costs are for virtual time; give clock='virtual' with them")
    endless = [link.name for link in topology.links if link.rate is None]
    if clock == "virtual" and endless:
        raise LabError(f"link {endless[0]} has no rate, and virtual time has no limit of its own; give rate=")


class LabExperiment:
    """An experiment for a lab; see `Lab.experiment`."""

    def __init__(self, lab: Lab, request: RunRequest) -> None:
        self._lab, self._request = lab, request
        self.experiment = load_experiment(request.experiment)

    def run(self) -> run_folder.StoredRun:
        """Measure; returns the stored run: its samples, and the folder that they lie in.

        The lab's overlays are measured as they are and stay. Other overlays that were named come and go.

        Raises:
            NotObtainable: an overlay that was named and that this machine cannot have.
            RunError: no cell is left to measure.
            ShaperError: a link is not what it should be; nothing measured on it counts.
        """
        session = self._lab.session
        plan = attached.plan_attached(self._request, session)
        _, folder = self._lab.wait(attached.measure(self._request, plan, session, self._lab.emit))
        return run_folder.read(folder)


class Lab:
    """A lab: hosts on shaped links, with overlays.

    ``with Lab("linear", overlay="flannel") as lab: lab["AMS"].run(["ip", "route"])``

    The block brings it up, and takes it away at its end, also on an exception and on Ctrl-C. Needs root.

    Args:
        network: a `Topology`, a networkx graph, or the name or file of one.
        overlay: one or several overlays, as ``NAME[:option=value,…]``; each gets an endpoint per host.
        name: what it is called on the command line; its id, by default.
        rate: of every link, Mbit/s, in place of what the network says.
        shaper: ``netem``, ``wire``, or ``auto``.
        daemons: ``docker``: hosts with a Docker daemon each; ``none``: light hosts, namespaces alone.
        clock: ``real``; or ``virtual``: this process then runs its script in a box, from the beginning to the
            end, prints what it prints, and exits with its status (`lab.app.virtual_script`).
        costs: what work costs in virtual time (µs), as ``lab run --cost`` has it.
        seed: what random numbers follow from in virtual time.
        emit: told of every step; see `lab.events`.
    """

    def __init__(
        self,
        network: Network,
        overlay: str | Sequence[str] = (),
        *,
        name: str = "",
        rate: float | None = None,
        shaper: str = "auto",
        daemons: str = DOCKER,
        clock: Clock = "real",
        costs: Mapping[str, float] | None = None,
        seed: int = 0,
        emit: Emit = silent,
    ) -> None:
        topology = _topology(network) if rate is None else _topology(network).with_rate(rate)
        self._clock, self._costs = clock, cost.parse([f"{of}={us:f}" for of, us in (costs or {}).items()])
        _check_clock(clock, topology, self._costs)
        if clock == "virtual":
            if not virtual_script.inside():
                sys.exit(virtual_script.run(self._costs, seed, emit))
            beats.begin()
            shaper, daemons = "netem", NONE
        overlays = (overlay,) if isinstance(overlay, str) else tuple(overlay)
        self._bring_up = partial(
            Session.up, topology, overlays, name=name, shaper=shaper, daemons=daemons, emit=emit
        )
        self.emit = emit
        self._loop = EventLoopThread()
        self._live: Session | None = None
        self._attached = False

    @classmethod
    def attach(cls, which: str = "", *, emit: Emit = silent) -> Lab:
        """Attach to a running lab, by its name or id; it stays up when this object is deleted.

        Raises:
            UnknownName: there is no such lab.
            LabError: it was not named and there is not exactly one, or the machine was restarted.
        """
        session = Session.attach(which, emit=emit)
        lab = cls(session.topology, emit=emit)
        lab._live, lab._attached = session, True
        return lab

    def up(self) -> Lab:
        """Bring it up; on a failure, remove everything again.

        Raises:
            LabError: see `lab.live.session.Session.up`.
        """
        if self._live is None:
            self._live = self.wait(self._bring_up())
        return self

    def down(self) -> None:
        """Remove it from the machine; a second call does nothing."""
        if self._live is not None:
            with self._changing():
                self.wait(self._live.lab.down())
            self._live = None
        self._loop.stop()

    def keep(self) -> None:
        """Keep it up after the end of this process or block; `lab down` removes it then."""
        self.session.lab.keep()
        self._attached = True

    def __enter__(self) -> Lab:
        return self.up()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._attached:
            self._loop.stop()
        else:
            self.down()

    @property
    def name(self) -> str:
        return self.session.lab.name

    @property
    def topology(self) -> Topology:
        """The topology that it was made from, as it runs."""
        return self.session.topology

    @property
    def hosts(self) -> Mapping[str, LabHost]:
        """All hosts by name."""
        return {name: LabHost(host, self.session, self.wait) for name, host in self.session.lab.hosts.items()}

    def __getitem__(self, host: str) -> LabHost:
        """Return the host of this name.

        Raises:
            UnknownName: there is none.
        """
        if host not in self.session.lab.hosts:
            raise UnknownName("host", host, self.session.lab.hosts)
        return LabHost(self.session.lab.hosts[host], self.session, self.wait)

    def __iter__(self) -> Iterator[LabHost]:
        return iter(self.hosts.values())

    def __len__(self) -> int:
        return len(self.session.lab.hosts)

    @property
    def links(self) -> tuple[LabLink, ...]:
        """All links by number."""
        return tuple(LabLink(spec, self.session.lab, self.wait) for spec in self.session.lab.links)

    def link(self, a: str, b: str = "") -> LabLink:
        """Return the link between two hosts, or the one of this name.

        Raises:
            UnknownName: there is none.
        """
        lab = self.session.lab
        return LabLink(lab.link(a, b), lab, self.wait)

    @property
    def overlays(self) -> tuple[str, ...]:
        """The overlays that it has, by the words that asked for them."""
        return self.session.specs

    def endpoints(self, overlay: str = "") -> Mapping[str, LabEndpoint]:
        """Return the endpoints of an overlay by host; it needs no name where there is one.

        Raises:
            UnknownName: the lab has no such overlay, or several.
        """
        return lab_endpoints(self.session, overlay, self.wait)

    def put_on(self, overlay: str) -> Mapping[str, LabEndpoint]:
        """Put one more overlay on it, with an endpoint per host; see `Session.put_on`."""
        with self._changing():
            self.wait(self.session.put_on(overlay))
        return self.endpoints(overlay)

    def take_off(self, overlay: str) -> None:
        """Remove an overlay, with its endpoints."""
        with self._changing():
            self.wait(self.session.take_off(overlay))

    def change(self, network: Network) -> list[str]:
        """Bring it to another network, touching only what differs; returns what that was, in words.

        Raises:
            LabError: see `lab.emulation.emulation.Emulation.become`.
        """
        with self._changing():
            change = self.session.lab.compare(_topology(network))
            self.wait(self.session.become(change))
        return change.summary()

    def ping_all(self, overlay: str = "", count: int = 3) -> list[Pair]:
        """Let every endpoint of an overlay echo every other; without overlays, hosts their neighbours."""
        found = self.wait(ping_endpoints(self.session, overlay, count))
        return [pair for pairs in found.values() for pair in pairs]

    def look(self) -> dict[str, Any]:
        """Return what runs, what died and why, what links do now: as ``lab ps --json``."""
        return look(read(self.session.lab.record.lab_id) or self.session.lab.record)

    def experiment(
        self,
        name: str,
        *,
        overlays: Sequence[str] = (),
        profile: str = "quick",
        repetitions: int | None = None,
        duration: float | None = None,
        only: Sequence[str] = (),
        seed: int | None = None,
        results: str | Path = "results",
    ) -> LabExperiment:
        """Return an experiment to be run on this lab, with its links as they are; see ``lab run``.

        Raises:
            UnknownName: there is no such experiment.
        """
        request = RunRequest(
            name,
            overlays=tuple(overlays),
            profile=profile,
            repetitions=repetitions,
            duration=duration,
            only=tuple(only),
            seed=seed,
            results=Path(results),
            clock=self._clock,
            costs=self._costs,
        )
        return LabExperiment(self, request)

    @property
    def session(self) -> Session:
        """The engine's lab and its overlays, for what this façade does not offer.

        Raises:
            LabError: the lab is not up.
        """
        if self._live is None:
            raise LabError("this lab is not up: use 'with Lab(…) as lab', or call up()")
        return self._live

    def _changing(self) -> AbstractContextManager[None]:
        lab = self.session.lab
        return lab_lock(lab.record.state.folder, lab.name, self.emit)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of a coroutine of the engine, run in this lab's event loop."""
        return self._loop.call(work)
