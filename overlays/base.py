"""The contract of an overlay: one class, the same steps on every kind of host.

A module `overlays/NAME.py`, or `overlays/NAME/overlay.py`, has one subclass of `Overlay`; it is found
by its name. Other distributions register theirs under the entry point group ``lab.overlays``.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, TypeVar

from lab.errors import HostError, NotObtainable, OverlayError
from lab.hosts.daemons import log_file, pidfile
from lab.hosts.host import Endpoint, Host, HostFacts
from lab.topology import Topology
from lab.util.concurrency import together
from overlays.common import endpoints, install_record, namespaces, process_watch, routes
from overlays.common.polling import until

T = TypeVar("T")

ENDPOINT_IMAGE = namespaces.IMAGE
#: Prints the resident memory (KiB) of the processes whose ids are in these files; nothing if none runs.
RESIDENT = (
    'for file; do cat "/proc/$(cat "$file")/status"; done 2>/dev/null '
    "| awk '/^VmRSS/ {sum += $2; found = 1} END {if (found) print sum}'"
)


@dataclass(frozen=True)
class Missing:
    """A requirement of an overlay that a host does not have, and its remedy."""

    what: str
    remedy: str


#: What overlays that forward in user space need.
NO_TUN = Missing("the device /dev/net/tun", "load the tun module")
#: What overlays need that are a part of Docker.
NO_DOCKER = Missing("a Docker daemon", "leave out --daemons none")
#: What overlays that encrypt in the kernel need.
NO_ESP = Missing(
    "IPsec's ESP with AES-GCM in its kernel, which encryption=on needs", "load the modules esp4 and gcm"
)


@dataclass(frozen=True)
class Option:
    """An option of an overlay: ``--overlay NAME:key=value``.

    `values` lists the valid values; empty means free text, or digits if `number` is set. `help` is a
    short description.
    """

    key: str
    default: str
    values: tuple[str, ...] = ()
    help: str = ""
    number: bool = False


class Overlay(ABC):
    """An overlay network over the hosts of one lab.

    The object has its options (`settings`) and, after `install`, its hosts. It does everything
    through `Host`.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    #: How a packet gets over several hops: ``overlay`` (it forwards itself) or ``routed underlay``.
    #: An option may decide it; then the object has its own.
    hops: str
    #: The possible values of ``mode()["mode"]``, for lists.
    modes: ClassVar[tuple[str, ...]]
    options: ClassVar[tuple[Option, ...]] = ()

    def __init__(self, **settings: str) -> None:
        self.settings: Mapping[str, str] = {o.key: settings.get(o.key, o.default) for o in self.options}
        self.hosts: tuple[Host, ...] = ()
        self._topology: Topology | None = None

    @property
    def topology(self) -> Topology:
        """The topology that the overlay is installed on.

        Raises:
            OverlayError: it is not installed.
        """
        if self._topology is None:
            raise OverlayError(f"{self.name} is not installed; call install first")
        return self._topology

    @topology.setter
    def topology(self, topology: Topology) -> None:
        self._topology = topology

    @classmethod
    def obtainable(cls) -> Missing | None:
        """Return what this machine lacks to supply the overlay's programs; None when it has all."""
        return None

    @classmethod
    def fetch(cls) -> None:
        """Download or build the programs of the overlay; once per machine, and it may take minutes.

        For programs that must be there before the hosts, as hosts cannot reach other networks.

        Raises:
            OverlayError: they could not be built.
        """

    @property
    def user_space(self) -> bool:
        """True if, with these options, a daemon of the overlay carries every packet itself."""
        return False

    @property
    def module(self) -> str:
        """The module of the kernel that its fast mode needs, where it has another mode as well; else ""."""
        return ""

    @property
    def encrypts(self) -> bool:
        """True if, with these options, the overlay encrypts what endpoints send."""
        return self.settings.get("encryption") == "on"

    def prerequisites(self, facts: HostFacts) -> Sequence[Missing]:
        """Return what a host with these facts lacks; empty when it can run this overlay."""
        return ()

    @abstractmethod
    async def install(self, hosts: Sequence[Host], topology: Topology) -> None:
        """Put the overlay on all hosts, side by side. Doing it twice changes nothing.

        If another process has installed it with the same options, the running overlay is used as it is.

        Raises:
            NotObtainable: a host lacks something (see `prerequisites`).
            OverlayError: a daemon did not start, or the overlay runs there with other options.
        """

    @abstractmethod
    async def ready(self, timeout: float = 60.0) -> None:
        """Return once the overlay's own status says that every host reaches every other.

        Raises:
            OverlayError: it does not say so within `timeout` (s); the message has the overlay's status.
        """

    @abstractmethod
    async def attach(self, host: Host, image: str = ENDPOINT_IMAGE, name: str = "endpoint") -> Endpoint:
        """Start a container of `image` on the overlay, or take the one that runs; returns its endpoint."""

    async def detach(self, endpoint: Endpoint) -> None:
        """Remove an endpoint's container."""
        await endpoints.detach(endpoint)

    async def refresh(self) -> None:
        """Make the daemons announce their endpoints again; called while endpoints do not reach each other.

        For overlays whose daemons announce a change only once, and all that they know only now and then.
        """

    @abstractmethod
    async def mode(self) -> Mapping[str, str]:
        """Return the present mode, a few words per aspect (``mode: sleeve``); stored with each sample."""

    async def report(self) -> Mapping[str, Any]:
        """Return the overlay's own status per host, to be stored with the run."""
        return {}

    async def counters(self) -> Mapping[str, int]:
        """Read the counters of the data path, before and after a sample; {} where it has none."""
        return {}

    def daemons(self, host: Host) -> Sequence[str]:
        """Return the names of the daemons that the overlay started on a host (see `Host.start`)."""
        return ()

    def log_names(self, host: Host) -> Sequence[str]:
        """Return the names of the daemons' logs on a host, also of daemons that the overlay did not start."""
        return self.daemons(host)

    async def check(self) -> None:
        """Check that every daemon of the overlay runs.

        Raises:
            OverlayError: names the daemon that does not, and its host, with the end of its log.
        """
        await together(self.check_daemon(host, name) for host in self.hosts for name in self.daemons(host))

    async def check_daemon(self, host: Host, name: str) -> None:
        """Check that a daemon runs on a host; see `check`."""
        if await host.alive(name):
            return
        said = (await host.run(["tail", "-n", "2", log_file(name)], check=False)).stdout.strip()
        raise OverlayError(
            f"{self.name}: {name} on {host.name} no longer runs; the end of its log: {said or 'none'}"
        )

    def pidfiles(self, host: Host) -> Mapping[str, str]:
        """Return, by daemon, the pid file of each process that must run on a host for the overlay."""
        return {name: pidfile(name) for name in self.daemons(host)}

    async def memory(self) -> Mapping[str, int]:
        """Return the memory (bytes, resident) of the processes of `pidfiles`, by the name of the host.

        A host where none of them runs is left out.
        """
        printed = await self.on_hosts(self._occupied)
        return {name: int(text) * 1024 for name, text in printed.items() if text.strip()}

    async def _occupied(self, host: Host) -> str:
        """Return the memory of these processes on a host, in KiB; "" where none runs."""
        files = list(self.pidfiles(host).values())
        argv = ["sh", "-c", RESIDENT, "sh", *files]
        return (await host.run(argv, check=False)).stdout if files else ""

    async def watch(self) -> NoReturn:
        """Wait until a daemon ends. Run this beside a measurement: it hardly disturbs it.

        Raises:
            OverlayError: see `check`.
        """
        while True:
            await process_watch.until_one_ends({host: self.pidfiles(host) for host in self.hosts})
            await self.check()
            await asyncio.sleep(process_watch.INTERVAL)

    async def logs(self) -> Mapping[str, bytes]:
        """Return what every daemon wrote so far, by ``HOST/DAEMON.log``."""
        names = [(host, name) for host in self.hosts for name in self.daemons(host)]
        texts = await together(self._log(host, name) for host, name in names)
        return {f"{host.name}/{name}.log": text for (host, name), text in zip(names, texts, strict=True)}

    async def _log(self, host: Host, name: str) -> bytes:
        try:
            return await host.get(log_file(name))
        except HostError:
            return b""

    async def require(self, hosts: Sequence[Host]) -> None:
        """Check that every host can run the overlay.

        Raises:
            NotObtainable: names the first host that cannot, with what it lacks and the remedy.
        """
        for host, facts in zip(hosts, await together(h.facts() for h in hosts), strict=True):
            for missing in self.prerequisites(facts):
                raise NotObtainable(self.name, f"{host.name} lacks {missing.what}", missing.remedy)

    async def installed(self, hosts: Sequence[Host]) -> install_record.Installed:
        """Return the hosts that do not have the overlay yet, and its recorded choices; change nothing.

        Raises:
            OverlayError: it runs on one of them with other options.
        """
        return await install_record.read(self.name, self.settings, hosts)

    async def claim(
        self, hosts: Sequence[Host], before: install_record.Installed, **choices: Any
    ) -> Mapping[str, Any]:
        """Set the overlay's hosts, and record the overlay's choices on those that are new (`before.new`).

        Returns the choices of the first installation; `choices` if no host had the overlay before.
        """
        chosen = choices if before.choices is None else before.choices
        self.hosts = tuple(hosts)
        await install_record.write(self.name, self.settings, chosen, before.new)
        return chosen

    def number(self, host: Host) -> int:
        """Return a host's number in the topology."""
        return self.topology.host(host.name).number

    def neighbours(self, host: Host) -> list[Host]:
        """Return the hosts of the overlay that have a link to this host."""
        by_name = {other.name: other for other in self.hosts}
        return [by_name[name] for name in self.topology.neighbours(host.name) if name in by_name]

    def reachable(self, host: Host) -> list[Host]:
        """Return the other hosts of the overlay that the topology connects with this host."""
        others = (other for other in self.hosts if other is not host)
        return [other for other in others if routes.reaches(self.topology, host.name, other.name)]

    async def on_hosts(self, work: Callable[[Host], Awaitable[T]]) -> dict[str, T]:
        """Run `work` for all hosts at the same time, and return the results by host name.

        The first failure cancels the rest: the rest may take minutes, and one dead daemon is enough.
        """
        results = await together((work(host) for host in self.hosts), on_failure="cancel")
        return {host.name: result for host, result in zip(self.hosts, results, strict=True)}

    async def wait_for(self, lacking: Callable[[Host], Awaitable[str]], timeout: float, what: str) -> None:
        """Ask each host again and again until `lacking` returns ""; `what` names the aim in errors.

        Raises:
            OverlayError: a host still lacks something after `timeout` (s); the message says what.
        """
        await self.on_hosts(
            lambda host: until(lambda: lacking(host), timeout, f"{self.name} on {host.name}: {what}")
        )

    def host_with(self, name: str, what: str) -> Host:
        """Return the host of this name; `what` says in the error what the overlay has there.

        Raises:
            OverlayError: it is not among the hosts.
        """
        for host in self.hosts:
            if host.name == name:
                return host
        raise OverlayError(f"{self.name} has {what} on {name}, which is not among the hosts; add it to them")

    async def relaunch(self) -> None:
        """Restart the overlay's daemons, while endpoints stay attached.

        Raises:
            OverlayError: this overlay has nothing that could be relaunched.
        """
        raise OverlayError(f"{self.name} has no daemon that can be relaunched under its endpoints")

    async def rewire(self, topology: Topology) -> None:
        """Adapt to a topology with other links between the hosts; endpoints stay attached.

        This does not take in hosts that are new in the topology (see `join`).

        Raises:
            OverlayError: this overlay cannot do that while it runs.
        """
        raise self._unable("follow a change of the links")

    async def reroute(self, topology: Topology, tunnel: int = 0) -> None:
        """Give the hosts the static routes of another topology; `tunnel` is as in `routes.add_tunnel`.

        Raises:
            OverlayError: a host has another address in it, which the running daemons do not know.
        """
        for host in self.hosts:
            if topology.address(host.name) != self.topology.address(host.name):
                raise OverlayError(
                    f"{self.name}: {host.name} has lost the address by which the others know it"
                )
        self.topology = topology
        await routes.renew(self.hosts, topology, self.name, tunnel)

    async def join(self, host: Host) -> None:
        """Take one more host of the topology into the running overlay.

        Raises:
            OverlayError: this overlay cannot do that while it runs.
        """
        raise self._unable("take in a host")

    async def leave(self, host: Host) -> None:
        """Remove the overlay from one host, and leave that host as it was; the others keep running.

        Raises:
            OverlayError: this overlay cannot do that while it runs.
        """
        raise self._unable("lose a host")

    def _unable(self, what: str) -> OverlayError:
        return OverlayError(f"{self.name} cannot {what} while it runs; uninstall it and install it again")

    @abstractmethod
    async def uninstall(self) -> None:
        """Remove the overlay from every host on which it was installed, and leave them as they were."""
