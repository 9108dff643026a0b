"""Edits of the kernel's source: each is made at its anchor, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import MachineError
from lab.virtual.kernel.edits import ADDITIONS, Edit, apply, own_files, read_edits

SYSCALL = """\
\tif (syscall >= 0 && syscall < __NR_syscalls) {
\t\tPT_REGS_SET_SYSCALL_RETURN(regs, ret);

\t\t/* An error value here */
"""


def test_text_is_put_beside_an_anchor_or_in_its_place() -> None:
    text = "one\ntwo\nthree\n"
    assert Edit("f", "two\n", after="new\n").apply(text) == "one\ntwo\nnew\nthree\n"
    assert Edit("f", "two\n", before="new\n").apply(text) == "one\nnew\ntwo\nthree\n"
    assert Edit("f", "two\n", instead="new\n").apply(text) == "one\nnew\nthree\n"
    assert Edit("f", "two\n", instead="").apply(text) == "one\nthree\n"


@pytest.mark.parametrize(("text", "count"), [("one\n", 0), ("two\ntwo\n", 2)])
def test_an_anchor_that_is_not_there_exactly_once_is_refused(text: str, count: int) -> None:
    with pytest.raises(MachineError, match=f"kernel/a.c has 'two' {count} times, not once"):
        Edit("kernel/a.c", "two\n", after="new\n").apply(text)


def test_the_price_of_a_call_comes_after_its_result() -> None:
    edit = next(e for e in read_edits() if "lab_syscall_done" in e.after)
    lines = edit.apply(SYSCALL).splitlines()
    assert lines[1:3] == [
        "\t\tPT_REGS_SET_SYSCALL_RETURN(regs, ret);",
        "\t\tlab_syscall_done(syscall, (long)ret);",
    ]


def test_no_file_is_changed_where_one_edit_fails(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "b").write_text("two\n")
    with pytest.raises(MachineError):
        apply(tmp_path, [Edit("a", "one\n", after="x\n"), Edit("b", "none\n", after="x\n")], {})
    assert (tmp_path / "a").read_text() == "one\n"


def test_edits_of_one_file_add_up_and_own_files_are_put_in(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one\ntwo\n")
    apply(
        tmp_path, [Edit("a", "one\n", after="x\n"), Edit("a", "two\n", after="y\n")], {"new/b.c": b"int b;"}
    )
    assert (tmp_path / "a").read_text() == "one\nx\ntwo\ny\n"
    assert (tmp_path / "new" / "b.c").read_text() == "int b;"


def test_a_file_that_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"no file kernel/gone\.c"):
        apply(tmp_path, [Edit("kernel/gone.c", "x", after="y")], {})


def test_files_of_our_own_say_their_licence_and_every_edit_changes_something() -> None:
    files = own_files()
    assert set(files) == {
        "arch/um/include/shared/lab_host.h",
        "arch/um/kernel/lab_time.c",
        "arch/um/os-Linux/lab_host.c",
        "include/linux/lab_time.h",
    }
    assert all(b"SPDX-License-Identifier: GPL-2.0" in data.splitlines()[0] for data in files.values())
    for name in ("configuration", "edits.toml"):
        assert "SPDX-License-Identifier: GPL-2.0" in (ADDITIONS / name).read_text().splitlines()[0]
    assert all(e.before or e.after or e.instead is not None for e in read_edits())
