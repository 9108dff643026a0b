"""The verbs for real machines, as far as no machine is needed: one sentence for every mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.app.testbed import check
from lab.cli.testbed import check_table
from lab.events import silent
from tests.unit.command_line import Lab
from tests.unit.lab.app.test_testbed import PAIR, booked_at
from tests.unit.sshd import serving


def test_one_that_is_not_filled_in_is_refused(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    assert lab("testbed", "inventory", "linear:sites=AMS+PRG", "-o", path)[0] == 0
    status, _, err = lab("testbed", "check", "--inventory", path)
    assert status == 1
    assert err == f"lab: {path}: AMS has no address yet; PRG has no address yet\n"


@pytest.mark.parametrize("words", [["check"], ["prepare"], ["run", "multihop"], ["restore"]])
def test_an_inventory_that_is_not_there_is_one_sentence(lab: Lab, words: list[str]) -> None:
    status, _, err = lab("testbed", *words, "--inventory", "/no/such.yaml")
    assert status == 1
    assert err == (
        "lab: /no/such.yaml cannot be read: No such file or directory; "
        "'lab testbed inventory TOPOLOGY' writes one\n"
    )


async def test_what_each_host_has_and_lacks_is_a_table(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        table = check_table(await check(booked_at(server), ["underlay"], silent))
    shown = {section.heading: section.rows for section in table.sections}
    assert table.title == "2 of 2 hosts of point_to_point answer"
    first = shown["what each host has"][0]
    assert first[0] == PAIR.hosts[0].name
    assert first[5] == "lo", "the interface that carries the connection"
    assert "192.168.1.1/24 for eth1" in shown["missing, and 'prepare' installs it"][0][0]
    assert {len(row) for rows in shown.values() for row in rows} == {len(table.columns)}


def test_a_machine_that_cannot_be_reached_makes_the_status_1(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "inventory.yaml"
    lab("testbed", "inventory", "linear:sites=AMS+PRG", "-o", path)
    path.write_text(re.sub(r"address:.*", "address: 127.0.0.1\n    port: 1", path.read_text()))

    status, out, _ = lab("testbed", "check", "--inventory", path)

    assert status == 1
    assert "0 of 2 hosts of linear answer" in out
    assert "AMS cannot be reached at 127.0.0.1 port 1: " in out
