"""The latest state of the feed as metrics of Prometheus, by its own client library."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

from lab.errors import UsageError
from lab.feed.hub import Hub
from lab.feed.objects import COLUMNS, Plain

#: Metrics of links by the column that they come from, and of hosts by their field.
LINKS = {
    "rate_mbit_s": ("lab_link_rate_mbit_s", "Bits that left a direction of a link, Mbit/s."),
    "packets_s": ("lab_link_packets_s", "Packets that left a direction of a link, per second."),
    "rtt_ms": ("lab_link_rtt_ms", "Round trip over a link, ms."),
    "loss_percent": ("lab_link_loss_percent", "Packets lost in a direction of a link, percent."),
    "queue_packets": ("lab_link_queue_packets", "Packets that wait for the rate of a link."),
    "queue_bytes": ("lab_link_queue_bytes", "Bytes that wait for the rate of a link."),
    "drops": ("lab_link_drops", "Packets that a full queue dropped during the interval."),
    "lateness_ms": ("lab_link_lateness_ms", "How late packets left a link, on average, ms."),
    "keeps": ("lab_link_keeps", "1 where a link keeps to its settings, else 0."),
}
ASKED = {
    "delay_ms": ("lab_link_asked_delay_ms", "Delay that was asked of a direction, ms."),
    "rate_mbit_s": ("lab_link_asked_rate_mbit_s", "Rate that was asked of a direction, Mbit/s."),
    "loss_percent": ("lab_link_asked_loss_percent", "Loss that was asked of a direction, percent."),
}
HOSTS = {
    "cpu_percent": ("lab_host_cpu_percent", "CPU of a host; 100 is one processor."),
    "memory_bytes": ("lab_host_memory_bytes", "Memory of a host, bytes."),
}
MACHINE = {
    "cpu_percent": ("lab_machine_cpu_percent", "CPU of the machine in use, percent."),
    "memory_free_bytes": ("lab_machine_memory_free_bytes", "Free memory of the machine, bytes."),
}
WAY = ("lab", "link", "from", "to")


class FeedCollector(Collector):
    """Gives the latest state of a hub as metrics."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield all metrics."""
        latest = self._hub.latest()
        labs = {plain["lab"]: plain for plain in latest if plain["kind"] == "lab"}
        rows = [(plain["lab"], row) for plain in latest if plain["kind"] == "links" for row in plain["rows"]]
        for name, (metric, text) in LINKS.items():
            place = COLUMNS.index(name)
            values = [(_way(labs[lab], row[0], row[1]), row[place]) for lab, row in rows if lab in labs]
            yield family(metric, text, WAY, values)
        for name, (metric, text) in ASKED.items():
            yield family(metric, text, WAY, list(_asked(labs.values(), name)))
        hosts = [plain for plain in latest if plain["kind"] == "host"]
        for name, (metric, text) in HOSTS.items():
            yield family(metric, text, ("lab", "host"), [((h["lab"], h["host"]), h[name]) for h in hosts])
        ended = [((h["lab"], h["host"]), _ended(h)) for h in hosts]
        yield family("lab_host_daemons_ended", "Daemons of a host that have ended.", ("lab", "host"), ended)
        for plain in latest:
            if plain["kind"] == "machine":
                for name, (metric, text) in MACHINE.items():
                    yield family(metric, text, (), [((), plain[name])])
                counts = float(plain["verdict_now"]["counts"])
                yield family("lab_machine_counts", "1 where a sample would count now.", (), [((), counts)])


def family(
    name: str, text: str, labels: Sequence[str], values: Sequence[tuple[Sequence[str], float | None]]
) -> GaugeMetricFamily:
    """Return a metric with its values; those that are not known are left out."""
    made = GaugeMetricFamily(name, text, labels=labels)
    for names, value in values:
        if value is not None:
            made.add_metric(list(names), float(value))
    return made


def registry(hub: Hub) -> CollectorRegistry:
    """Return a registry with the feed alone."""
    made = CollectorRegistry()
    made.register(FeedCollector(hub))
    return made


def address(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT`` or ``PORT``; without a host it is this machine's own.

    Raises:
        UsageError: it is neither.
    """
    host, _, port = text.rpartition(":")
    if not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(f"--prometheus {text}: give HOST:PORT, or a port of 127.0.0.1, such as 9400")
    return host.strip("[]") or "127.0.0.1", int(port)


def _way(lab: Plain, link: int, direction: int) -> tuple[str, str, str, str]:
    found: Mapping[str, Any] = lab["topology"]["links"][link]
    ends = (found["a"], found["b"])
    return (lab["lab"], found["id"], ends[direction], ends[1 - direction])


def _asked(labs: Any, name: str) -> Iterator[tuple[tuple[str, str, str, str], float | None]]:
    for lab in labs:
        for number, link in enumerate(lab["topology"]["links"]):
            yield _way(lab, number, 0), link["asked"][name]
            yield _way(lab, number, 1), link.get("asked_back", link["asked"])[name]


def _ended(host: Plain) -> float:
    return float(sum(daemon["state"] == "ended" for daemon in host["daemons"]))
