"""Reaching from node to node: ping and iperf, with the lab's own programs in the nodes' networks.

So images need neither of them, nor does this machine, and what is measured is the network.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from subprocess import Popen
from time import monotonic, sleep
from typing import Any

from mininet.log import output
from mininet.net import Mininet

from lab.emulation.links import icmp
from lab.emulation.links.netns import OWN_MODULES
from lab.errors import LabError

#: How long a server may take to listen, and an answer to a ping without `timeout` (s).
PATIENCE = 10.0


class PingIperf(Mininet):
    """Mininet's ping and iperf."""

    def ping(
        self, hosts: Sequence[Any] | None = None, timeout: Any = None, manualdestip: str | None = None
    ) -> float:
        """Ping among hosts, or from each to `manualdestip`; returns the loss in percent.

        Args:
            hosts: all of the network if None.
            timeout: s to wait for an answer.
            manualdestip: an address.
        """
        pairs = self._pings(hosts, timeout, manualdestip)
        sent = sum(result[0] for _, _, result in pairs)
        lost = sent - sum(result[1] for _, _, result in pairs)
        if not sent:
            output("*** Warning: No packets sent\n")
            return 0.0
        loss: float = 100.0 * lost / sent
        output(f"*** Results: {loss:.0f}% dropped ({sent - lost}/{sent} received)\n")
        return loss

    def pingFull(
        self, hosts: Sequence[Any] | None = None, timeout: Any = None, manualdestip: str | None = None
    ) -> list[tuple[Any, Any, tuple[Any, ...]]]:
        """As `ping`; returns (from, to, (sent, received, min, avg, max, mdev in ms)) of each pair."""
        pairs = self._pings(hosts, timeout, manualdestip)
        output("*** Results: \n")
        for source, target, result in pairs:
            sent, received, *times = result
            words = "/".join(f"{time:.3f}" for time in times)
            output(f" {source}->{target}: {sent}/{received}, rtt min/avg/max/mdev {words} ms\n")
        return pairs

    def _pings(self, hosts: Sequence[Any] | None, timeout: Any, manualdestip: str | None) -> list[Any]:
        nodes = list(self.hosts if hosts is None else hosts)
        results = []
        for node in nodes:
            output(f"{node.name} -> ")
            for target in [manualdestip] if manualdestip else [n for n in nodes if n is not node]:
                address = target if isinstance(target, str) else target.IP() if target.intfs else None
                result = self._ping(node, address, timeout) if address else (0, 0, 0, 0, 0, 0)
                results.append((node, target, result))
                output(f"{target} " if result[1] else "X ")
            output("\n")
        return results

    def _ping(self, node: Any, address: str, timeout: Any) -> tuple[Any, ...]:
        """One echo, timed by the kernel."""
        argv = icmp.command(node.namespace, address, 1, 1.0, float(timeout or PATIENCE))
        done = self.backend.run(argv, on=node.name, check=False, env=OWN_MODULES)
        rtt = icmp.parse(done.stdout)[0] if done.status == 0 else None
        return (1, 0, 0.0, 0.0, 0.0, 0.0) if rtt is None else (1, 1, rtt, rtt, rtt, 0.0)

    def iperf(
        self,
        hosts: Sequence[Any] | None = None,
        l4Type: str = "TCP",
        udpBw: str = "10M",
        fmt: str | None = None,
        seconds: int = 5,
        port: int = 5001,
    ) -> list[str]:
        """Throughput from the first to the second of two hosts, by iperf3.

        Returns:
            What the server received and the client sent, in words; for UDP after `udpBw`.

        Raises:
            LabError: iperf3 is missing, or could not connect.
        """
        client, server = hosts or (self.hosts[0], self.hosts[-1])
        output(f"*** Iperf: testing {l4Type} bandwidth between {client} and {server}\n")
        udp = ["-u", "-b", udpBw] if l4Type == "UDP" else []
        listener = server.start_tool("iperf3", "-s", "-1", "-p", str(port))
        try:
            self._await_listener(server, port, listener)
            argv = ["iperf3", "-c", server.IP(), "-p", str(port), "-t", str(seconds), *udp, "-J"]
            full = [*self.backend.tools_argv(client.namespace), *argv]
            report = json.loads(self.backend.run(full, check=False, timeout=seconds + 60).stdout or "{}")
        finally:
            listener.terminate()
            listener.wait()
        if "error" in report or "end" not in report:
            raise LabError(f"iperf from {client} to {server}: {report.get('error', 'iperf3 said nothing')}")
        end = report["end"]
        both = [end.get(key, end.get("sum", {})) for key in ("sum_received", "sum_sent")]
        result = [_rate(one["bits_per_second"], fmt) for one in both]
        output(f"*** Results: {result}\n")
        return [udpBw, *result] if l4Type == "UDP" else result

    def _await_listener(self, server: Any, port: int, listener: Popen[Any]) -> None:
        deadline = monotonic() + PATIENCE
        while f":{port} " not in server.tool("ss", "-Hltn").stdout:
            if listener.poll() is not None or monotonic() > deadline:
                raise LabError(f"iperf: no server on {server}, port {port}; is the port free?")
            sleep(0.02)


def _rate(bits: float, fmt: str | None = None) -> str:
    """``9.55 Mbits/sec``, in the unit that fits or that `fmt` (k, m, g) names."""
    units = {"k": (1e3, "K"), "m": (1e6, "M"), "g": (1e9, "G")}
    fits = "g" if bits >= 1e9 else "m" if bits >= 1e6 else "k"
    size, letter = units[(fmt or fits).lower()]
    return f"{bits / size:.3g} {letter}bits/sec"
