"""Faults put into what runs as root, one at a time: how many the unit tests notice.

    python -m tests.mutation.run [--number 40] [--seed 5] [--only overlays/tinc] [--all]

Draws faults of each package, puts each into a copy of the project, runs the unit tests of its module, and
prints caught of tried per package and every survivor. Faults that change nothing are in `equivalents.toml`.
"""

from __future__ import annotations

import argparse
import random
import sys
import tomllib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

from tests.mutation import mutants, trial
from tests.mutation.mutants import Mutant
from tests.paths import ROOT

PACKAGES = ("lab/emulation", "lab/hosts", "lab/testbed", "overlays")
EQUIVALENTS = Path(__file__).with_name("equivalents.toml")
#: Characters of a fault in the list of survivors.
LONGEST_LINE = 300
#: Modules whose work needs a real kernel, Docker or machines, and the tests that see it done.
LEFT_OUT = {
    "lab/emulation/network.py": "the former name of another module",
    "lab/emulation/docker/capabilities.py": "a table; tests/integration/test_emulation.py",
    "lab/emulation/emulation.py": "tests/integration/test_emulation.py",
    "lab/emulation/docker/image_store.py": "tests/integration/test_images.py",
    "lab/emulation/light/starter.py": "tests/integration/test_light_hosts.py",
    "lab/emulation/links/calibration.py": "tests/integration/test_links.py",
    "lab/emulation/links/icmp.py": "tests/integration/test_links.py",
    "lab/emulation/links/link_meter.py": "tests/integration/test_links.py",
    "lab/emulation/wire/daemon.py": "tests/integration/test_links.py",
    "lab/emulation/wire/nfqueue.py": "tests/integration/test_links.py",
    "lab/emulation/wire/probe.py": "tests/integration/test_links.py",
    "lab/testbed/clock_offsets.py": "tests/integration/test_testbed.py",
    "lab/testbed/prepare.py": "tests/integration/test_testbed.py",
    "lab/testbed/testbed.py": "tests/integration/test_testbed.py",
    "overlays/common/binaries.py": "tests/integration/test_overlays.py",
    "overlays/flannel/flanneld.py": "tests/kernels/test_flannel.py",
    "overlays/libnetwork/overlay.py": "tests/integration/test_overlays.py",
}


def rows() -> list[dict[str, str]]:
    """Read the list of faults that change nothing: file, line, change, and the reason."""
    listed: list[dict[str, str]] = tomllib.loads(EQUIVALENTS.read_text()).get("equivalent", [])
    return listed


def equivalents() -> set[tuple[str, str, str]]:
    """Return the faults that change nothing, named as by `key`."""
    return {(row["file"], row["line"], row["change"]) for row in rows()}


def key(mutant: Mutant) -> tuple[str, str, str]:
    """Return how the list of equivalents names a fault: without the number of its line, which moves."""
    line = (ROOT / mutant.file).read_text().splitlines()[mutant.line - 1]
    return mutant.file, line.strip(), mutant.change


def candidates(package: str) -> list[Mutant]:
    """Return the faults of a package, in all modules that are not left out; equivalents too."""
    path = ROOT / package
    files = [path] if path.suffix == ".py" else sorted(path.rglob("*.py"))
    names = [str(file.relative_to(ROOT)) for file in files]
    return [mutant for name in names if name not in LEFT_OUT for mutant in mutants.of(ROOT, name)]


def drawn(packages: Sequence[str], number: int | None, seed: int) -> list[Mutant]:
    """Draw so many faults of each package; None for all. Those of one module stand together."""
    known = equivalents()
    found = []
    for package in packages:
        pool = [mutant for mutant in candidates(package) if key(mutant) not in known]
        chance = random.Random(f"{seed} {package}")
        found += pool if number is None else chance.sample(pool, min(number, len(pool)))
    return sorted(found, key=lambda mutant: (mutant.file, mutant.start, mutant.text))


def package_of(mutant: Mutant) -> str:
    """Return the package that a fault counts for."""
    return next(package for package in PACKAGES if mutant.file.startswith(f"{package}/"))


def main() -> int:
    """Try faults as the command line says; 1 where fewer than --least were caught."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--number", type=int, default=40, help="faults of each package")
    asked.add_argument("--all", action="store_true", help="every fault: hours")
    asked.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked.add_argument("--only", action="append", metavar="PATH", help="a package, a folder or a file")
    asked.add_argument("--least", type=float, default=0.9, help="share that must be caught in each package")
    given = asked.parse_args()
    sys.stdout.write(f"seed {given.seed}\n")
    tried, caught, began = Counter[str](), Counter[str](), monotonic()
    chosen = drawn(given.only or PACKAGES, None if given.all else given.number, given.seed)
    with suppress(KeyboardInterrupt):  # what was tried so far is told
        for mutant, became in trial.judged(chosen):
            tried[package_of(mutant)] += 1
            caught[package_of(mutant)] += became in (trial.CAUGHT, trial.CLOCK)
            if became != trial.CAUGHT:
                sys.stdout.write(f"{str(mutant)[:LONGEST_LINE]}  ({became})\n")
            sys.stdout.flush()
    for package, number in sorted(tried.items()):
        sys.stdout.write(f"{package}: {caught[package]} of {number} caught\n")
    sys.stdout.write(f"seed {given.seed}, {monotonic() - began:.0f} s\n")
    return 1 if any(caught[package] < given.least * number for package, number in tried.items()) else 0


if __name__ == "__main__":
    sys.exit(main())
