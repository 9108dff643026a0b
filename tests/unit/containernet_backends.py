"""Backends of a Containernet network that make nothing: no root, no container."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from types import SimpleNamespace
from typing import Any

from lab.emulation.links.link import Shape


class FakeBackend:
    """Takes every call, makes nothing."""

    def __init__(self, emulation: Any = None, emit: Any = None) -> None:
        self.owns_lab, self.lab_id = True, "abcd"
        parts: dict[str, Any] = {key: {} for key in ("hosts", "pids", "containers", "container_ids")}
        self.emulation = SimpleNamespace(**parts, links=[], is_up=False)
        self.done: list[Any] = []

    def ensure_image(self, name: str, image: str | None, build_params: Any) -> str | None:
        return image

    def image_config(self, image: str) -> dict[str, Any]:
        return {"ExposedPorts": {"80/tcp": {}}}

    def start_container(self, name: str, image: str | None, params: Any) -> bool:
        self.done.append(("container", name, image, dict(params)))
        self.emulation.hosts[name] = SimpleNamespace()
        self.emulation.containers[name] = f"lab-abcd-{name}"
        self.emulation.pids[name] = 100 + len(self.emulation.pids)
        self.emulation.container_ids[name] = f"id of {name}"
        return True

    def remove_container(self, name: str) -> None:
        self.done.append(("drop", name))
        del self.emulation.hosts[name]

    def add_namespace(self, name: str) -> str:
        self.done.append(("namespace", name))
        return f"/run/netns/lab-abcd-{name}"

    def remove_namespace(self, path: str) -> None:
        self.done.append(("no namespace", path))

    def add_veth(self, a: Any, b: Any, mtu: int) -> None:
        self.done.append(("join", a.interface, b.interface))

    def add_shaped_link(self, a: Any, b: Any, ab: Shape, ba: Shape) -> str:
        self.done.append(("lay", a.interface, b.interface, ab, ba))
        return f"{a.node}-{b.node}"

    def delete_link(self, name: str) -> None:
        self.done.append(("take", name))

    def change_link(self, name: str, direction: str, params: Any) -> None:
        self.done.append(("change", name, direction, dict(params)))

    def run_in(self, namespace: str, argv: Sequence[str], name: str) -> subprocess.CompletedProcess[str]:
        self.done.append((name, " ".join(argv)))
        said = json.dumps([{"flags": ["UP"], "addr_info": [], "address": "02:00:00:00:00:01"}])
        return subprocess.CompletedProcess(argv, 0, said, "")

    def record_link(self) -> str:
        self.done.append("own link")
        return "sap-abcd-0"

    def run(self, argv: Sequence[str], **how: Any) -> Any:
        self.done.append(("this machine", " ".join(argv)))
        return SimpleNamespace(stdout="")

    def down(self) -> None:
        self.done.append("down")

    def said(self, name: str) -> list[str]:
        """All that was done with this machine's programs in one node's network."""
        return [what[1] for what in self.done if what[0] == name and isinstance(what[1], str)]


class CommandBackend:
    """Writes down commands; `answers` has what a program says, on either stream, and its status."""

    lab_id = "abcd"

    def __init__(self, folder: Path) -> None:
        self.folder, self.state = folder, SimpleNamespace(folder=folder)
        self.done: list[str] = []
        self.marked: list[Mapping[str, str]] = []
        self.answers: dict[str, tuple[int, str, str]] = {}

    def run(self, argv: Sequence[str], **how: Any) -> Any:
        self.done.append(" ".join(argv))
        self.marked += [how["env"]] if "env" in how else []
        return SimpleNamespace(stdout=self.answers.get(argv[0], (0, "", ""))[1])

    def run_in(self, namespace: str, argv: Sequence[str], name: str) -> CompletedProcess[str]:
        self.done.append(" ".join(argv))
        status, out, err = self.answers.get(argv[0], (0, "", ""))
        return CompletedProcess(argv, status, out, err)

    def said(self, program: str) -> list[str]:
        """All that was asked of a program, without where it finds its database."""
        lines = [line.replace(f" --db=unix:{self.folder}/openvswitch/db.sock", "") for line in self.done]
        return [line.split(" ", 2)[2] for line in lines if line.startswith(f"{program} --timeout=10 ")]
