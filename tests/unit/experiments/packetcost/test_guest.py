"""What the guest runs, and what is read from what it prints."""

from __future__ import annotations

import pytest

from experiments.packetcost import guest
from experiments.packetcost.experiment import PacketCost
from lab.errors import MeasureError
from tests.paths import FIXTURES

CONSOLE = (FIXTURES / "packetcost.txt").read_text()


def test_every_cell_is_measured_and_each_part_once() -> None:
    experiment = PacketCost()
    keys = {
        cell.key
        for path in experiment.overlays
        for cell in experiment.cells(None, path, experiment.profiles["quick"])  # type: ignore[arg-type]
    }
    lines = [line.split() for line in guest.script().splitlines() if line.startswith("packet ")]
    parts = [(words[1], words[2]) for words in lines]
    assert len(parts) == len(set(parts))
    assert {key for key, part in parts if part == "both"} == keys
    assert {key for key, part in parts if part == "sender"} == {key for key in keys if "/udp/" in key}
    assert set(guest.rows(CONSOLE)) == keys


def test_openvswitch_is_loaded_when_all_else_is_measured() -> None:
    before, after = guest.script().split("\nload_later\n")
    assert "openvswitch/" not in before
    assert all("openvswitch/" in line for line in after.splitlines())


def test_the_wire_has_no_offloads_when_an_overlay_is_measured() -> None:
    state = "off"
    for line in guest.script().splitlines():
        if line.startswith("offload underlay"):
            state = line.split()[-1]
        elif line.startswith("packet") and not line.startswith("packet underlay/tcp"):
            assert state == "off", line


def test_both_hosts_and_each_of_them() -> None:
    raw = guest.rows(CONSOLE)["libnetwork/udp/size=1470"]
    values = guest.parse("udp", raw)
    assert values["instructions"] == 37856
    assert values["sender"] == 18526
    assert values["receiver"] == 37856 - 18526
    assert values["instructions"] <= values["median"] <= values["mean"]


def test_tcp_is_told_per_byte() -> None:
    values = guest.parse("tcp", guest.rows(CONSOLE)["flannel/tcp/offload=off"])
    assert values["instructions"] == pytest.approx(1387464 / 131072)
    assert "sender" not in values


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "no figures of this cell"),
        (CONSOLE[:70], "no figures of this cell"),
        (
            "PACKET a/udp/size=9 both count 5 least 1 median 1 mean 1.0 lost 2 sent 45 got 27 clock 80\n",
            "of 45 bytes 27 came, and 2 datagrams did not",
        ),
    ],
)
def test_text_that_is_no_measurement_is_refused(raw: str, why: str) -> None:
    with pytest.raises(MeasureError, match=why):
        guest.parse("udp", raw)
