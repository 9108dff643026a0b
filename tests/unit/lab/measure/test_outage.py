"""A circuit's failure, from the answers of ping -D: recorded, cut short, and made up where it matters."""

from __future__ import annotations

import pytest

from lab.errors import MeasureError
from lab.measure import outage
from tests.paths import FIXTURES

RECORDED = (FIXTURES / "ping/answers.txt").read_text()


def answers(*times: float, rtt: float = 20.0) -> str:
    """Lines as ping prints them."""
    return "".join(
        f"[{at:.6f}] 64 bytes from 10.0.0.3: icmp_seq={n} ttl=64 time={rtt} ms\n"
        for n, at in enumerate(times, 1)
    )


def test_a_recorded_ping_is_read() -> None:
    cut, restored = 1795477777.4, 1795477777.8
    values = outage.parse(outage.record(RECORDED, cut, restored, restored))
    assert values["around"] == 1
    assert values["rtt_before_ms"] == pytest.approx(18.15)
    assert values["dark_s"] == pytest.approx(1795477777.522938 - cut, abs=1e-6)


def test_the_dark_time_ends_with_the_first_answer_over_another_way() -> None:
    text = answers(1.0, 1.1, 1.2) + answers(5.0, 5.1, rtt=80) + answers(10.1, 10.2, 10.3)
    values = outage.parse(outage.record(text, 1.25, 9.9, 10.0))
    assert values["dark_s"] == pytest.approx(3.75)
    assert values["around"] == 1
    assert (values["rtt_before_ms"], values["rtt_detour_ms"], values["rtt_after_ms"]) == (20, 80, 20)
    assert values["gap_s"] == pytest.approx(0.1)


def test_an_answer_on_its_way_when_the_circuit_was_cut_ends_nothing() -> None:
    values = outage.parse(outage.record(answers(1.0, 1.26) + answers(4.0), 1.25, 2.9, 3.0))
    assert values["dark_s"] == pytest.approx(2.75)
    assert values["around"] == 0
    assert "rtt_detour_ms" not in values


def test_an_answer_while_the_circuit_is_being_mended_came_over_it() -> None:
    values = outage.parse(outage.record(answers(1.0) + answers(91.33, 91.43, 91.6), 1.2, 91.25, 91.5))
    assert values["around"] == 0
    assert values["dark_s"] == pytest.approx(90.13)
    assert "rtt_detour_ms" not in values


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (outage.record(answers(5.0), 1.0, 2.9, 3.0), "no answer before"),
        (outage.record(answers(0.5), 1.0, 2.9, 3.0), "no answer after"),
        (outage.record(RECORDED, 1.0, 2.9, 3.0)[:50], "no complete record"),
        ("{}", "no complete record"),
        ("[]", "no complete record"),
    ],
)
def test_what_is_no_failure_of_a_circuit_is_an_error(raw: str, said: str) -> None:
    with pytest.raises(MeasureError, match=said):
        outage.parse(raw)


def test_ends_are_named_and_read_back() -> None:
    text = outage.format_ends([("AMS", "eth1"), ("PRG", "eth2")])
    assert text == "AMS:eth1+PRG:eth2"
    assert outage.parse_ends(text) == {"AMS": "eth1", "PRG": "eth2"}
