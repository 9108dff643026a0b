"""Stand-ins for machines: what makes a host one, with no key where it could be read."""

from __future__ import annotations

from pathlib import Path

from lab.app import ssh_vms
from lab.hosts.command import Trace
from lab.hosts.container import ContainerHost
from lab.hosts.host import Result


async def test_a_stand_ins_own_key_is_in_no_argv_and_no_trace(tmp_path: Path) -> None:
    fed: list[bytes] = []

    async def run_here(argv, *, stdin=None, **_):  # type: ignore[no-untyped-def]
        assert "PRIVATE KEY" not in " ".join(argv)
        fed.append(stdin)
        return Result(tuple(argv), 0, "", "", 0.0)

    access = ssh_vms.VmAccess(
        "lab-ab12", {"AMS": "10.0.0.1"}, "lab", tmp_path / "key", tmp_path / "known_hosts"
    )
    key = ssh_vms._keys(access)["AMS"]
    trace = Trace(tmp_path / "trace.sh", run_here)
    await ssh_vms._prepare(ContainerHost("AMS", "AMS", (), "c", trace), access, key, ["eth1"])
    trace.close()
    assert b"PRIVATE KEY" in fed[0]
    text = (tmp_path / "trace.sh").read_text()
    assert "PRIVATE KEY" not in text
    assert "the ssh host key of AMS was in the next input" in text
    assert "authorized_keys" in text
