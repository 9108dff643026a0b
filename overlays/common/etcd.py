"""A key-value store on one host, for overlays whose daemons meet in one."""

from __future__ import annotations

import json
from typing import Any

from lab.errors import HostError, OverlayError
from lab.hosts.host import Host
from overlays.common import tls
from overlays.common.batch import Batch


class Etcd:
    """An etcd of one member, with the v2 and v3 interfaces.

    It belongs to one overlay, and has its own name, data and ports, so that two overlays on
    the same hosts do not share one. It listens on one address of the topology, and answers only
    those whom `admit` gave a certificate.
    """

    def __init__(self, overlay: str, host: Host, address: str, port: int) -> None:
        self.overlay, self.host, self.address, self.port = overlay, host, address, port
        self.daemon = f"etcd-{overlay}"
        self._data = f"/var/lib/lab/{self.daemon}"
        self._given: dict[str, bytes] = {}

    @property
    def url(self) -> str:
        """The URL at which clients on every host find it."""
        return f"https://{self.address}:{self.port}"

    def file(self, name: str) -> str:
        """Return the path on a host of one of the files of `overlays.common.tls`."""
        return f"{tls.folder(self.overlay)}/{name}"

    def argv(self) -> list[str]:
        """Return the command of the daemon; peers have no business here, so that port stays on loopback."""
        peer = f"https://127.0.0.1:{self.port + 1}"
        own, key, authority = self._identity(tls.SERVER)
        return [
            *("etcd", "--name=lab", f"--data-dir={self._data}", "--enable-v2=true", "--logger=zap"),
            *(f"--listen-client-urls={self.url}", f"--advertise-client-urls={self.url}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            *(f"--initial-cluster=lab={peer}", "--log-level=warn"),
            *(f"--cert-file={own}", f"--key-file={key}"),
            *("--client-cert-auth", f"--trusted-ca-file={authority}"),
            *(f"--peer-cert-file={own}", f"--peer-key-file={key}"),
            *("--peer-client-cert-auth", f"--peer-trusted-ca-file={authority}"),
        ]

    def _identity(self, certificate: str) -> list[str]:
        """Return the paths of a certificate, its key, and the authority that signed both sides' ones."""
        return [self.file(name) for name in (certificate, tls.key_of(certificate), tls.AUTHORITY)]

    def _curl(self, seconds: int, path: str) -> list[str]:
        own, key, authority = self._identity(tls.CLIENT)
        shown = ["--cacert", authority, "--cert", own, "--key", key]
        return ["curl", "-sS", *shown, "--max-time", f"{seconds}", f"{self.url}/{path}"]

    async def prepare(self) -> None:
        """Have keys and certificates: those that the store's host has, or new ones.

        Raises:
            HostError: they cannot be written there.
        """
        try:
            given = {name: await self.host.get(self.file(name)) for name in tls.CLIENTS}
        except HostError:
            given = {}
        if not given or not all(given.values()):
            files = tls.make(self.address)
            # one that runs has others, or none, as an older lab started it
            await tls.write(Batch().stop(self.daemon), self.overlay, files).on(self.host)
            given = {name: files[name] for name in tls.CLIENTS}
        self._given = given

    def admit(self, batch: Batch, host: Host) -> Batch:
        """Give a host what it needs to be answered; the store's own has it."""
        return batch if host is self.host else tls.write(batch, self.overlay, self._given)

    async def start(self, timeout: float = 30.0) -> None:
        """Start it, or leave it running, and return once it answers.

        Raises:
            OverlayError: it gave no answer within `timeout` (s).
        """
        ask = [*self._curl(2, "health"), "--fail"]
        batch = Batch().start(self.daemon, self.argv()).wait(ask, timeout).run(ask)
        result = await batch.on(self.host, check=False)
        if '"health":"true"' not in result.stdout:
            said = result.stderr.strip() or result.stdout.strip()
            raise OverlayError(f"{self.daemon} on {self.host.name} gave no answer in {timeout:g} s: {said}")

    async def keys(self, folder: str) -> dict[str, Any]:
        """Return what the v2 interface has under a folder, as etcd writes it; {} when there is none."""
        result = await self.host.run(self._curl(5, f"v2/keys/{folder}?recursive=true"), check=False)
        return dict(json.loads(result.stdout).get("node", {})) if result.stdout.startswith("{") else {}

    async def etcdctl(self, *words: str, value: str = "") -> None:
        """Change a key through the v3 interface: ``put`` one, with its `value`, or ``del`` one."""
        own, key, authority = self._identity(tls.CLIENT)
        shown = [f"--endpoints={self.url}", f"--cacert={authority}", f"--cert={own}", f"--key={key}"]
        command = ["env", "ETCDCTL_API=3", "etcdctl", *shown, *words]
        await self.host.run(command, stdin=value.encode() or None)

    def forget(self, batch: Batch) -> Batch:
        """Delete a host's keys and certificates."""
        batch.run(["rm", "-rf", tls.folder(self.overlay)])
        return batch.attempt(["rmdir", "/var/lib/lab"])

    async def remove(self) -> None:
        """End it and delete its data."""
        gone = Batch().stop(self.daemon).run(["rm", "-rf", self._data])
        await self.forget(gone).on(self.host)
