"""Commands of the lab, killed at random moments: what they leave behind, what is lost, what else is touched.

    python -m tests.chaos.run [--number 50] [--labs 1|2] [--seed 5] [--first 0]

A round draws commands (`up`, `emulate`, `rehearse`, `down`, `cleanup`), moments, and what is killed: the
process, its group, the Docker daemon that a lab started, the wire. Then `lab cleanup` runs, and the machine
must be as before. The lab and the container of somebody else stay up meanwhile. Needs root; rounds of one
seed can be done in parts.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from time import monotonic

from lab.emulation import registry
from lab.emulation.docker.daemon import Daemon
from tests.chaos.bystanders import Bystanders, lab
from tests.chaos.machine import everything, settled
from tests.chaos.victims import VICTIM, Plan, Victim, draw


class Occupied(Exception):
    """Labs or containers are on this machine that could be hit."""


@dataclass
class Findings:
    """What was wrong, by kind, in words; each with the round."""

    rounds: int = 0
    killed: int = 0
    left_behind: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    #: Longest time from the end of `cleanup` until nothing was left (s).
    slowest: float = 0.0

    @property
    def all(self) -> list[str]:
        return [*self.left_behind, *self.lost, *self.touched, *self.wrong]

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.killed} commands killed while they ran: left behind "
            f"{len(self.left_behind)}, lost {len(self.lost)}, foreign touched {len(self.touched)}, "
            f"other faults {len(self.wrong)}; clean {self.slowest:.1f} s after cleanup at the latest"
        )


def one_round(plans: Sequence[Plan], bystanders: Bystanders, daemon: Daemon, found: Findings) -> None:
    """Kill one command or several at once, clean up, and note what is wrong."""
    words = f"round {found.rounds} ({'; '.join(map(str, plans))})"
    found.rounds += 1
    with tempfile.TemporaryDirectory(prefix="results") as results:
        before, others = everything(), [record.lab_id for record in registry.records()]
        victims = [Victim(plan, f"{VICTIM}{n}", Path(results, str(n))) for n, plan in enumerate(plans)]
        for victim in victims:
            victim.prepare()
        for victim in victims:
            victim.begin()
        striking = [Thread(target=victim.strike, args=(others,)) for victim in victims]
        for one in striking:
            one.start()
        for one in striking:
            one.join()
        for victim in victims:
            found.wrong += [f"{words}: {fault}" for fault in victim.finish()]
            found.killed += victim.killed
            found.lost += [f"{words}: {fault}" for fault in victim.lost()]
        found.wrong += [f"{words}: {fault}" for fault in clean_up()]
        daemon.revive()
        came, went, took = settled(before)
        found.slowest = max(found.slowest, took)
        found.left_behind += [f"{words}: {one}" for one in came]
        found.touched += [f"{words}: gone: {one}" for one in went]
        found.touched += [f"{words}: {one}" for one in bystanders.touched()]


def clean_up() -> list[str]:
    """Take away what is left, as a user would; returns what is wrong with that, in words."""
    done = [lab("cleanup")]
    # those whose `up` came to its end, or whose `down` had not begun
    done += [lab("down", one.name) for one in registry.records() if one.name.startswith(VICTIM)]
    return [f"{one.args[3:]}: {one.stderr.strip()[-1000:]}" for one in done if one.returncode]


def chaos(seed: int, number: int, labs: int, *, first: int = 0, short: bool = False) -> Findings:
    """Do so many rounds, with so many commands at once; prints each.

    Raises:
        Occupied: somebody's labs or containers are on this machine, for which it is too dangerous.
    """
    found, daemon = Findings(), Daemon()
    daemon.ensure()
    try:
        if there := [*(record.name for record in registry.records()), *everything()["containers"]]:
            raise Occupied(f"{', '.join(there)} on this machine: chaos kills the Docker daemon under them")
        before = everything()
        with Bystanders() as bystanders:
            for n in range(first, first + number):
                chance, began, known = random.Random(f"{seed} {n}"), monotonic(), set(found.all)
                plans = [draw(chance, short=short) for _ in range(labs)]
                one_round(plans, bystanders, daemon, found)
                faults = "".join(f"\n  {fault}" for fault in found.all if fault not in known)
                sys.stdout.write(f"{n}: {'; '.join(map(str, plans))} ({monotonic() - began:.0f} s){faults}\n")
                sys.stdout.flush()
        came, went, _ = settled(before)
        found.left_behind += [f"at the end: {one}" for one in came]
        found.touched += [f"at the end: gone: {one}" for one in went]
        sys.stdout.write("".join(f"at the end: {one}\n" for one in [*came, *went]))
    finally:
        daemon.release()
    return found


def main() -> int:
    """Do rounds as the command line says; 1 where anything was wrong."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--number", type=int, default=50, help="rounds")
    asked.add_argument("--labs", type=int, default=1, help="commands at once")
    asked.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    asked.add_argument(
        "--first", type=int, default=0, help="the number of the first round: parts of one seed"
    )
    given = asked.parse_args()
    if os.geteuid() != 0:
        asked.error("it needs root")
    sys.stdout.write(f"seed {given.seed}\n")
    found = chaos(given.seed, given.number, given.labs, first=given.first)
    sys.stdout.write(f"seed {given.seed}, {given.labs} at once: {found}\n")
    return 1 if found.all else 0


if __name__ == "__main__":
    sys.exit(main())
