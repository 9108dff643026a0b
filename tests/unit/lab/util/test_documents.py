"""The door of documents: bounds, surprises, and words that a terminal obeys."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from lab.errors import LabError, TopologyError
from lab.util import documents
from lab.util.documents import Bounds, Unforeseen, guarded, printable


def refused(text: str, bounds: Bounds) -> str:
    with pytest.raises(TopologyError) as caught:
        documents.parsed(text, "x", str, TopologyError, bounds)
    return str(caught.value)


def test_size_count_and_depth_are_bounded() -> None:
    assert refused("x" * 11, Bounds("thing", size=10)) == "x has more than 10 bytes; that is no thing"
    assert refused("a\n,,,", Bounds(item=",", items=2)) == "x:2: it has more than 2 items; make it smaller"
    assert "x:1: it is nested too deeply" in refused("[" * 101, Bounds(nested=True))
    assert documents.parsed("[" * 100 + '"[["', "x", len, TopologyError, Bounds(nested=True)) == 104
    assert documents.parsed(",,", "x", len, TopologyError, Bounds(item=",", items=2)) == 2


def endless() -> None:
    """Go on for ever, and catch every exception."""
    while True:
        try:
            sum(range(1000))
        except Exception:
            raise AssertionError from None


def test_time_is_bounded_on_the_processor_and_the_signal_is_as_before() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(TopologyError, match="takes more than"), guarded("x", TopologyError, 0.05):
        endless()
    assert signal.getsignal(signal.SIGVTALRM) == before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_in_another_thread_the_other_bounds_have_to_do() -> None:
    found: list[int] = []

    def read() -> None:
        with guarded("x", TopologyError, 0.001):
            found.append(sum(range(100_000)))

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert found


def deep(levels: int = 100_000) -> int:
    return 1 + deep(levels - 1)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            lambda: {}["k"],
            "x: its content causes an unexpected error .KeyError: 'k'.; this is a bug",
        ),
        (deep, "x: it is nested too deeply"),
        (lambda: Path("/nowhere").stat(), r"x: No such file or directory \(/nowhere\)"),
    ],
)
def test_a_surprise_becomes_a_sentence(what: object, said: str) -> None:
    with pytest.raises(TopologyError, match=said) as caught, guarded("x", TopologyError):
        what()  # type: ignore[operator]
    assert isinstance(caught.value.__cause__, Unforeseen) == ("unexpected" in said)


def test_errors_of_the_lab_and_the_end_pass_unchanged() -> None:
    for error in (LabError("so"), KeyboardInterrupt()):
        with pytest.raises(type(error)) as caught, guarded("x", TopologyError):
            raise error
        assert caught.value is error


def test_a_file_lies_beneath_its_folder_whatever_links_say(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "in").mkdir(parents=True)
    (tmp_path / "out.txt").write_text("out")
    (folder / "in/a.txt").write_text("in")
    (folder / "near").symlink_to("in/a.txt")
    (folder / "far").symlink_to(tmp_path / "out.txt")
    read = {"beneath": folder}
    assert documents.content(folder / "near", TopologyError, Bounds(), **read) == b"in"
    for name in ("far", "../out.txt", "in/../../out.txt"):
        with pytest.raises(TopologyError, match="leads out of"):
            documents.content(folder / name, TopologyError, Bounds(), **read)


def test_only_files_are_read_and_no_more_of_them_than_the_bound(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("/dev/zero", tmp_path / "pipe"):
        with pytest.raises(TopologyError, match="it is no regular file"):
            documents.content(Path(name), TopologyError, Bounds())
    with pytest.raises(TopologyError, match="has more than 10 bytes"):
        documents.content(Path("/dev/zero"), TopologyError, Bounds(size=10), pipes=True)


def test_no_character_that_a_terminal_obeys_is_left() -> None:
    assert printable("a\x1b]0;PWN\x07b\u202e\ud800\x9b") == "a\\x1b]0;PWN\\x07b\\u202e\\ud800\\x9b"
    assert printable("né – 漢\n\t") == "né – 漢\n\t"
    assert documents.legal_xml("<a>é\x1b\x00</a>".encode()) == "<a>é\ufffd\ufffd</a>".encode()


def test_values_in_messages_are_short() -> None:
    assert documents.shown("\x1b") == "'\\x1b'"
    assert len(documents.shown("x" * 10_000)) == documents.SHOWN
    assert documents.shown(10**5000) == "a very long int"
    assert documents.number(10**400) is documents.number(True) is documents.number("1") is None
