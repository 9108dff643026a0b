"""The contract of an overlay: one module, one class, the same steps on every kind of host.

A module `overlays/NAME.py` has one subclass of `Overlay`; it is found by its name. Third
parties register theirs under the entry point group ``lab.overlays``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from lab.hosts.base import Endpoint, Host, HostFacts
from lab.topology import Topology

ENDPOINT_IMAGE = "lab/gtsperf"


@dataclass(frozen=True)
class Missing:
    """One thing that a host lacks for an overlay, and how it can be had."""

    what: str
    remedy: str


@dataclass(frozen=True)
class Option:
    """An option of an overlay: ``--overlay NAME:key=value``.

    `values` lists what is valid; empty means free text. `help` is a few words.
    """

    key: str
    default: str
    values: tuple[str, ...] = ()
    help: str = ""


class Overlay(ABC):
    """An overlay network over the hosts of one lab.

    The object carries what it was told (options) and, after `install`, whom it was
    installed on. Everything it does, it does through `Host`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    #: How a packet gets over several hops: ``overlay`` (it forwards itself) or ``routed underlay``.
    hops: ClassVar[str]
    options: ClassVar[tuple[Option, ...]] = ()

    def __init__(self, **settings: str) -> None:
        self.settings: Mapping[str, str] = {o.key: settings.get(o.key, o.default) for o in self.options}
        self.hosts: tuple[Host, ...] = ()
        self.topology: Topology | None = None

    @classmethod
    def obtainable(cls) -> Missing | None:
        """What this machine lacks to supply the overlay's programs; None when it has all."""
        return None

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        """What a host with these facts lacks; empty when it can run this overlay."""
        return ()

    @abstractmethod
    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        """Put the overlay on all hosts, side by side. Doing it twice changes nothing.

        Raises:
            NotObtainable: a host lacks something (see `prerequisites`).
            OverlayError: a daemon did not start.
        """

    @abstractmethod
    async def ready(self, timeout: float = 60.0) -> None:
        """Return once the overlay's own status says that every host reaches every other.

        Raises:
            OverlayError: not before `timeout` (s); the message has the overlay's own words.
        """

    @abstractmethod
    async def attach(self, host: Host, image: str = ENDPOINT_IMAGE, name: str = "endpoint") -> Endpoint:
        """Start a container of `image` on the overlay and return it as an endpoint."""

    async def detach(self, endpoint: Endpoint) -> None:
        """Remove an endpoint's container."""
        await endpoint.host.run(["docker", "rm", "-f", "-v", endpoint.container])

    @abstractmethod
    async def mode(self) -> Mapping[str, str]:
        """What really runs now, in a few words per aspect (``mode: sleeve``); kept with each sample."""

    async def report(self) -> Mapping[str, Any]:
        """The overlay's own status per host, to be stored with the run."""
        return {}

    @abstractmethod
    async def uninstall(self) -> None:
        """Take the overlay off every host it was installed on, leaving them as they were."""
