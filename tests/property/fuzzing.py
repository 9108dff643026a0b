"""A fuzzer for documents that is led by coverage: what reaches a line of the lab that no other did is kept.

    python -m tests.property.fuzzing --seconds 60 [--seed 5] [--kind json]

Each run has a seed of its own and prints it. What crashes is kept in `--crashes`, one file for each place;
copied to tests/fixtures/crashes it is read again by every test run.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, process_time
from types import FrameType
from typing import Any

from tests.paths import FIXTURES, ROOT
from tests.property.readers import READERS, seeds, surprise

#: One file for each crash of the past: KIND-words.
CRASHES = FIXTURES / "crashes"
OURS = (
    f"{ROOT}/lab/dsl",
    f"{ROOT}/lab/formats",
    f"{ROOT}/lab/topology",
    f"{ROOT}/lab/runs",
    f"{ROOT}/lab/testbed",
)
#: Share of the documents whose lines are watched, which takes five times as long.
WATCHED = 0.25
WORDS = (
    *(
        b"null",
        b"true",
        b"-1",
        b"1e999",
        b"9" * 400,
        b"9" * 5000,
        b"0x_",
        b"NaN",
        b"1.5",
        b"''",
        b'""',
        b"[]",
        b"{}",
    ),
    *(
        b"[1]",
        b'{"a":1}',
        b"!!int ",
        b"!!binary ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"? ",
        b"- ",
        b": ",
        b", ",
        b"\n",
        b"\0",
    ),
    *(
        b"self",
        b"u_of_edge",
        b"gts",
        b"blocks",
        b"place",
        b"number",
        b"order",
        b"from",
        b"schedule",
        b"link",
        b"name",
    ),
    *(
        b'"\\ud800"',
        b"\xff",
        b"\xed\xa0\x80",
        b"\x1b]0;x\x07",
        b"/*",
        b"*/",
        b"${x}",
        b"2001-01-01",
        b"../x",
        b"/dev/zero",
    ),
    *(
        b"<a>",
        b"</a>",
        b"<!ENTITY",
        b"&#0;",
        b"id",
        b"key",
        b"directed 1",
        b"multigraph 1",
        b"Latitude",
        b"site",
        b"x" * 300,
    ),
)


@dataclass
class Findings:
    """The count of what was tried, and what was found: a document for each place that nobody foresaw."""

    seed: int
    tried: Counter[str] = field(default_factory=Counter)
    crashed: Counter[str] = field(default_factory=Counter)
    documents: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    #: Processor time (s), and kind.
    slowest: tuple[float, str] = (0.0, "")
    lines: int = 0

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.tried.items()))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        return (
            f"seed {self.seed}: {self.tried.total():,} documents ({kinds}); {self.lines:,} lines reached; "
            f"{self.crashed.total()} tracebacks at {len(self.crashed)} places; "
            f"slowest {self.slowest[0]:.2f} s ({self.slowest[1]}); at most {memory} MiB"
        )


class Coverage:
    """Lines of the lab's readers that were reached so far."""

    def __init__(self) -> None:
        self.lines: set[tuple[str, int]] = set()

    def __enter__(self) -> Coverage:
        sys.settrace(self._called)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _called(self, frame: FrameType, _: str, __: Any) -> Any:
        return self._reached if frame.f_code.co_filename.startswith(OURS) else None

    def _reached(self, frame: FrameType, event: str, _: Any) -> Any:
        if event == "line":
            self.lines.add((frame.f_code.co_filename, frame.f_lineno))
        return self._reached


def mutated(chance: random.Random, pool: list[bytes]) -> bytes:
    """Return one of these documents with some pieces cut, doubled, replaced, or taken from another one."""
    data = chance.choice(pool)
    for _ in range(1 + int(chance.expovariate(0.7))):
        start = chance.randint(0, len(data))
        end = min(len(data), start + int(chance.expovariate(0.1)))
        other = chance.choice(pool)
        at = chance.randint(0, len(other))
        pieces = (
            b"",
            chance.choice(WORDS),
            data[start:end] * 2,
            other[at : at + 40],
            bytes([chance.randrange(256)]),
        )
        data = data[:start] + chance.choice(pieces) + data[end:]
    return data[:100_000]


def swapped(chance: random.Random, data: bytes) -> bytes:
    """Return a document with one of its values, or one of its words, replaced."""
    places = [n for n, sign in enumerate(data) if sign in b":=,>[ "]
    if not places:
        return data
    start = chance.choice(places) + 1
    end = next((n for n in range(start + 1, len(data)) if data[n] in b',}]\n<" '), len(data))
    return data[:start] + chance.choice(WORDS) + data[end:]


def fuzz(
    seed: int, *, seconds: float = 1e9, most: int = 10**9, kinds: tuple[str, ...] = tuple(READERS)
) -> Findings:
    """Try documents of these kinds until the time (s) is over, or so many were tried."""
    chance, found, coverage = random.Random(seed), Findings(seed), Coverage()
    pools = {kind: list(pool) for kind, pool in seeds().items() if kind in kinds}
    deadline = monotonic() + seconds
    while monotonic() < deadline and found.tried.total() < most:
        kind = chance.choice(list(pools))
        data = mutated(chance, pools[kind])
        data = swapped(chance, data) if chance.random() < 0.5 else data
        before, began = len(coverage.lines), process_time()
        if chance.random() < WATCHED:
            with coverage:
                where = surprise(kind, data)
        else:
            where = surprise(kind, data)
        found.slowest = max(found.slowest, (process_time() - began, kind))
        found.tried[kind] += 1
        if where:
            found.crashed[where] += 1
            found.documents.setdefault(where, (kind, data))
        elif len(coverage.lines) > before and len(data) < 20_000:
            pools[kind].append(data)
    found.lines = len(coverage.lines)
    return found


def main() -> int:
    """Fuzz as the command line says; 1 when something crashed."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--seconds", type=float, default=60)
    asked.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked.add_argument("--kind", action="append", choices=sorted(READERS))
    asked.add_argument("--crashes", type=Path, default=ROOT / "build/crashes")
    given = asked.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    sys.stdout.flush()
    found = fuzz(given.seed, seconds=given.seconds, kinds=tuple(given.kind or READERS))
    for where, (kind, data) in found.documents.items():
        given.crashes.mkdir(parents=True, exist_ok=True)
        file = given.crashes / f"{kind}-{where.replace('/', '.').replace(' ', '-').replace(':', '-')}"
        file.write_bytes(data)
        sys.stdout.write(f"{found.crashed[where]} × {where}: {file}\n")
    sys.stdout.write(f"{found}\n")
    return 1 if found.crashed else 0


if __name__ == "__main__":
    sys.exit(main())
