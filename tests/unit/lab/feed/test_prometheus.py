"""The feed as metrics of Prometheus."""

from __future__ import annotations

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from lab.errors import UsageError
from lab.feed.hub import Hub
from lab.feed.objects import COLUMNS
from lab.feed.prometheus import address, registry
from lab.feed.watch import stamped

ASKED = {
    "delay_ms": 10.0,
    "rate_mbit_s": None,
    "loss_percent": 0.0,
    "jitter_ms": 0.0,
    "queue_bytes": None,
    "queue_packets": None,
    "down": False,
}


def hub() -> Hub:
    made = Hub()
    link = {"id": 'A-"B"', "a": "A", "b": '"B"', "asked": ASKED}
    topology = {"name": "x", "hosts": [{"name": "A"}, {"name": '"B"'}], "links": [link]}
    row = [0, 1, 12.5, 1000, None, 0.5, 3, 4500, 0, 0.05, 0]
    host = {"host": "A", "up": True, "cpu_percent": 12.0, "cpu_quota_percent": None, "memory_bytes": None}
    daemons = [{"name": "x", "state": "ended"}, {"name": "y", "state": "runs"}]
    now = {"verdict_now": {"counts": False, "sentences": []}}
    made.publish(
        [
            stamped("lab", lab="class", state="up", topology=topology, shaper="wire", clock="real"),
            stamped("links", lab="class", columns=list(COLUMNS), rows=[row], why={"0": "late"}),
            stamped("host", lab="class", memory_limit_bytes=None, daemons=daemons, **host),
            stamped("machine", cpu_percent=50.0, load=1.0, memory_free_bytes=1024, **now),
        ]
    )
    return made


def test_every_known_value_is_a_metric_with_the_names_of_its_place() -> None:
    text = generate_latest(registry(hub())).decode()
    found = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    way = ('"B"', "A", 'A-"B"', "class")
    assert found["lab_link_rate_mbit_s", *sorted(way)] == 12.5
    assert found["lab_link_keeps", *sorted(way)] == 0.0
    assert found["lab_link_asked_delay_ms", *sorted(way)] == 10.0
    assert found["lab_host_cpu_percent", "A", "class"] == 12.0
    assert found["lab_host_daemons_ended", "A", "class"] == 1.0
    assert found["lab_machine_counts",] == 0.0
    names = {name for name, *_ in found}
    assert not {"lab_link_rtt_ms", "lab_host_memory_bytes", "lab_link_asked_rate_mbit_s"} & names


def test_an_empty_feed_has_no_values() -> None:
    assert b"lab_link_rate_mbit_s{" not in generate_latest(registry(Hub()))


@pytest.mark.parametrize(
    ("text", "where"),
    [("9400", ("127.0.0.1", 9400)), ("0.0.0.0:9400", ("0.0.0.0", 9400)), ("[::1]:9400", ("::1", 9400))],
)
def test_an_address_is_read(text: str, where: tuple[str, int]) -> None:
    assert address(text) == where


@pytest.mark.parametrize("text", ["", "host", "host:", ":0", "host:99999", "host:-1"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        address(text)
