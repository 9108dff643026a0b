"""The store: it listens on one address, and answers only those who have a certificate of this install."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from lab.hosts import daemons
from lab.hosts.host import Result, Secret
from overlays.common import tls
from overlays.common.batch import Batch
from overlays.common.etcd import Etcd
from tests.unit.fakes import FakeHost
from tests.unit.here import Here

ADDRESS = "127.77.0.1"


def free_port() -> int:
    with socket.socket() as found:
        found.bind((ADDRESS, 0))
        return int(found.getsockname()[1])


class Heard(Here):
    """This machine, with every command that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[tuple[Sequence[str], bytes | None]] = []

    async def execute(
        self, argv: Sequence[str], timeout: float, stdin: bytes | None, env: Mapping[str, str] | None
    ) -> Result:
        self.given.append((argv, stdin))
        return await super().execute(argv, timeout, stdin, env)


def test_the_store_listens_on_its_address_and_on_loopback_alone() -> None:
    words = Etcd("flannel", FakeHost("AMS"), "192.0.2.1", 2389).argv()
    assert [word for word in words if word.startswith("--listen")] == [
        "--listen-client-urls=https://192.0.2.1:2389",
        "--listen-peer-urls=https://127.0.0.1:2390",
    ]
    assert "--client-cert-auth" in words
    assert "--peer-client-cert-auth" in words


async def test_keys_are_secrets_of_the_command_that_writes_them() -> None:
    host = Heard()
    files = tls.make("192.0.2.1")
    batch = tls.write(Batch(), "flannel", files)
    assert batch.script
    keys = {name: data for name, data in files.items() if name.endswith("-key.pem")}
    seen: list[bytes | None] = []

    class Kept(FakeHost):
        async def run(self, argv: Sequence[str], *, stdin: bytes | None = None, **_: object) -> Result:
            assert not any(data.decode() in word for data in keys.values() for word in argv)
            seen.append(stdin)
            return Result(tuple(argv), 0, "", "", 0.0)

    await batch.on(Kept("AMS"))
    assert isinstance(seen[0], Secret)
    assert sorted(seen[0].secrets.values()) == sorted(data.decode() for data in keys.values())
    assert host.given == []


@pytest.mark.skipif(
    not (shutil.which("etcd") and shutil.which("start-stop-daemon")),
    reason="no etcd here (Debian's etcd-server)",
)
async def test_a_real_store_answers_its_clients_and_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "tls"
    monkeypatch.setattr(tls, "folder", lambda overlay: str(place))
    for name in ("PIDS", "LOGS"):
        monkeypatch.setattr(daemons, name, str(tmp_path))
        monkeypatch.setattr(f"overlays.common.batch.{name}", str(tmp_path))
    host = Heard()
    store = Etcd("test", host, ADDRESS, free_port())
    store._data = str(tmp_path / "data")
    await store.prepare()
    try:
        await store.start()
        # then it keeps what is put there
        await store.etcdctl("put", "/a", value="b")
        assert await store.keys("none") == {}
        # and files of it are root's alone
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (place, *place.iterdir())}
        assert modes == {"tls": 0o700, **dict.fromkeys((*tls.CLIENTS, *tls.SERVERS), 0o600)}
        # who asks without a certificate, or with one of another install, is refused
        assert not answered(store, place)
        other = tmp_path / "other"
        other.mkdir()
        for name, data in tls.make(ADDRESS).items():
            (other / name).write_bytes(data)
        assert not answered(store, place, other)
        assert answered(store, place, place)
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", store.port)):
            pass
        # a second install keeps the keys
        before = {path.name: path.read_bytes() for path in place.iterdir()}
        await Etcd("test", host, ADDRESS, store.port).prepare()
        assert {path.name: path.read_bytes() for path in place.iterdir()} == before
    finally:
        await store.remove()
    assert not place.exists()
    secrets = [data.decode() for name, data in before.items() if name.endswith("-key.pem")]
    logs = "".join(path.read_text() for path in tmp_path.rglob("*.log"))
    for secret in secrets:
        assert secret not in logs
        assert not any(secret in word for argv, _ in host.given for word in argv)


def answered(store: Etcd, place: Path, client: Path | None = None) -> bool:
    """Ask the store for its version."""
    trust = ssl.create_default_context(cafile=str(place / tls.AUTHORITY))
    if client is not None:
        trust.load_cert_chain(str(client / tls.CLIENT), str(client / tls.key_of(tls.CLIENT)))
    try:
        with (
            socket.create_connection((ADDRESS, store.port), 5) as plain,
            trust.wrap_socket(plain, server_hostname=ADDRESS) as line,
        ):
            line.sendall(f"GET /version HTTP/1.0\r\nHost: {ADDRESS}\r\n\r\n".encode())
            said = b""
            while more := line.recv(4096):
                said += more
    except (ssl.SSLError, ConnectionResetError):
        return False
    return "etcdserver" in json.loads(said.partition(b"\r\n\r\n")[2])
