"""A short run of the fuzzer with a new seed each time, and every crash of the past."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.property import fuzzing, readers

#: Documents of the short run; LAB_FUZZ_SEED repeats one.
SHORT = 150
SEED = int(os.environ.get("LAB_FUZZ_SEED") or random.SystemRandom().randrange(1 << 32))


def test_a_short_run_finds_nothing(record_property: pytest.RecordProperty) -> None:
    found = fuzzing.fuzz(SEED, most=SHORT)
    record_property("fuzzing", str(found))
    assert not found.crashed, f"LAB_FUZZ_SEED={SEED} repeats it: {found}\n{found.documents}"


def test_the_fuzzer_finds_what_nobody_foresaw(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(data: bytes, _: Path) -> None:
        if b"null" in data:
            raise TypeError

    monkeypatch.setitem(readers.READERS, "json", fault)  # type: ignore[arg-type]
    found = fuzzing.fuzz(1, most=300, kinds=("json",))
    assert found.crashed.total() == found.crashed["TypeError "] > 0


@pytest.mark.parametrize("kind", readers.READERS)
def test_a_good_document_of_each_kind_is_read(kind: str, tmp_path: Path) -> None:
    readers.READERS[kind](readers.seeds()[kind][0], tmp_path)


@pytest.mark.parametrize("file", sorted(fuzzing.CRASHES.glob("*-*")), ids=lambda file: file.name)
def test_a_crash_of_the_past_is_a_sentence_now(file: Path) -> None:
    assert readers.surprise(file.name.partition("-")[0], file.read_bytes()) == ""
