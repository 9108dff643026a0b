"""The lab in Python: ``from lab import Lab``. What waits here is what the verbs do, by the same engine.

Every call returns when the thing is done. An event loop runs in a thread of its own, so that this
works in a notebook too, where one runs already.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import networkx as nx

from lab import catalog
from lab.emulation.links.link import LinkState, Shape
from lab.emulation.registry import read
from lab.errors import LabError, UnknownName
from lab.events import Emit, silent
from lab.hosts.host import Endpoint, Host, Result
from lab.live import ping_all
from lab.live.inspect import look
from lab.live.ping_all import Pair
from lab.live.session import Session
from lab.topology import LinkSpec, Topology
from lab.util.event_loop import EventLoopThread
from lab.util.locks import lab_lock

if TYPE_CHECKING:
    from lab.emulation.links.control import Links
    from lab.emulation.links.shaper import Shaper
    from lab.measure.link_counters import Counters
    from lab.runs.run_folder import StoredRun

T = TypeVar("T")
#: Whatever says what a network is: a topology, a graph, or the name or file of one.
Network = Topology | nx.Graph | str | Path  # type: ignore[type-arg]


def _topology(network: Network) -> Topology:
    if isinstance(network, Topology):
        return network
    if isinstance(network, nx.Graph):
        return Topology(network, name=str(network.graph.get("name", "graph")))
    return catalog.topology(network)


class HostHandle:
    """Where commands run: a host, or an endpoint on it."""

    def __init__(self, lab: Lab, where: Host | Endpoint) -> None:
        self._lab, self._where = lab, where

    @property
    def name(self) -> str:
        return self._where.name

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout: float = 60.0,
        check: bool = True,
        stdin: bytes | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Result:
        """Run a command to its end; `timeout` in s, `env` for secrets, which no argv should hold.

        Raises:
            CommandError: `check` is set and the status is not zero.
            HostTimeout: it had not ended in time; it was killed.
        """
        return self._lab._wait(self._where.run(argv, timeout=timeout, check=check, stdin=stdin, env=env))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class LabEndpoint(HostHandle):
    """A container on a host, attached to an overlay."""

    def __init__(self, lab: Lab, end: Endpoint) -> None:
        super().__init__(lab, end)
        self.address, self.overlay = end.address, end.overlay

    def start(self, argv: Sequence[str]) -> None:
        """Start a command and leave it running."""
        end = self._where
        assert isinstance(end, Endpoint), "made with one"
        self._lab._wait(end.start(argv))


class LabHost(HostHandle):
    """A host of a lab."""

    def __init__(self, lab: Lab, host: Host) -> None:
        super().__init__(lab, host)
        self._host = host

    @property
    def site(self) -> str:
        return self._host.site

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its addresses on its links, by the link's number."""
        return self._host.addresses

    def endpoint(self, overlay: str = "") -> LabEndpoint:
        """Its endpoint on an overlay, which needs no name where the lab has one overlay.

        Raises:
            UnknownName: the lab has no such overlay, or it has no endpoint here.
        """
        ends = self._lab.endpoints(overlay)
        if self.name not in ends:
            raise UnknownName("endpoint on host", self.name, ends)
        return ends[self.name]

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Start a daemon of this name; its output goes to ``/var/log/lab/NAME.log`` on the host."""
        self._lab._wait(self._host.start(name, argv, env=env))

    def stop(self, name: str) -> None:
        """End the daemon that `start` began under this name."""
        self._lab._wait(self._host.stop(name))

    def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None:
        """Write a file on the host, making its folder."""
        self._lab._wait(self._host.put(data, path, mode=mode))

    def get(self, path: str) -> bytes:
        """Read a file of the host.

        Raises:
            HostError: there is no such file.
        """
        return self._lab._wait(self._host.get(path))


class LabLink:
    """A link of a lab."""

    def __init__(self, lab: Lab, spec: LinkSpec) -> None:
        self._lab, self.spec = lab, spec

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def line(self) -> LinkState:
        """What is asked of the link now, per direction (`ab`, `ba`)."""
        return self._lab._shaper.states[self.name]

    def change(self, *, sender: str = "", **params: Any) -> LinkState:
        """Set some parameters while the link runs, and leave the others: packets under way stay under way.

        Args:
            sender: only what this host sends; both directions by default.
            params: `delay` (ms each way), `rtt` (ms, half of it each way), `rate` (Mbit/s, None is no
                limit), `loss` (percent) and what else `lab.emulation.links.link.Shape` has.

        Raises:
            UnknownName: there is no such parameter, or the host is not at the link.
            ShaperError: the value is absurd, or the shaper cannot impose it.
        """
        return self._lab._wait(self._links.change(self.name, params, sender or None))

    def cut(self) -> None:
        """Let nothing pass any more; the interfaces of its hosts stay up."""
        self._lab._wait(self._links.set_down(self.name))

    def join(self) -> None:
        """Let packets pass again, shaped as before."""
        self._lab._wait(self._links.set_up(self.name))

    @property
    def _links(self) -> Links:
        return self._lab._session.lab.running_links()

    def read_back(self) -> Mapping[str, Shape]:
        """What the kernel says that the link does, having been held against what was asked.

        Raises:
            ShaperError: the first thing that differs.
        """
        return self._lab._wait(self._lab._shaper.read_back(self.name))

    def counters(self) -> Mapping[str, Counters]:
        """Packets, bytes and drops per direction since the link was made."""
        return self._lab._wait(self._lab._shaper.counters())[self.name]

    def __repr__(self) -> str:
        return f"LabLink({self.name!r})"


class LabExperiment:
    """An experiment that is to be run on a lab; see `Lab.experiment`."""

    def __init__(self, lab: Lab, name: str, settings: Mapping[str, Any]) -> None:
        from lab.app.run import RunRequest, load_experiment

        self._lab, self.experiment = lab, load_experiment(name)
        self._asked = RunRequest(experiment=name, **settings)

    def run(self) -> StoredRun:
        """Measure; returns the stored run: its samples, and the folder that they lie in.

        The lab's overlays are measured as they are and stay. Other overlays that were named come and go.

        Raises:
            NotObtainable: an overlay that was named and that this machine cannot have.
            ShaperError: a link is not what it should be; nothing measured on it counts.
        """
        from lab.runs.run_folder import read as read_run

        return read_run(self._lab._wait(self._measure()))

    async def _measure(self) -> Path:
        from lab.app import run
        from lab.cli import standing

        settled = standing.settle(self._asked, self._lab._session)
        ground = await run.emulated(self._lab._session.lab, self._asked, settled, self._lab._emit)
        _, path = await run.measure_on(ground, self._asked, settled, {}, self._lab._emit)
        return path


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
        emit: Emit = silent,
    ) -> None:
        topology = _topology(network)
        self._wanted = topology if rate is None else topology.with_rate(rate)
        self._overlays = (overlay,) if isinstance(overlay, str) else tuple(overlay)
        self._name, self._asked_shaper, self._emit = name, shaper, emit
        self._loop = EventLoopThread()
        self._found: Session | None = None
        self._attached = False

    @classmethod
    def attach(cls, which: str = "", *, emit: Emit = silent) -> Lab:
        """Take up a lab that is up, by its name or id; it stays up when this object goes.

        Raises:
            UnknownName: there is no such lab.
            LabError: it was not named and there is not exactly one, or the machine was restarted.
        """
        session = Session.attach(which, emit=emit)
        lab = cls(session.topology, emit=emit)
        lab._found, lab._attached = session, True
        return lab

    def up(self) -> Lab:
        """Bring it up; what fails leaves nothing behind.

        Raises:
            LabError: see `lab.live.session.Session.up`.
        """
        if self._found is None:
            self._found = self._wait(
                Session.up(
                    self._wanted,
                    self._overlays,
                    name=self._name,
                    shaper=self._asked_shaper,
                    emit=self._emit,
                )
            )
        return self

    def down(self) -> None:
        """Take it off the machine; twice is as good as once."""
        if self._found is not None:
            with self._changing():
                self._wait(self._found.lab.down())
            self._found = None
        self._loop.stop()

    def keep(self) -> None:
        """Let it stay up when this process ends, or the block; `lab down` takes it away then."""
        self._session.lab.keep()
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
        return self._session.lab.name

    @property
    def topology(self) -> Topology:
        """What it was made from, as it runs."""
        return self._session.topology

    @property
    def hosts(self) -> Mapping[str, LabHost]:
        """All hosts by name."""
        return {name: LabHost(self, host) for name, host in self._session.lab.hosts.items()}

    def __getitem__(self, host: str) -> LabHost:
        """The host of this name.

        Raises:
            UnknownName: there is none.
        """
        if host not in self._session.lab.hosts:
            raise UnknownName("host", host, self._session.lab.hosts)
        return LabHost(self, self._session.lab.hosts[host])

    def __iter__(self) -> Iterator[LabHost]:
        return iter(self.hosts.values())

    def __len__(self) -> int:
        return len(self._session.lab.hosts)

    @property
    def links(self) -> tuple[LabLink, ...]:
        """All links by number."""
        return tuple(LabLink(self, spec) for spec in self._session.lab.links)

    def link(self, a: str, b: str = "") -> LabLink:
        """The link between two hosts, or the one of this name.

        Raises:
            UnknownName: there is none.
        """
        return LabLink(self, self._session.lab.link(a, b))

    @property
    def overlays(self) -> tuple[str, ...]:
        """The overlays that it has, by the words that asked for them."""
        return self._session.specs

    def endpoints(self, overlay: str = "") -> Mapping[str, LabEndpoint]:
        """The endpoints of an overlay by host; it needs no name where there is one.

        Raises:
            UnknownName: the lab has no such overlay, or several.
        """
        specs = self._session.specs
        word = overlay or (specs[0] if len(specs) == 1 else "")
        return {name: LabEndpoint(self, end) for name, end in self._session.endpoints(word).items()}

    def put_on(self, overlay: str) -> Mapping[str, LabEndpoint]:
        """Put one more overlay on it, with an endpoint per host; see `Session.put_on`."""
        with self._changing():
            self._wait(self._session.put_on(overlay))
        return self.endpoints(overlay)

    def take_off(self, overlay: str) -> None:
        """Take an overlay off, with its endpoints."""
        with self._changing():
            self._wait(self._session.take_off(overlay))

    def change(self, network: Network) -> list[str]:
        """Bring it to another network, touching only what differs; returns what that was, in words.

        Raises:
            LabError: see `lab.emulation.emulation.Emulation.become`.
        """
        with self._changing():
            change = self._session.lab.compare(_topology(network))
            self._wait(self._session.become(change))
        return change.summary()

    def ping_all(self, overlay: str = "", count: int = 3) -> list[Pair]:
        """Let every endpoint of an overlay echo every other; without overlays, hosts their neighbours."""
        if not self._session.specs:
            return self._wait(ping_all.links(self._session.lab, count))
        specs = [self._session.spec(overlay)] if overlay else self._session.specs
        found = []
        for spec in specs:
            ends = self._session.endpoints(spec)
            found += self._wait(ping_all.endpoints(ends, self._session.pairs(ends), count))
        return found

    def look(self) -> dict[str, Any]:
        """What runs, what died and why, what links do now: as ``lab ps --json``."""
        return look(read(self._session.lab.record.lab_id) or self._session.lab.record)

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
        """An experiment to be run on this lab, with its links as they are; see ``lab emulate``.

        Raises:
            UnknownName: there is no such experiment.
        """
        settings = {
            "overlays": tuple(overlays),
            "profile": profile,
            "repetitions": repetitions,
            "duration": duration,
            "only": tuple(only),
            "seed": seed,
            "results": Path(results),
        }
        return LabExperiment(self, name, settings)

    @property
    def _session(self) -> Session:
        if self._found is None:
            raise LabError("this lab is not up: use 'with Lab(…) as lab', or call up()")
        return self._found

    @property
    def _shaper(self) -> Shaper:
        return self._session.lab.shaper

    def _changing(self) -> AbstractContextManager[None]:
        lab = self._session.lab
        return lab_lock(lab.record.state.folder, lab.name, self._emit)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.call(work)
