"""Real machines as hosts of a topology: reached, claimed, surveyed, and held until the end.

`Testbed` makes the hosts, as `lab.emulation.Emulation` does elsewhere; what is installed on them,
and what their data plane is, `lab.testbed.prepare` sees to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.errors import HostError, LabError
from lab.events import Emit, silent, step
from lab.hosts.command import RunCommand, Trace
from lab.hosts.command_log import CommandLog
from lab.hosts.ssh import SshHost, remote_argv
from lab.hosts.ssh_connection import SshConnection
from lab.runs.environment import environment
from lab.testbed import cabling_check, port_mapping, reservation, restore
from lab.testbed.inventory import AUTO, Inventory, check
from lab.testbed.port_mapping import LinkEnd, Ports, Wiring
from lab.testbed.survey import Survey, survey
from lab.topology import Topology
from lab.util.concurrency import together


class Testbed:
    """The machines of an inventory. ``async with Testbed(…) as testbed: testbed.hosts["AMS"].run([…])``.

    Args:
        inventory: which machine is which host.
        topology: what they are hosts of.
        path: the inventory's file: other files are named from its folder.
        accept_new: write keys of hosts that were never seen into known_hosts.
        steal: take hosts over from whoever has claimed them.
        trace: told of every command.
        emit: told of every step.
    """

    def __init__(
        self,
        inventory: Inventory,
        topology: Topology,
        path: Path,
        *,
        accept_new: bool = False,
        steal: bool = False,
        trace: Path | None = None,
        emit: Emit = silent,
    ) -> None:
        check(inventory, topology, str(path))
        self.inventory, self.topology, self.path = inventory, topology, path
        folder, names = path.resolve().parent, [host.name for host in topology.hosts]
        self.connections = {
            name: SshConnection(inventory.ssh_settings(name, folder, accept_new=accept_new)) for name in names
        }
        self.hosts: dict[str, SshHost] = {}
        self.surveys: dict[str, Survey] = {}
        self.control_interfaces: dict[str, str] = {}
        self.emit, self._steal, self._trace = emit, steal, trace
        self._holder: reservation.Holder | None = None
        self._traces: list[Trace] = []

    async def __aenter__(self) -> Testbed:
        try:
            await self.connect()
        except BaseException:
            await asyncio.shield(self.close())
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def connect(self) -> None:
        """Reach every machine, side by side.

        Raises:
            HostUnreachable: names every machine that cannot be reached, and why.
        """
        with step(self.emit, "connections") as words:
            faults = [fault for fault in await self.reach() if fault]
            if len(faults) == 1:
                raise faults[0]
            if faults:
                raise HostError("; ".join(map(str, faults)))
            words.append(f"{len(self.hosts)} hosts")

    async def reach(self) -> list[LabError | None]:
        """Connect to every reachable host; return the obstacle per host."""
        results = await asyncio.gather(
            *(self._reach(host.name) for host in self.topology.hosts), return_exceptions=True
        )
        self.hosts = {h.name: self.hosts[h.name] for h in self.topology.hosts if h.name in self.hosts}
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, LabError):
                raise result
        return [result if isinstance(result, LabError) else None for result in results]

    async def _reach(self, name: str) -> None:
        connection = self.connections[name]
        await connection.connect()
        run: RunCommand = connection
        if self._trace is not None:
            path = self._trace.with_name(f"{self._trace.stem}-{name}{self._trace.suffix}")
            run = Trace(path, connection)
            self._traces.append(run)
        site, addresses = self.topology.host(name).site, self.topology.addresses(name)
        self.hosts[name] = SshHost(name, site, addresses, run, sudo=connection.user != "root")

    def log_output(self, folder: Path) -> None:
        """Write what commands print from now on into this folder, a file per host, as it arrives.

        Raises:
            FileError: a file cannot be made.
        """
        for name, connection in self.connections.items():
            connection.log = CommandLog(folder / f"{name}.log", self.emit)

    async def close(self) -> None:
        """Let go of the hosts, and close every connection; daemons on the hosts go on."""
        if self._holder is not None:
            try:
                async with asyncio.timeout(10):
                    await reservation.release(list(self.hosts.values()), self._holder, claim=False)
            except (LabError, TimeoutError):
                pass  # a host that is gone: its lock names this command, which has ended
            self._holder = None
        await asyncio.gather(*(connection.close() for connection in self.connections.values()))
        for trace in self._traces:
            trace.close()
        for connection in self.connections.values():
            if connection.log:
                connection.log.close()

    async def survey(self) -> None:
        """Survey every machine; they are left as they are.

        Raises:
            HostError: a machine answers no questions.
        """
        found = await together(survey(host) for host in self.hosts.values())
        self.surveys = dict(zip(self.hosts, found, strict=True))

    async def claim(self) -> None:
        """Take the hosts for this command, after a survey without the claim.

        Raises:
            HostsLocked: somebody else has them.
        """
        self._holder = await reservation.acquire(list(self.hosts.values()), steal=self._steal)

    def forget_claim(self) -> None:
        """Take note that the claim went with all else that was on the hosts."""
        self._holder = None

    async def find_control_interfaces(self) -> None:
        """Find the interface of every machine that carries SSH: its control network."""
        found = await together(self.control_interface(name) for name in self.hosts)
        self.control_interfaces = dict(zip(self.hosts, found, strict=True))

    async def control_interface(self, name: str) -> str:
        """Return the interface of one machine that carries SSH, after a survey."""
        echo = await self.connections[name](["sh", "-c", 'echo "$SSH_CONNECTION"'], timeout=20)
        words = echo.stdout.split()
        return port_mapping.control_interface(
            name, self.surveys[name].interfaces, words[2] if len(words) > 2 else ""
        )

    async def find_ports(self, *, discover: bool) -> Ports:
        """Map ports to interfaces; with `discover`, find those that are `auto`.

        Raises:
            HostError: an interface is missing, foreign, or the control network; or nothing was found.
        """
        known = {name: self.ports_of(name) for name in self.hosts}
        asked = {name: machine.ports for name, machine in self.inventory.hosts.items()}
        if not discover or not any(AUTO in a.values() and len(known[n]) < len(a) for n, a in asked.items()):
            return known
        with step(self.emit, "looking for ports"):
            wiring = await self._wiring_of_free_ports(known)
            return port_mapping.fill_in_auto(self.topology, known, asked, wiring)

    def ports_of(self, name: str) -> dict[str, str]:
        """Return the known ports of one machine, after a survey; see `find_ports` for what it raises."""
        found, given = self.surveys[name], self.inventory.hosts[name].ports
        known = port_mapping.given_ports(name, given, found.interfaces)
        # an `auto` port that has its address already is known
        where = {a: i.name for i in found.interfaces.values() for a in i.addresses}
        for link in self.topology.links_of(name):
            port, address = link.interface(name), f"{link.address(name)}/{link.prefix}"
            if given[port] == AUTO and address in where:
                known[port] = where[address]
        port_mapping.refuse_control(name, known, self.control_interfaces[name])
        port_mapping.refuse_foreign(name, known, found, self.topology)
        return known

    async def _wiring_of_free_ports(self, known: Ports) -> Wiring:
        free = {
            name: port_mapping.candidates(
                self.surveys[name].interfaces, known[name].values(), self.control_interfaces[name]
            )
            for name, machine in self.inventory.hosts.items()
        }
        await together(
            restore.append_names(self.hosts[name], restore.TOUCHED, own) for name, own in free.items() if own
        )
        # ports that are named take part: what is behind those that are not may be one of them
        return await self.find_wiring({name: [*own, *known[name].values()] for name, own in free.items()})

    async def find_wiring(self, interfaces: Mapping[str, Sequence[str]]) -> Wiring:
        """Find what really is behind interfaces of hosts; see `cabling_check.find_wiring`."""
        known = {name: found.interfaces for name, found in self.surveys.items()}
        return await cabling_check.find_wiring(self.hosts, interfaces, known)

    async def run_with_input(self, name: str, argv: Sequence[str], path: Path, timeout: float) -> None:
        """Run a command on a host with a file of this machine as its input."""
        connection = self.connections[name]
        full = remote_argv(argv, timeout, (), sudo=connection.user != "root")
        await connection(full, timeout=timeout + 15, stdin=path)

    def ends(self, ports: Ports) -> list[LinkEnd]:
        """Return both ends of every link, on the machines' interfaces."""
        return list(port_mapping.link_ends(self.topology, ports))

    def facts(self) -> dict[str, Any]:
        """Return what a run's manifest keeps of the machines, and of this one, which only looks on."""
        hosts = {name: found.as_facts() for name, found in self.surveys.items()}
        kernels, dockers = (
            "+".join(sorted({h[key] for h in hosts.values()})) for key in ("kernel", "docker")
        )
        return {
            "kernel": kernels,
            "machine": {name: {"cpus": one["cpus"], "cpu": one["cpu"]} for name, one in hosts.items()},
            "sysctls": {name: one.pop("sysctls") for name, one in hosts.items()},
            "versions": {**environment()["versions"], "docker on hosts": dockers},
            "hosts": hosts,
        }
