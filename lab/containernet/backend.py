"""The lab under a Containernet network: its containers, namespaces and links.

Everything is made through the lab's engine, so it is recorded before it is made, and
``lab cleanup`` finds it after a ``kill -9``.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lab import images
from lab.containernet.cables import Cable, CableEnd, cable
from lab.emulation.docker import containers, host_spec
from lab.emulation.docker.daemon import client
from lab.emulation.emulation import Emulation
from lab.emulation.links import netns
from lab.emulation.links.link import Shape
from lab.emulation.ownership import LabState
from lab.errors import CommandError, HostError, LabError
from lab.util.event_loop import EventLoopThread


class Backend:
    """One lab, for callers that wait. Without an emulation it makes its own and removes it again."""

    def __init__(self, emulation: Emulation | None, emit: Any) -> None:
        self.owns_lab = emulation is None
        self.emulation = emulation or Emulation(emit=emit)
        self.loop = EventLoopThread()
        self._cables: dict[str, Cable] = {}
        self._docker: Any = None
        self._toolbox = 0

    @property
    def state(self) -> LabState:
        """The list of what the lab owns; the lab is opened when it is first asked for."""
        if not self.emulation.is_up:
            self.loop.call(self.emulation.open())
        return self.emulation.state

    @property
    def lab_id(self) -> str:
        """The lab's id."""
        return self.state.lab_id

    def docker_client(self) -> Any:
        """Docker's client."""
        if self._docker is None:
            self.state  # noqa: B018  (a daemon serves from then on)
            self._docker = client()
        return self._docker

    def run(self, argv: Sequence[str], **how: Any) -> Any:
        """Run a command of this machine; see `lab.hosts.command.run`."""
        return self.loop.call(self.emulation.run(argv, **how))

    def ensure_image(
        self, name: str, image: str | None, build_params: Mapping[str, Any] | None
    ) -> str | None:
        """Return the image of a container, built or pulled where that is needed.

        Raises:
            HostError: it could neither be found nor had; says why.
        """
        import docker

        try:
            if (build_params or {}).get("path"):
                # docker-py leaves the containers of a build behind unless it is told not to
                wanted = {"tag": image, "rm": True, "forcerm": True, **(build_params or {})}
                return str(self.docker_client().images.build(**wanted)[0].id)
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
            self.docker_client().images.get(image)
        except docker.errors.ImageNotFound:
            tag = None if ":" in image.rsplit("/", 1)[-1] or "@" in image else "latest"
            self.docker_client().images.pull(image, tag=tag)

    def image_config(self, image: str) -> dict[str, Any]:
        """Return an image's own settings: Cmd, Entrypoint, ExposedPorts."""
        config: dict[str, Any] = self.docker_client().images.get(image).attrs["Config"] or {}
        return config

    def start_container(self, name: str, image: str | None, params: Mapping[str, Any]) -> bool:
        """Start a container; returns True when its first process is an idle shell.

        Raises:
            TopologyError: a parameter is not supported.
            HostError: it did not start.
        """
        self.state  # noqa: B018  (whatever the parameters, the record comes first)
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
            await asyncio.shield(self._discard(name))
            raise

    def remove_container(self, name: str) -> None:
        """Remove a container."""
        self.loop.call(self.emulation.remove_docker(name))

    async def _discard(self, name: str) -> None:
        """Remove the parts of a container that did not start."""
        if name in self.emulation.hosts:
            await self.emulation.remove_docker(name)
        container = host_spec.container_name(self.emulation.state, name)
        argv = ["docker", "rm", "--force", "--volumes", container]
        await self.emulation.run(argv, on=name, check=False, timeout=120)

    def add_namespace(self, name: str) -> str:
        """Make a network namespace of the lab's; returns its path."""
        full = f"lab-{self.lab_id}-{name}"
        self.loop.call(self._add_namespace(full))
        return netns.path(full)

    async def _add_namespace(self, full: str) -> None:
        await self.emulation.open_fabric()  # it records and mounts what namespaces lie on
        self.emulation.state.record("namespace", full)
        await self.emulation.run(["ip", "netns", "add", full])
        await self.emulation.run(netns.inside(full, ["ip", "link", "set", "lo", "up"]))

    def remove_namespace(self, path: str) -> None:
        """Remove one again, with the interfaces in it."""
        self.run(["ip", "netns", "delete", path.rsplit("/", 1)[1]])

    def record_link(self) -> str:
        """Write down a link that is about to be in this machine's own network; returns its name."""
        state = self.state
        name = f"sap-{state.lab_id}-{len(state.owned('link'))}"
        state.record("link", name)
        return name

    def add_veth(self, a: CableEnd, b: CableEnd, mtu: int) -> None:
        """Make a plain link, which nothing shapes."""
        self.state  # noqa: B018  (what it is made in is recorded from then on)
        far = f"mtu {mtu} name {b.interface} netns {b.namespace}"
        lines = [f"link add {a.interface} mtu {mtu} type veth peer {far}"]
        self.loop.call(netns.batch("ip", a.namespace, lines, self.emulation.run))

    def add_shaped_link(self, a: CableEnd, b: CableEnd, ab: Shape, ba: Shape) -> str:
        """Make a link with a shaper in its middle; returns its name.

        Raises:
            ShaperError: no shaper of this machine can do what is asked; nothing is left of it.
        """
        return self.loop.call(self._add_shaped_link(a, b, ab, ba))

    async def _add_shaped_link(self, a: CableEnd, b: CableEnd, ab: Shape, ba: Shape) -> str:
        fabric = await self.emulation.open_fabric()
        states = fabric.shaper.states
        number = 1 + max((state.number for state in states.values()), default=0)
        name = f"{a.node}-{b.node}"
        name = name if name not in states else f"{name}.{number}"
        new = cable(name, number, a, b, ab, ba)
        try:
            await fabric.add_links([new])
        except BaseException:
            await asyncio.shield(fabric.clear_links([new.link]))
            raise
        self._cables[name] = new
        return name

    def delete_link(self, name: str) -> None:
        """Remove a shaped link, also one whose end was removed with its node."""
        gone = self._cables.pop(name, None)
        if gone is not None and self.emulation.is_up:
            fabric = self.loop.call(self.emulation.open_fabric())
            self.loop.call(fabric.clear_links([gone.link]))

    def change_link(self, name: str, direction: str, params: Mapping[str, Any]) -> None:
        """Shape one direction of a running link again.

        Raises:
            UnknownName: there is no such link.
        """
        self.loop.call(self.emulation.shaper.change(name, directions=(direction,), **params))

    def tools_argv(self, namespace: str) -> list[str]:
        """Build the argv in front of a program of the lab's own image (iperf3, bash, ping, ss), which then
        runs in a network, whatever this machine and the network's images have."""
        if not self._toolbox:
            self._toolbox = self.loop.call(self._start_toolbox(self.state))
        return ["nsenter", f"--net={namespace}", f"--mount=/proc/{self._toolbox}/ns/mnt", "--"]

    async def _start_toolbox(self, state: LabState) -> int:
        spec = host_spec.plain(state, "tools", images.ENDPOINT.tag, {"dcmd": ["sleep", "infinity"]}).container
        spec = replace(spec, name=f"{spec.name}-of-the-lab")
        state.record("container", spec.name)
        return (await containers.start([spec], self.emulation.run))[spec.name].pid

    def run_in(self, namespace: str, argv: Sequence[str], name: str) -> subprocess.CompletedProcess[str]:
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
        """Remove the lab from the machine, if it is this network's own."""
        try:
            if self.owns_lab:
                self.loop.call(self.emulation.down())
            if self._docker is not None:
                self._docker.close()
        finally:
            self._docker, self._toolbox = None, 0
            self._cables.clear()
            self.loop.stop()
