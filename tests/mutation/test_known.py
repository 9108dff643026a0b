"""Faults that no unit test noticed once: each is noticed now. And the parts of the tool that puts them in."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutation import cage, mutants, related, run, trial
from tests.paths import ROOT

#: File, what stands there, and the fault.
KNOWN = {
    "end B of a link gets the interface of A": (
        "lab/emulation/links/veth.py",
        "(wiring.end_b, link.interface_b, link.address_b)",
        "(wiring.end_b, link.interface_a, link.address_b)",
    ),
    "what others use is unmounted": (
        "lab/emulation/cleanup.py",
        "path in mount_points() and not any(Path(path).iterdir())",
        "path in mount_points()",
    ),
    "a container that Docker was still making stays": (
        "lab/emulation/cleanup.py",
        "    done += await remove_containers(state, containers, run)\n    done += await _end_shims",
        "    done += await _end_shims",
    ),
    "Docker is stopped under a lab that stands": (
        "lab/emulation/docker/daemon.py",
        " or labs() or self._has_containers()",
        " or self._has_containers()",
    ),
    "packets leave late by what the way out takes": (
        "lab/emulation/wire/loop.py",
        "max(0, spec.delay - lead)",
        "max(0, spec.delay + lead)",
    ),
    "a bucket holds no two packets": (
        "lab/emulation/links/htb.py",
        "max(2 * shape.packet, round((shape.rate or UNLIMITED) * 1e6 / 8 * BURST_SECONDS))",
        "round((shape.rate or UNLIMITED) * 1e6 / 8 * BURST_SECONDS)",
    ),
    "links may take all memory": (
        "lab/emulation/links/queue_memory.py",
        "if total > SHARE * free:",
        "if total > free:",
    ),
    "everybody may read a record": ("lab/emulation/registry.py", ", mode=0o600, sync=True)", ", sync=True)"),
    "the headers of Weave's modes are mixed up": (
        "overlays/weave/overlay.py",
        "(84 if self._fastdp else 62)",
        "(62 if self._fastdp else 84)",
    ),
    "a daemon that takes no notice of TERM stays": ("lab/hosts/daemons.py", "TERM/3/KILL/2", "TERM/3"),
    "the earlier neighbour connects": (
        "overlays/tinc/overlay.py",
        "self.number(other) < self.number(host)",
        "self.number(other) > self.number(host)",
    ),
}

needs_a_cage = pytest.mark.skipif(bool(cage.missing()), reason=cage.missing() or "a cage")


#: A fault that would make a file in the project, and one that changes nothing.
PLACE = ("lab/emulation/links/queue_memory.py", "    return sum(link.shape(direction).memory")
OUTSIDE = ROOT / "written-by-a-fault"
WRITES = (*PLACE, f"    open({str(OUTSIDE)!r}, 'w')\n{PLACE[1]}")
NOTHING = (*PLACE, f"    1 + 1\n{PLACE[1]}")


@pytest.mark.skipif(bool(cage.missing()), reason=cage.missing() or "this machine has cages")
def test_every_fault_that_was_missed_once_is_caught() -> None:
    """One that no test can notice survives, to show that one can; and faulty code writes nothing."""
    places = {**KNOWN, "writes": WRITES, "nothing": NOTHING}
    planted = {word: mutants.planted(ROOT, *place) for word, place in places.items()}
    became = dict(trial.judged(list(planted.values()), trusting=True))
    survivors = [
        word for word, mutant in planted.items() if became[mutant] not in (trial.CAUGHT, trial.CLOCK)
    ]
    assert (survivors, OUTSIDE.exists()) == (["nothing"], False)


def test_faults_of_each_kind_are_found_and_can_be_parsed(tmp_path: Path) -> None:
    source = '''"""Words."""
FIGURE = 10.0
FIGURE = 1 << 20 * OTHER
ONE, TWO = 10.0, 20
Type = Callable[[int], "words"]
summary = ("words")
@decorated(1)
def f(y, x: int = 3, *, timeout: float = 5.5) -> bool:
    """Words."""
    emit(Note("words"))
    if not x and x < 2:
        raise ValueError("words", 7)
    go(x, check=False, timeout=7)
    Option("key", "default", ("value",), "words")
    é, y = [a for a in "ab" if a], x.a
    return [x + 1, f"{x}", None is x]
    zip(x, y, strict=True)
'''
    (tmp_path / "m.py").write_text(source)
    found = mutants.of(tmp_path, "m.py")
    assert {mutant.change for mutant in found} >= {
        "3 → 4",
        "not x and x < 2 → (not x or x < 2)",
        "not x and x < 2 → (x < 2)",
        "x < 2 → (x <= 2)",
        "go(x, check=False, timeout=7) → pass",
        "go(x, check=False, timeout=7) → (go(x, timeout=7))",
        "False → True",
        "[a for a in \"ab\" if a] → ([a for a in 'ab'])",
        "x.a → (x.b)",
        "x + 1 → (x - 1)",
        "None is x → (None is not x)",
        'return [x + 1, f"{x}", None is x] → return None',
    }
    assert not [
        mutant
        for mutant in found
        if mutant.before in ("10.0", "20", "1 << 20 * OTHER", "5.5", "7", '"words"', "1", "10.0, 20")
        and mutant.line < 16
    ]
    assert [mutant.change for mutant in found if mutant.line == 17] == ["zip(x, y, strict=True) → pass"]
    for mutant in found:
        ast.parse(mutant.applied(source.encode()))


def test_a_piece_that_stands_in_a_file_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="stands there"):
        mutants.planted(ROOT, "lab/emulation/cleanup.py", "return done", "return")


def test_the_tests_of_a_module_are_its_own_and_those_that_import_it() -> None:
    found = related.files("lab/emulation/cleanup.py")
    assert found[0] == "tests/unit/lab/emulation/test_cleanup.py"
    assert related.files("lab/emulation/ownership.py")[:1] == ["tests/unit/lab/emulation/test_ownership.py"]
    assert "tests/unit/lab/emulation/docker/test_host_spec.py" in related.files("lab/emulation/ownership.py")


def test_the_same_seed_draws_the_same_faults() -> None:
    one, same, other = (run.drawn(["overlays/tinc"], 20, seed) for seed in (5, 5, 6))
    assert (len(one), one == same, one == other) == (20, True, False)


def test_every_equivalent_is_a_fault_that_can_be_drawn_and_has_a_reason() -> None:
    drawable = {run.key(mutant) for package in run.PACKAGES for mutant in run.candidates(package)}
    assert sorted(run.equivalents() - drawable) == []
    assert all(row["reason"] for row in run.rows())


def test_every_module_that_is_left_out_is_there() -> None:
    assert [name for name in run.LEFT_OUT if not (ROOT / name).exists()] == []
