"""A key-value store on one host, for overlays whose daemons meet in one."""

from __future__ import annotations

import json
from typing import Any

from lab.errors import OverlayError
from lab.hosts.host import Host
from overlays.common.batch import Batch


class Etcd:
    """An etcd of one member, with the v2 and v3 interfaces.

    It belongs to one overlay, and has its own name, data and ports, so that two overlays on
    the same hosts do not share one.
    """

    def __init__(self, overlay: str, host: Host, address: str, port: int) -> None:
        self.host, self.address, self.port = host, address, port
        self.daemon = f"etcd-{overlay}"
        self._data = f"/var/lib/lab/{self.daemon}"

    @property
    def url(self) -> str:
        """The URL at which clients on every host find it."""
        return f"http://{self.address}:{self.port}"

    def argv(self) -> list[str]:
        """Return the command of the daemon; peers have no business here, so that port stays on loopback."""
        peer = f"http://127.0.0.1:{self.port + 1}"
        return [
            *("etcd", "--name=lab", f"--data-dir={self._data}", "--enable-v2=true", "--logger=zap"),
            *(f"--listen-client-urls=http://0.0.0.0:{self.port}", f"--advertise-client-urls={self.url}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            *(f"--initial-cluster=lab={peer}", "--log-level=warn"),
        ]

    async def start(self, timeout: float = 30.0) -> None:
        """Start it, or leave it running, and return once it answers.

        Raises:
            OverlayError: it gave no answer within `timeout` (s).
        """
        ask = ["curl", "-sSf", "--max-time", "2", f"http://127.0.0.1:{self.port}/health"]
        batch = Batch().start(self.daemon, self.argv()).wait(ask, timeout).run(ask)
        result = await batch.on(self.host, check=False)
        if '"health":"true"' not in result.stdout:
            said = result.stderr.strip() or result.stdout.strip()
            raise OverlayError(f"{self.daemon} on {self.host.name} gave no answer in {timeout:g} s: {said}")

    async def keys(self, folder: str) -> dict[str, Any]:
        """Return what the v2 interface has under a folder, as etcd writes it; {} when there is none."""
        url = f"http://127.0.0.1:{self.port}/v2/keys/{folder}?recursive=true"
        result = await self.host.run(["curl", "-sS", "--max-time", "5", url], check=False)
        return dict(json.loads(result.stdout).get("node", {})) if result.stdout.startswith("{") else {}

    async def etcdctl(self, *words: str, value: str = "") -> None:
        """Change a key through the v3 interface: ``put`` one, with its `value`, or ``del`` one."""
        command = ["env", "ETCDCTL_API=3", "etcdctl", f"--endpoints=http://127.0.0.1:{self.port}", *words]
        await self.host.run(command, stdin=value.encode() or None)

    async def remove(self) -> None:
        """End it and delete its data."""
        gone = Batch().stop(self.daemon).run(["rm", "-rf", self._data])
        await gone.attempt(["rmdir", "/var/lib/lab"]).on(self.host)
