"""Nodes of a Containernet network, and plain hosts, which are a network namespace.

A node's interfaces are worked on with this machine's programs, in the node's network: an image
needs none of them.
"""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from select import POLLIN
from subprocess import DEVNULL, CompletedProcess, Popen
from typing import Any

from mininet.node import Node as MininetNode

from lab.containernet.backend import Backend
from lab.emulation.ownership import LabState
from lab.errors import CommandError

#: How often a shell that says nothing is looked at, whether it is still there (ms).
SHELL_POLL = 200


@dataclass(frozen=True)
class NodeLocation:
    """The place of a node: its lab, and its network namespace."""

    backend: Backend
    namespace: str


class Node(MininetNode):
    """A node whose commands are this machine's programs in the node's own network."""

    shell: Popen[Any] | None

    def __init__(self, name: str, inNamespace: bool = True, *, place: NodeLocation, **params: Any) -> None:
        self.backend, self.namespace = place.backend, place.namespace
        super().__init__(name, inNamespace=True, **params)

    @classmethod
    def checkSetup(cls) -> None:
        """Do nothing: Mininet's `mnexec` and `ifconfig` are not needed (see `enter`)."""

    def startShell(self, mnopts: str | None = None) -> None:
        """Start no shell yet: most nodes never need one (see `cmd`)."""

    def cmd(self, *args: Any, **kwargs: Any) -> Any:
        """Run a command in the node's shell and return its output."""
        self._have_shell()
        return super().cmd(*args, **kwargs)

    def sendCmd(self, *args: Any, printPid: bool = False, **kwargs: Any) -> None:
        """Begin a command in the node's shell."""
        self._have_shell()
        if printPid:
            words = args[0] if len(args) == 1 and isinstance(args[0], list) else args
            line = " ".join(str(word) for word in words)
            tell = r'printf "\001%d\n" "$$"; exec '
            args = ("sh -c " + shlex.quote(tell + line),)
        super().sendCmd(*args, **kwargs)

    def monitor(self, timeoutms: int | None = None, findPid: bool = True) -> str:
        """Some output of the running command; a shell that has ended is not waited for."""
        while timeoutms is None and not self.readbuf:
            events = self.waitReadable(SHELL_POLL) or ()
            if any(event & POLLIN for _, event in events):
                break
            if self.shell is None or self.shell.poll() is not None:
                self.waiting = False
                return ""
        return str(super().monitor(timeoutms, findPid))

    def _have_shell(self) -> None:
        if self.shell is not None and self.shell.poll() is not None:
            self.cleanup()
            self.shell = None
        if self.shell is None:
            super().startShell()

    def _popen(self, cmd: Sequence[str], **params: Any) -> Popen[Any]:
        # marked, so that clean-up finds it after a kill -9
        env = {**os.environ, **LabState(self.backend.lab_id).environment, **(params.pop("env", None) or {})}
        return Popen(enter(list(cmd), self.namespace), env=env, **params)

    def tool(self, *argv: str) -> CompletedProcess[str]:
        """Run a program of this machine in the node's network, whatever its image has."""
        return self.backend.run_in(self.namespace, argv, self.name)

    def start_tool(self, *argv: str) -> Popen[Any]:
        """Start a program of the lab's own image in the node's network; its output is dropped."""
        full = [*self.backend.tools_argv(self.namespace), *argv]
        return self._popen(full, stdout=DEVNULL, stderr=DEVNULL)

    def must(self, *argv: str) -> str:
        """The output of `tool`.

        Raises:
            CommandError: it failed.
        """
        done = self.tool(*argv)
        if done.returncode:
            raise CommandError(self.name, argv, done.returncode, done.stdout, done.stderr)
        return done.stdout

    def attach(self, intf: Any) -> None:
        """Do nothing: only a switch makes an interface a port of its own."""

    def terminate(self) -> None:
        """End the node's shell."""
        if self.shell is not None:
            super().terminate()
        self.shell = None

    def stop(self, deleteIntfs: bool = False) -> None:
        """End the node; with its links, if asked."""
        if deleteIntfs:
            self.deleteIntfs(checkName=False)
        self.terminate()

    def config(
        self,
        mac: str | None = None,
        ip: str | None = None,
        defaultRoute: str | None = None,
        lo: str = "up",
        **_params: Any,
    ) -> dict[str, Any]:
        """Set addresses that the first interface has not yet, and the default route."""
        self.must("ip", "link", "set", "lo", lo)
        intf = self.defaultIntf() if self.intfs else None
        if intf is not None and mac and not intf.mac:
            intf.setMAC(mac)
        if intf is not None and ip and not intf.ip:
            self.setIP(ip)
        if defaultRoute:
            self.setDefaultRoute(defaultRoute)
        return {}

    def setDefaultRoute(self, intf: Any = None) -> None:
        """``via 10.0.0.1``, ``dev d1-eth0``, or an interface."""
        words = str(intf).split() if " " in str(intf) else ["dev", str(intf or self.defaultIntf())]
        self.must("ip", "route", "replace", "default", *words)

    def setHostRoute(self, ip: str, intf: Any) -> None:
        """A route to one address."""
        self.must("ip", "route", "replace", ip, "dev", str(intf))

    def setARP(self, ip: str, mac: str) -> None:
        """An entry of the neighbours' table that stays."""
        interface = json.loads(self.must("ip", "-j", "route", "get", ip))[0]["dev"]
        self.must("ip", "neigh", "replace", ip, "lladdr", mac, "dev", interface, "nud", "permanent")


class MininetHost(Node):
    """Mininet's `Host`: a network namespace on this machine, with this machine's files."""

    def __repr__(self) -> str:
        # Mininet prints the name of the class, as which scripts and their readers know `Host`
        return str(super().__repr__()).replace("<MininetHost ", "<Host ", 1)

    def terminate(self) -> None:
        """End the shell, and remove the namespace with its interfaces."""
        super().terminate()
        if Path(self.namespace).exists():
            self.backend.remove_namespace(self.namespace)


#: Mininet's name for it, which scripts import.
Host = MininetHost


def enter(cmd: list[str], namespace: str) -> list[str]:
    """Mininet's ``mnexec`` call as one that enters a network namespace; other calls stay.

    A session of its own, because Mininet ends a shell by killing its process group; and a
    shell's terminal belongs to the session, so that Ctrl-C reaches what runs in it.
    """
    if cmd[0] == "docker":
        return ["setsid", *cmd]
    terminal = ["--ctty"] if "PS1=\x7f" in cmd or "\x7f" in cmd else []
    if cmd[0] == "nsenter":
        return ["setsid", *terminal, *cmd]
    if cmd[0] == "mnexec":
        cmd = cmd[3:] if cmd[1].startswith("-d") and cmd[2].isdigit() else cmd[2:]
    return ["setsid", *terminal, "nsenter", f"--net={namespace}", "--", *cmd]
