"""Choice of a shaper: which one a machine can have, and which link is refused beforehand. No root."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.emulation import shaper_choice
from lab.emulation.links import shaper
from lab.emulation.links.netem import Netem
from lab.emulation.shaper_choice import check_links
from lab.emulation.wire.wire import Wire
from lab.errors import CommandError, MachineError, ShaperError, UnknownName
from lab.hosts.host import Result
from lab.topology import impairments
from tests.paths import ROOT
from tests.unit.lab.emulation.links.fakes import SPEC


class Kernel:
    """Answers the probes of a kernel with or without netem and the wire."""

    def __init__(self, netem: bool, wire: bool, root: bool = True) -> None:
        self.netem, self.wire, self.root = netem, wire, root

    async def __call__(self, argv: Any, **_: Any) -> Result:
        assert argv[:2] == ["unshare", "--net"], "probes leave no name behind"
        if not self.root:
            raise CommandError("this machine", argv, 1, "", "unshare: Operation not permitted")
        if argv[2] == "tc" and not self.netem:
            raise CommandError("this machine", argv, 1, "", "Error: Specified qdisc kind is unknown.\nmore")
        words = '{"variant": "nft", "lead": 1}' if self.wire else '{"reason": "no NFQUEUE"}'
        return Result(tuple(argv), 0, "" if argv[2] == "tc" else words, "", 0.0)


@pytest.mark.parametrize(
    ("kernel", "name", "kind"),
    [
        (Kernel(netem=True, wire=True), "auto", Netem),
        (Kernel(netem=False, wire=True), "auto", Wire),
        (Kernel(netem=True, wire=True), "wire", Wire),
    ],
)
async def test_the_first_shaper_that_works_is_chosen(kernel: Kernel, name: str, kind: type) -> None:
    assert await shaper_choice.choose(name, kernel) is kind


async def test_no_shaper_is_one_sentence_with_both_reasons() -> None:
    with pytest.raises(MachineError) as told:
        await shaper_choice.choose("auto", Kernel(netem=False, wire=False))

    assert "netem: this kernel or user cannot have it (Error: Specified qdisc kind is unknown.)" in str(
        told.value
    )
    assert "wire: no NFQUEUE" in str(told.value)
    assert "\n" not in str(told.value)


async def test_a_named_shaper_that_cannot_be_had_is_an_error() -> None:
    with pytest.raises(MachineError, match="netem"):
        await shaper_choice.choose("netem", Kernel(netem=False, wire=True))
    with pytest.raises(MachineError, match="run it as root"):
        await shaper_choice.choose("wire", Kernel(netem=True, wire=True, root=False))
    with pytest.raises(UnknownName, match="did you mean 'netem'"):
        await shaper_choice.choose("nettem", Kernel(netem=True, wire=True))


def test_the_documented_table_is_the_codes() -> None:
    page = ROOT / "docs" / "explanation" / "links-and-shapers.md"

    assert shaper_choice.abilities_table() in page.read_text(), (
        "docs/explanation/links-and-shapers.md lacks the output of shaper_choice.abilities_table()"
    )
    assert {kind.name for kind in shaper_choice.SHAPERS} == set(shaper.ABILITIES)
    assert {name for can in shaper.ABILITIES.values() for name in can} == set(impairments.PARAMETERS)


def test_what_cannot_be_is_foreseen() -> None:
    check_links(Wire, [SPEC])
    with pytest.raises(ShaperError, match="AMS-PRG: wire cannot impose corrupt"):
        check_links(Wire, [replace(SPEC, corrupt=1.0)])
    with pytest.raises(ShaperError, match="GiB of memory"):
        check_links(Wire, [replace(SPEC, rtt=10_000.0, rate=1_000_000.0)])
    with pytest.raises(ShaperError, match=r"takes 12\.1 s"):
        check_links(Wire, [replace(SPEC, rate=0.001)])
