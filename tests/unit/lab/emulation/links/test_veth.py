"""The fabric: what is built in which order, and that no link opens before it is shaped. No root."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.emulation.links import veth
from lab.emulation.links.link import LinkState, Wiring
from lab.emulation.links.veth import Fabric
from lab.errors import CommandError, ShaperError
from lab.hosts.host import Result
from tests.unit.lab.emulation.links.fakes import SPEC

WIRING = Wiring(SPEC, 17, 18)
SECOND = Wiring(replace(SPEC, name="PRG-BRA", number=4, a="PRG", b="BRA", interface_a="eth3"), 18, "lab-z")


class Journal:
    """A runner and a shaper that write down what happens."""

    def __init__(self, *, fails: bool = False, missing: bool = False) -> None:
        self.steps: list[str] = []
        self.fails, self.missing = fails, missing
        self.states: dict[str, LinkState] = {}

    async def run(self, argv: Any, *, stdin: bytes | None = None, **_: Any) -> Result:
        self.steps.append(f"{' '.join(argv)} <<< {(stdin or b'').decode()}")
        if self.missing:
            raise CommandError(
                "this machine", argv, 1, "", "Cannot remove namespace file: No such file or directory"
            )
        return Result(tuple(argv), 0, "", "", 0.0)

    async def prepare(self) -> None:
        self.steps.append("prepare")

    async def apply(self, lines: list[LinkState]) -> None:
        self.steps.append("apply")
        if self.fails:
            raise ShaperError("no")
        self.states |= {line.name: line for line in lines}

    async def remove(self, links: list[str]) -> None:
        self.steps.append("remove " + " ".join(links))

    async def close(self) -> None:
        self.steps.append("close")


def make(journal: Journal) -> Fabric:
    return Fabric("x", journal, journal.run)  # type: ignore[arg-type]


async def test_a_link_opens_last() -> None:
    journal = Journal()

    await make(journal).add_links([WIRING, SECOND])

    opened = [n for n, step in enumerate(journal.steps) if "link set br3 up" in step]
    assert opened == [len(journal.steps) - 1]
    assert journal.steps.index("apply") == 1
    assert "link set br" not in journal.steps[0].replace("link set br3 alias", "").replace(
        "link set br4 alias", ""
    )


async def test_a_link_that_is_not_shaped_never_opens() -> None:
    journal = Journal(fails=True)

    with pytest.raises(ShaperError):
        await make(journal).add_links([WIRING])

    assert journal.steps[-1] == "apply"


async def test_a_host_that_is_gone_is_one_plain_error_and_no_group() -> None:
    class HostGone(Journal):
        async def run(self, argv: Any, *, stdin: bytes | None = None, **how: Any) -> Result:
            self.missing = "--net=/proc/18/ns/net" in argv
            return await super().run(argv, stdin=stdin, **how)

    journal = HostGone()

    with pytest.raises(CommandError):
        await make(journal).add_links([WIRING, SECOND])

    assert not [step for step in journal.steps if "link set br3 up" in step]


async def test_all_links_of_a_lab_take_one_call_per_namespace() -> None:
    journal = Journal()

    await make(journal).add_links([WIRING, SECOND])

    commands = [step.split(" <<<")[0] for step in journal.steps if step != "apply"]
    ends = ["/proc/17/ns/net", "/proc/18/ns/net", "/run/netns/lab-z"]
    assert sorted(commands) == sorted(
        f"nsenter --net={end} ip -batch -" for end in [*ends, "/run/netns/lab-x", "/run/netns/lab-x"]
    )


def test_veths_are_made_in_both_namespaces_at_once() -> None:
    lines = veth.add_commands(WIRING)

    assert lines == [
        "link add 3a mtu 1500 type veth peer mtu 1500 name eth1 netns /proc/17/ns/net",
        "link add 3b mtu 1500 type veth peer mtu 1500 name eth2 netns /proc/18/ns/net",
        "link add br3 mtu 1500 type bridge stp_state 0 forward_delay 0 mcast_snooping 0",
        "link set br3 alias AMS-PRG",
        "link set 3a master br3 up",
        "link set 3b master br3 up",
    ]


def test_hosts_get_address_and_interface_up() -> None:
    assert veth.host_commands([WIRING])["/proc/17/ns/net"] == [
        "addr add 192.168.3.1/24 dev eth1",
        "link set eth1 up",
    ]


async def test_removing_takes_the_interfaces_before_the_shaper_forgets() -> None:
    journal = Journal()
    lab = make(journal)
    await lab.add_links([WIRING])

    await lab.clear_links([WIRING.state])

    assert "link del br3\nlink del 3a\nlink del 3b" in journal.steps[-2]
    assert journal.steps[-1] == "remove AMS-PRG"


async def test_destroying_what_is_gone_changes_nothing() -> None:
    journal = Journal(missing=True)
    await make(journal).destroy()
    assert journal.steps == ["close", "ip netns del lab-x <<< "]


async def test_the_lab_is_prepared_before_any_link(tmp_path: Path) -> None:
    journal = Journal()

    await make(journal).create()

    assert journal.steps[0].startswith("ip netns add lab-x")
    assert journal.steps[-1] == "prepare"


def test_each_end_of_a_link_gets_its_own_address_and_interface() -> None:
    assert veth.host_commands([WIRING]) == {
        "/proc/17/ns/net": ["addr add 192.168.3.1/24 dev eth1", "link set eth1 up"],
        "/proc/18/ns/net": ["addr add 192.168.3.2/24 dev eth2", "link set eth2 up"],
    }


def test_an_end_without_an_address_is_brought_up_all_the_same() -> None:
    bare = Wiring(replace(SPEC, address_b=""), 17, 18)
    assert veth.host_commands([bare])["/proc/18/ns/net"] == ["link set eth2 up"]


async def test_links_are_taken_away_in_one_go_that_skips_what_is_gone() -> None:
    ran = []

    class Told(Journal):
        async def run(self, argv: Any, *, stdin: bytes | None = None, **more: Any) -> Result:
            ran.append((list(argv), more))
            return await super().run(argv, stdin=stdin, **more)

    await make(Told()).clear_links([WIRING.state])
    assert ran == [(["nsenter", "--net=/run/netns/lab-x", "ip", "-force", "-batch", "-"], {"check": False})]


async def test_a_namespace_that_cannot_be_removed_is_told() -> None:
    class Refusing(Journal):
        async def run(self, argv: Any, **_: Any) -> Result:
            raise CommandError("this machine", argv, 1, "", "Operation not permitted")

    journal = Refusing()
    with pytest.raises(CommandError, match="not permitted"):
        await make(journal).destroy()
    assert journal.steps == ["close"]


async def test_the_namespace_of_links_has_no_addresses_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal()
    monkeypatch.setattr(Path, "exists", lambda path: True)
    await make(journal).create()
    assert journal.steps[1].startswith("nsenter --net=/run/netns/lab-x tee /proc/sys/net/ipv6")
    assert journal.steps[1].endswith("<<< 1\n")
    assert journal.steps[0] == "ip netns add lab-x <<< "
    monkeypatch.setattr(Path, "exists", lambda path: False)
    bare = Journal()
    await make(bare).create()
    assert bare.steps == ["ip netns add lab-x <<< ", "prepare"], "a kernel without IPv6"


async def test_a_link_that_was_never_shaped_is_taken_away_without_the_shaper() -> None:
    journal = Journal()
    await make(journal).clear_links([WIRING.state, SECOND.state])
    (step,) = journal.steps
    assert step.split("<<< ")[1].split("\n")[:-1] == [
        f"link del {name}" for name in ("br3", "3a", "3b", "br4", "4a", "4b")
    ]
