"""Handles on hosts, endpoints and links of a lab that is up, whose calls return when the thing is done."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, Unpack

from lab.emulation.links.link import LinkState, Shape
from lab.errors import UnknownName
from lab.hosts.host import CommandOptions, Endpoint, Host, Result
from lab.live.session import Session
from lab.topology import LinkSpec

if TYPE_CHECKING:
    from lab.emulation.emulation import Emulation
    from lab.measure.link_counters import Counters

T = TypeVar("T")


class Wait(Protocol):
    """A function that waits until a coroutine is done, and returns its result."""

    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


class HostHandle:
    """A place where commands run: a host, or an endpoint on it."""

    def __init__(self, place: Host | Endpoint, wait: Wait) -> None:
        self._place, self._wait = place, wait

    @property
    def name(self) -> str:
        return self._place.name

    def run(self, argv: Sequence[str], **options: Unpack[CommandOptions]) -> Result:
        """Run a command to its end; see `CommandOptions`.

        Raises:
            CommandError: `check` is set and the status is not zero.
            HostTimeout: it had not ended in time; it was killed.
        """
        return self._wait(self._place.run(argv, **options))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


class LabEndpoint(HostHandle):
    """A container on a host, attached to an overlay."""

    def __init__(self, endpoint: Endpoint, wait: Wait) -> None:
        super().__init__(endpoint, wait)
        self._endpoint = endpoint
        self.address, self.overlay = endpoint.address, endpoint.overlay

    def start(self, argv: Sequence[str]) -> None:
        """Start a command and leave it running."""
        self._wait(self._endpoint.start(argv))


class LabHost(HostHandle):
    """A host of a lab."""

    def __init__(self, host: Host, session: Session, wait: Wait) -> None:
        super().__init__(host, wait)
        self._host, self._session = host, session

    @property
    def site(self) -> str:
        return self._host.site

    @property
    def addresses(self) -> tuple[str, ...]:
        """Its addresses on its links, by the link's number."""
        return self._host.addresses

    def endpoint(self, overlay: str = "") -> LabEndpoint:
        """Return its endpoint on an overlay, which needs no name where the lab has one overlay.

        Raises:
            UnknownName: the lab has no such overlay, or it has no endpoint here.
        """
        endpoints = lab_endpoints(self._session, overlay, self._wait)
        if self.name not in endpoints:
            raise UnknownName("endpoint on host", self.name, endpoints)
        return endpoints[self.name]

    def start(self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> None:
        """Start a daemon of this name; its output goes to ``/var/log/lab/NAME.log`` on the host."""
        self._wait(self._host.start(name, argv, env=env))

    def stop(self, name: str) -> None:
        """End the daemon that `start` began under this name."""
        self._wait(self._host.stop(name))

    def put(self, data: bytes, path: str, *, mode: int = 0o644) -> None:
        """Write a file on the host, making its folder."""
        self._wait(self._host.put(data, path, mode=mode))

    def get(self, path: str) -> bytes:
        """Read a file of the host.

        Raises:
            HostError: there is no such file.
        """
        return self._wait(self._host.get(path))


class LabLink:
    """A link of a lab."""

    def __init__(self, spec: LinkSpec, emulation: Emulation, wait: Wait) -> None:
        self.spec, self._emulation, self._wait = spec, emulation, wait

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def line(self) -> LinkState:
        """The parameters that the link is set to now, per direction (`ab`, `ba`)."""
        return self._emulation.shaper.states[self.name]

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
        return self._wait(self._emulation.running_links().change(self.name, params, sender or None))

    def cut(self) -> None:
        """Let nothing pass any more; the interfaces of its hosts stay up."""
        self._wait(self._emulation.running_links().set_down(self.name))

    def join(self) -> None:
        """Let packets pass again, shaped as before."""
        self._wait(self._emulation.running_links().set_up(self.name))

    def read_back(self) -> Mapping[str, Shape]:
        """Return the parameters that the kernel reports for the link, compared with the requested ones.

        Raises:
            ShaperError: the first thing that differs.
        """
        return self._wait(self._emulation.shaper.read_back(self.name))

    def counters(self) -> Mapping[str, Counters]:
        """Return packets, bytes and drops per direction since the link was made."""
        return self._wait(self._emulation.shaper.counters())[self.name]

    def __repr__(self) -> str:
        return f"LabLink({self.name!r})"


def lab_endpoints(session: Session, overlay: str, wait: Wait) -> dict[str, LabEndpoint]:
    """Return the endpoints of an overlay by host; it needs no name where there is one.

    Raises:
        UnknownName: the lab has no such overlay, or several.
    """
    word = overlay or (session.specs[0] if len(session.specs) == 1 else "")
    return {name: LabEndpoint(endpoint, wait) for name, endpoint in session.endpoints(word).items()}
