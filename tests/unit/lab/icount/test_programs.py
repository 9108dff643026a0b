"""Programs for a guest: what is missing is one sentence each, compilers and libraries of this machine."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.errors import MachineError
from lab.icount import programs


def test_every_program_that_is_missing_gets_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: None if name[:2] in ("qe", "gc") else name)
    sentences = [
        "qemu-system-x86_64 is not installed; install Debian's package qemu-system-x86",
        "gcc is not installed; install Debian's package gcc and libc6-dev",
    ]
    assert programs.missing() == sentences
    with pytest.raises(MachineError) as error:
        programs.require()
    assert str(error.value) == "; ".join(sentences)


def test_with_all_programs_nothing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, path=None: name)
    programs.require()


async def test_a_program_comes_with_its_libraries() -> None:
    found = await programs.with_libraries(("sh",))
    assert found["/bin/sh"][:4] == b"\x7fELF"
    assert any("libc.so" in name for name in found)


@pytest.mark.skipif(not shutil.which("gcc"), reason="there is no gcc")
def test_a_program_is_compiled_and_the_same_each_time(tmp_path: Path) -> None:
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "two.c").write_text("int main(void) { return 2; }\n")
    one, other = (asyncio.run(programs.compiled(tmp_path / p / "two.c", ())) for p in ("a", "b"))
    assert one == other
    (tmp_path / "two").write_bytes(one)
    (tmp_path / "two").chmod(0o755)
    assert subprocess.run([tmp_path / "two"], check=False).returncode == 2


@pytest.mark.skipif(not shutil.which("gcc"), reason="there is no gcc")
async def test_a_program_that_does_not_compile_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "bad.c").write_text("int main(void) { return }\n")
    with pytest.raises(MachineError, match=r"bad\.c cannot be compiled"):
        await programs.compiled(tmp_path / "bad.c", ())


@pytest.mark.skipif(not shutil.which("gcc"), reason="there is no gcc")
@pytest.mark.parametrize("source", ["lab/icount/count.c", "experiments/packetcost/packet.c"])
def test_the_lab_s_own_programs_compile_without_a_warning(source: str) -> None:
    from tests.paths import ROOT

    argv = ["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-c", "-o", "/dev/null", str(ROOT / source)]
    subprocess.run(argv, check=True, capture_output=True)
