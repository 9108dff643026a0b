#!/usr/bin/env python3
"""A class exercise: how the window and the round trip bound TCP between two sites.

A sender may have one window of bytes under way and then waits for word of them, one round trip
later. So TCP carries at most window / RTT, whatever the link could. The table has that bound
beside what iperf3 measured, for every window and round trip. The window that counts is the one
that the receiver granted: of the buffer that a program asks for, Linux makes twice as much, and
keeps a part for its own records.

    sudo .venv/bin/python examples/window_and_rtt.py --rtt 10 40 160 --window 16384 65536 262144

Questions: which rows stay the same when the rate is doubled? From which window on is the link the
bound and no longer the window? What does that window have to do with rate × RTT?
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

from lab import Lab
from lab.measure import iperf3
from topologies import point_to_point


@dataclass(frozen=True)
class Row:
    """One measurement: `rtt` in ms, windows in bytes, `rate` of the link and `measured` in Mbit/s."""

    rtt: float
    asked: int
    granted: int
    rate: float
    measured: float

    @property
    def bound(self) -> float:
        """Return what TCP can carry at most, Mbit/s."""
        return min(self.granted * 8 / (self.rtt * 1e3), self.rate)


def measure(rtts: list[float], windows: list[int], seconds: float, rate: float) -> list[Row]:
    """Every window on every round trip."""
    rows = []
    with Lab(point_to_point.topology(rate=rate), overlay="underlay") as lab:
        (a, sender), (b, receiver) = lab.endpoints().items()
        receiver.start(iperf3.SERVER)
        while f":{iperf3.PORT} " not in receiver.run(["ss", "-Hltn"]).stdout:
            pass  # each look takes some tens of ms
        for rtt in rtts:
            lab.link(a, b).change(rtt=rtt)
            for window in windows:
                argv = iperf3.tcp_argv(receiver.address, seconds, omit=1, window=window)
                raw = sender.run(argv, timeout=seconds + 30).stdout
                granted = json.loads(raw)["end"]["streams"][0]["sender"]["max_snd_wnd"]
                rows.append(Row(rtt, window, granted, rate, iperf3.parse_tcp(raw)["received_mbps"]))
    return rows


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rtt", type=float, nargs="+", default=[10.0, 40.0, 160.0], help="ms")
    parser.add_argument("--window", type=int, nargs="+", default=[16384, 65536, 262144], help="bytes")
    parser.add_argument("--seconds", type=float, default=3.0, help="per measurement, after a second of start")
    parser.add_argument("--rate", type=float, default=100.0, help="of the link, Mbit/s")
    asked = parser.parse_args()
    heads = ("RTT, ms", "asked, bytes", "granted", "bound, Mbit/s", "measured", "share")
    print("{:>8} {:>13} {:>9} {:>14} {:>9} {:>6}".format(*heads))
    for row in measure(asked.rtt, asked.window, asked.seconds, asked.rate):
        share = row.measured / row.bound
        print(
            f"{row.rtt:8g} {row.asked:13d} {row.granted:9d} "
            f"{row.bound:14.2f} {row.measured:9.2f} {share:6.0%}"
        )


if __name__ == "__main__":
    main()
