"""Containers as nodes: commands inside, limits, published ports."""

from __future__ import annotations

from collections.abc import Sequence
from subprocess import Popen
from typing import Any

from mininet.log import warn

from lab.containernet.nodes import Node, NodeLocation
from lab.containernet.port_forward import Publisher
from lab.emulation.docker import run_options
from lab.errors import LabError


class Docker(Node):
    """A container. Where its image has `sh` and `stty`, commands run inside it.

    Where it has not, they run in its network alone, and are those of the lab's image of tools.

    Attributes:
        container: its name in Docker. `did`: its id. `pid`: its first process on this machine.
        published: port inside to (address, port) on this machine.
        resources: limits, as they were set last.
    """

    LIMITS = ("cpu_quota", "cpu_period", "cpu_shares", "cpuset_cpus", "mem_limit", "memswap_limit")

    def __init__(self, name: str, dimage: str | None = None, *, place: NodeLocation, **params: Any) -> None:
        emulation = place.backend.emulation
        self.container, self.did = emulation.containers[name], emulation.container_ids[name]
        self.containerPid = emulation.pids[name]
        self.dimage, self.dcmd = dimage, params.get("dcmd")
        self.resources = {key: params.get(key) for key in self.LIMITS}
        self.published: dict[int, tuple[str, int]] = {}
        self._idle = bool(params.pop("idle", False))
        self._publisher: Publisher | None = None
        self._inside: list[str] | None = None
        super().__init__(name, place=place, **params)
        self.pid = self.containerPid

    def _have_shell(self) -> None:
        super()._have_shell()
        self.pid = self.containerPid

    @property
    def dcinfo(self) -> dict[str, Any]:
        """Docker's description of the container."""
        return dict(self.backend.docker_client().api.inspect_container(self.did))

    def publish(self, wanted: Sequence[tuple[int, str, int]]) -> None:
        """Make ports of the container ports of this machine (see `lab.containernet.port_forward`)."""
        if wanted:
            self._publisher = Publisher(self.name, self.namespace)
            self.published = self.backend.loop.call(self._publisher.publish(wanted))

    def _popen(self, cmd: Sequence[str], **params: Any) -> Popen[Any]:
        is_shell = cmd[0] == "mnexec" and "PS1=\x7f" in cmd
        return super()._popen(self._shell() if is_shell else cmd, **params)

    def _shell(self) -> list[str]:
        """The command of the node's shell: the image's own, or the lab's tools in the container's network."""
        if self._inside is None:
            self._inside = self._look_for_shell()
        start = 'stty -echo; export PS1="$1"; shift; exec "$@"'
        if not self._inside:
            warn(f"{self.name}: no sh and stty in it; commands are the lab's own tools, in its network\n")
            argv, shell = [*self.backend.tools_argv(self.namespace), "bash"], _bash(self.name)
        else:
            argv, shell = ["docker", "exec", "--interactive", "--tty", self.container, "sh"], self._inside
        return [*argv, "-c", start, "sh", "\x7f", *shell]

    def _look_for_shell(self) -> list[str]:
        argv = ["docker", "exec", self.container, "sh", "-c", "for p in stty bash; do command -v $p; done"]
        found = self.backend.run(argv, on=self.name, check=False).stdout
        if "stty" not in found:
            return []
        return _bash(self.name) if "bash" in found else ["sh", "-is", f"mininet:{self.name}"]

    def popen(self, *args: Any, **kwargs: Any) -> Popen[Any]:
        """A process in the container, whose image has to have the program."""
        stdin = ["--interactive"] if kwargs.get("stdin") is not None else []
        kwargs.setdefault("mncmd", ["docker", "exec", *stdin, self.container])
        if kwargs.pop("shell", False):
            args = (["sh", "-c", " ".join(map(str, args[0] if isinstance(args[0], list) else args))],)
        process: Popen[Any] = super().popen(*args, **kwargs)
        return process

    def start(self) -> None:
        """Run what the image is for, its ENTRYPOINT and CMD; its output goes to the container's log."""
        if not self._idle and not self.dcmd:
            return  # it is the first process already
        config = self.backend.image_config(self.dimage or "")
        words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
        if not words or words in (["/bin/bash"], ["bash"], ["/bin/sh"], ["sh"]):
            return
        script = 'exec "$@" >/proc/1/fd/1 2>&1 </dev/null'
        self.backend.run(
            ["docker", "exec", "--detach", self.container, "sh", "-c", script, "sh", *words], on=self.name
        )

    def end(self) -> None:
        """End shell and published ports; the container is left to the network."""
        super().terminate()
        if self._publisher is not None:
            self.backend.loop.call(self._publisher.close())
            self._publisher = None

    def terminate(self) -> None:
        """Remove the container, as Containernet does."""
        self.end()
        if self.name in self.backend.emulation.hosts:
            self.backend.remove_container(self.name)

    def updateCpuLimit(
        self,
        cpu_quota: int | None = None,
        cpu_period: int | None = None,
        cpu_shares: int | None = None,
        cores: str | None = None,
    ) -> None:
        """Change limits while it runs: µs in a period, µs, weight, and processors. Quota -1 is no limit."""
        self.update_resources(
            cpu_quota=cpu_quota,
            cpu_period=None if cpu_period == -1 else cpu_period,
            cpu_shares=None if cpu_shares == -1 else cpu_shares,
            cpuset_cpus=cores,
        )

    def updateMemoryLimit(
        self, mem_limit: int | str | None = None, memswap_limit: int | str | None = None
    ) -> None:
        """Change limits while it runs (bytes, or with a unit); -1 leaves one as it is."""
        self.update_resources(
            mem_limit=None if mem_limit == -1 else mem_limit,
            memswap_limit=None if memswap_limit == -1 else memswap_limit,
        )

    def update_resources(self, **limits: Any) -> None:
        """Change limits, by the names that `addDocker` has; Docker sets them, on cgroup v1 and v2.

        Raises:
            LabError: a limit that cannot be changed while the container runs.
            CommandError: Docker refused a value.
        """
        if wrong := sorted(set(limits) - set(self.LIMITS)):
            raise LabError(f"{self.name}: {', '.join(wrong)} cannot be changed while it runs")
        asked = {key: value for key, value in limits.items() if value is not None}
        options = [word for key, value in asked.items() for word in run_options.KNOWN[key][0](value)]
        if "mem_limit" in asked and "memswap_limit" not in asked and self._swaps_freely():
            options.append("--memory-swap=-1")  # Docker wants both; it stays as it is
        if options:
            self.backend.run(["docker", "update", *options, self.container], on=self.name)
            self.resources.update(asked)

    def _swaps_freely(self) -> bool:
        return int(self.dcinfo["HostConfig"]["MemorySwap"]) <= 0


def _bash(name: str) -> list[str]:
    return ["bash", "--norc", "--noediting", "-is", f"mininet:{name}"]
