"""A kernel's package: fetched whole or not at all, held against its pin, one sentence for every trouble."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lab.errors import CommandError, MachineError
from lab.hosts.host import Result
from lab.icount import kernel
from lab.icount.kernel import Pin


class Apt:
    """Fetches packages that are made up, and unpacks them."""

    def __init__(self, content: bytes = b"package", fails: str = "") -> None:
        self.content, self.fails = content, fails
        self.argvs: list[list[str]] = []

    async def __call__(self, argv: Sequence[str], **_: Any) -> Result:
        self.argvs.append(list(argv))
        if argv[0] == "sh":
            if self.fails:
                raise CommandError("this machine", argv, 100, "", self.fails)
            folder = Path(argv[4])
            for name in argv[5:]:
                package, _, version = name.partition("=")
                (folder / f"{package}_{version or '1%3a2'}_amd64.deb").write_bytes(self.content)
        elif argv[0] == "dpkg":
            target = Path(argv[3])
            (target / "boot").mkdir(exist_ok=True)
            (target / "boot/vmlinuz-6.1.0-9").touch()
        return Result(tuple(argv), 0, "", "", 0.0)


WANTED = ("linux-image-9=6.1.9-1", "busybox-static")


async def test_packages_are_fetched_unpacked_and_marked(tmp_path: Path) -> None:
    apt = Apt()
    await kernel.fetch(tmp_path / "kernel", WANTED, run=apt)
    found = kernel.unpacked(tmp_path / "kernel")
    assert found.release == "6.1.0-9"
    assert found.name == "linux-image-9_6.1.9-1"
    assert set(found.packages) == {"linux-image-9_6.1.9-1", "busybox-static_1:2"}
    assert found.image.name == "vmlinuz-6.1.0-9"
    assert apt.argvs[-1][1:3] == ["depmod", "-b"]
    assert [path.name for path in tmp_path.iterdir()] == ["kernel"], "nothing else is left"


async def test_a_file_that_is_not_the_pinned_one_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    pin = Pin("linux-image-9", "6.1.9-1", "0" * 64)
    with pytest.raises(
        MachineError, match=r"linux-image-9_6\.1\.9-1 is not the file that the figures belong to"
    ):
        await kernel.fetch(tmp_path / "kernel", WANTED, run=Apt(), pins=(pin,))
    assert not list(tmp_path.iterdir())


async def test_a_package_that_cannot_be_fetched_is_one_sentence(tmp_path: Path) -> None:
    apt = Apt(fails="E: Version '6.1.9-1' for 'linux-image-9' was not found\nmore")
    with pytest.raises(MachineError) as error:
        await kernel.fetch(tmp_path / "kernel", WANTED, run=apt)
    assert str(error.value) == (
        "apt cannot fetch linux-image-9=6.1.9-1 and busybox-static: Version '6.1.9-1' for 'linux-image-9' "
        "was not found; run 'apt-get update' and try again, or name a kernel package that is here"
    )


async def test_a_kernel_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    own = tmp_path / "linux-image-own_1_amd64.deb"
    own.write_bytes(b"mine")
    apt = Apt()
    first = await kernel.ensure(own, apt)
    calls = len(apt.argvs)
    assert await kernel.ensure(own, apt) == first
    assert len(apt.argvs) == calls
    assert first.name == "linux-image-own_1"


async def test_a_kernel_package_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"gone\.deb cannot be read: No such file"):
        await kernel.ensure(tmp_path / "gone.deb", Apt())


async def test_the_pinned_kernel_is_asked_for_by_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    apt = Apt(content=b"another file")
    with pytest.raises(MachineError, match="is not the file that the figures belong to"):
        await kernel.ensure(None, apt)
    assert apt.argvs[0][5:] == [f"{kernel.PINNED.package}={kernel.PINNED.version}", "busybox-static"]
