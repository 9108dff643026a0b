"""What a Containernet network stands on: a lab's containers, namespaces and links.

Everything is made through the lab's engine, so it is recorded before it is made, and
``lab cleanup`` finds it after a ``kill -9``.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lab import images
from lab.containernet.cables import CableEnd, cable, veth_lines
from lab.emulation.docker import containers, host_spec
from lab.emulation.docker.daemon import client
from lab.emulation.emulation import Emulation
from lab.emulation.links import netns
from lab.emulation.links.link import LinkState, Shape
from lab.emulation.links.veth import delete_commands
from lab.errors import CommandError, HostError, LabError, UnknownName
from lab.util.event_loop import EventLoopThread


class Backend:
    """One lab, for callers that wait. Without an emulation it makes its own and takes it away again."""

    def __init__(self, emulation: Emulation | None, emit: Any) -> None:
        self.own = emulation is None
        self.emulation = emulation or Emulation(emit=emit)
        self.loop = EventLoopThread()
        self._docker: Any = None
        self._toolbox = 0

    @property
    def lab_id(self) -> str:
        """The lab's id; the lab is opened when it is first asked for."""
        if self.emulation.state is None:
            self.loop.call(self.emulation._open())
        assert self.emulation.state is not None, "an open lab has a record"
        return self.emulation.state.lab_id

    @property
    def folder(self) -> Path:
        """Where the lab keeps files while it is up; they go with it."""
        self.lab_id  # noqa: B018  (a lab has its folder from then on)
        assert self.emulation.state is not None, "an open lab has a record"
        return self.emulation.state.folder

    def docker(self) -> Any:
        """Docker's client."""
        if self._docker is None:
            self.lab_id  # noqa: B018  (a daemon serves from then on)
            self._docker = client()
        return self._docker

    def run(self, argv: Sequence[str], **how: Any) -> Any:
        """Run a command of this machine; see `lab.hosts.command.run`."""
        return self.loop.call(self.emulation._run(argv, **how))

    def image(self, name: str, image: str | None, build_params: Mapping[str, Any] | None) -> str | None:
        """The image of a container, built or pulled where that is needed.

        Raises:
            HostError: it could neither be found nor had; says why.
        """
        import docker

        try:
            if (build_params or {}).get("path"):
                # docker-py leaves the containers of a build behind unless it is told not to
                wanted = {"tag": image, "rm": True, "forcerm": True, **(build_params or {})}
                return str(self.docker().images.build(**wanted)[0].id)
            if image is not None:
                self._present(image)
        except docker.errors.BuildError as error:
            raise HostError(f"{name}: its image could not be built: {error}") from error
        except docker.errors.DockerException as error:
            raise HostError(
                f"{name}: image {image!r} is not on this machine and could not be pulled "
                f"({getattr(error, 'explanation', None) or error}); build it, or load it with 'docker load'"
            ) from error
        return image

    def _present(self, image: str) -> None:
        import docker

        try:
            self.docker().images.get(image)
        except docker.errors.ImageNotFound:
            tag = None if ":" in image.rsplit("/", 1)[-1] or "@" in image else "latest"
            self.docker().images.pull(image, tag=tag)

    def about(self, image: str) -> dict[str, Any]:
        """An image's own settings: Cmd, Entrypoint, ExposedPorts."""
        config: dict[str, Any] = self.docker().images.get(image).attrs["Config"] or {}
        return config

    def container(self, name: str, image: str | None, params: Mapping[str, Any]) -> bool:
        """Start a container; returns whether its first process is an idle shell.

        Raises:
            TopologyError: a parameter cannot be had.
            HostError: it did not start.
        """
        # whatever the parameters, the record comes first
        self.lab_id  # noqa: B018
        if image is None or params.get("dcmd"):
            self.loop.call(self._start(name, image, params))
            return False
        try:
            self.loop.call(self._start(name, image, {**params, "dcmd": ["sh"]}))
        except CommandError as error:
            if error.status not in (126, 127):
                raise
            self.loop.call(self._start(name, image, params))
            return False
        return True

    async def _start(self, name: str, image: str | None, params: Mapping[str, Any]) -> None:
        try:
            await self.emulation.add_docker(name, image=image, **params)
        except BaseException:
            assert self.emulation.state is not None, "it was opened"
            await asyncio.shield(self._discard(name, f"lab-{self.emulation.state.lab_id}-{name}"))
            raise

    def drop(self, name: str) -> None:
        """Remove a container."""
        self.loop.call(self.emulation.remove_docker(name))

    async def _discard(self, name: str, container: str) -> None:
        """Take away what there is of a container that did not come up."""
        if name in self.emulation.hosts:
            await self.emulation.remove_docker(name)
        argv = ["docker", "rm", "--force", "--volumes", container]
        await self.emulation._run(argv, on=name, check=False, timeout=120)

    def add_namespace(self, name: str) -> str:
        """Make a network namespace of the lab's; returns its path."""
        full = f"lab-{self.lab_id}-{name}"
        self.loop.call(self._add_namespace(full))
        return netns.path(full)

    async def _add_namespace(self, full: str) -> None:
        await self.emulation._open_fabric()  # it records and mounts what namespaces lie on
        assert self.emulation.state is not None, "a fabric has a record"
        self.emulation.state.record("namespace", full)
        await self.emulation._run(["ip", "netns", "add", full])
        await self.emulation._run(netns.inside(full, ["ip", "link", "set", "lo", "up"]))

    def remove_namespace(self, path: str) -> None:
        """Remove one again, with the interfaces in it."""
        self.run(["ip", "netns", "delete", path.rsplit("/", 1)[1]])

    def own_link(self) -> str:
        """Write down a link that is about to be in this machine's own network; returns its name."""
        self.lab_id  # noqa: B018
        state = self.emulation.state
        assert state is not None, "it was opened"
        name = f"sap-{state.lab_id}-{sum(owned.kind == 'link' for owned in state.owned())}"
        state.record("link", name)
        return name

    def ip(self, namespace: str, lines: Sequence[str]) -> None:
        """Carry out `ip` lines in a namespace."""
        if lines:
            self.run(netns.ip_batch(namespace), stdin=netns.script(lines))

    def join(self, a: CableEnd, b: CableEnd, mtu: int) -> None:
        """Lay a plain cable, which nothing shapes."""
        self.lab_id  # noqa: B018
        self.ip(a.namespace, veth_lines(a, b, mtu))

    def lay(self, a: CableEnd, b: CableEnd, ab: Shape, ba: Shape) -> str:
        """Lay a cable with a shaper in its middle; returns its name.

        Raises:
            ShaperError: no shaper of this machine can do what is asked; nothing is left of it.
        """
        self.lab_id  # noqa: B018
        return self.loop.call(self._lay(a, b, ab, ba))

    async def _lay(self, a: CableEnd, b: CableEnd, ab: Shape, ba: Shape) -> str:
        fabric = await self.emulation._open_fabric()
        lines = fabric.shaper.states
        number = 1 + max((line.number for line in lines.values()), default=0)
        name = f"{a.node}-{b.node}"
        name = name if name not in lines else f"{name}.{number}"
        new = cable(name, number, a, b, ab, ba)
        try:
            await fabric.add_links([new])
        except BaseException:
            await asyncio.shield(self._clear(new.state))
            raise
        return name

    async def _clear(self, line: LinkState) -> None:
        """Take away what there is of a half-laid cable."""
        fabric = await self.emulation._open_fabric()
        argv = netns.inside(fabric.namespace, ["ip", "-force", "-batch", "-"])
        await self.emulation._run(argv, stdin=netns.script(delete_commands([line])), check=False)
        if line.name in fabric.shaper.states:
            await fabric.shaper.remove([line.name])

    def take(self, name: str) -> None:
        """Take a shaped cable away; one whose end went with its node as well."""
        shaper = self.emulation.shaper
        if shaper is not None and name in shaper.states:
            self.loop.call(self._clear(shaper.states[name]))

    def change(self, name: str, direction: str, params: Mapping[str, Any]) -> None:
        """Shape one direction of a running cable anew."""
        shaper = self.emulation.shaper
        if shaper is None or name not in shaper.states:
            raise UnknownName("link", name, shaper.states if shaper else ())
        self.loop.call(shaper.change(name, directions=(direction,), **params))

    def tools(self, namespace: str) -> list[str]:
        """How a program of the lab's own image gets into a network: iperf3, bash, ping, ss, whatever this
        machine and the network's images have."""
        if not self._toolbox:
            self.lab_id  # noqa: B018
            self._toolbox = self.loop.call(self._start_toolbox())
        return ["nsenter", f"--net={namespace}", f"--mount=/proc/{self._toolbox}/ns/mnt", "--"]

    async def _start_toolbox(self) -> int:
        state = self.emulation.state
        assert state is not None, "it was opened"
        spec = host_spec.plain(state, "tools", images.ENDPOINT.tag, {"dcmd": ["sleep", "infinity"]}).container
        spec = replace(spec, name=f"{spec.name}-of-the-lab")
        state.record("container", spec.name)
        return (await containers.start([spec], self.emulation._run))[spec.name].pid

    def tool(self, namespace: str, argv: Sequence[str], name: str) -> subprocess.CompletedProcess[str]:
        """Run a program of this machine in a network namespace, for as long as it takes.

        Raises:
            LabError: this machine has no such program.
        """
        full = netns.inside(namespace, argv)
        done = subprocess.run(full, capture_output=True, text=True, errors="replace", check=False)
        if done.returncode == 127 and "failed to execute" in done.stderr:
            raise LabError(f"{name}: this machine has no program {argv[0]!r}; install it")
        return done

    def down(self) -> None:
        """Take the lab off the machine, if it is this network's own."""
        try:
            if self.own:
                self.loop.call(self.emulation.down())
            if self._docker is not None:
                self._docker.close()
        finally:
            self._docker, self._toolbox = None, 0
            self.loop.stop()
