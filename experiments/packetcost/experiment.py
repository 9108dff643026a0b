"""Packetcost: the instructions that a datagram costs on its way through the kernel, by overlay.

The studies saw overlays cost CPU (Zismer 2016, section 5.1; Hermans & de Niet 2016). This counts it: an
emulated machine whose clock is its instructions sends datagrams between two hosts that are network
namespaces, on paths as overlays lay them, without any daemon. Run it with `lab packetcost`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.common.claims import FILES
from experiments.packetcost import guest, results
from experiments.packetcost.guest import PATHS, SIZES, SIZES_AGAIN, STATES, TCP, UDP, WITH_OPENVSWITCH
from lab.icount.machine import Guest
from lab.icount.profile import SEND_SYMBOLS
from lab.report import charts
from lab.report.presentation import PresentedExperiment
from lab.report.tables import Table
from lab.runs.boxed import BoxedExperiment
from lab.runs.experiment import Cell, Profile
from lab.runs.run_folder import StoredRun
from lab.topology import Topology

METRICS = (UDP, TCP, WITH_OPENVSWITCH)


def _profile(name: str, boots: int, why: str) -> Profile:
    return Profile(name, dict.fromkeys(METRICS, 1), dict.fromkeys(METRICS, 0.0), why=why, bring_ups=boots)


class PacketCost(BoxedExperiment, PresentedExperiment):
    """Two hosts on a wire in a machine that counts instructions; every bring-up is a boot."""

    name = "packetcost"
    verb = "packetcost"
    claims_files = FILES
    summary = "instructions per datagram and byte, by overlay"
    source = "Zismer 2016, sections 5.1.2 and 5.1.3; Hermans & de Niet 2016; ours"
    topology = "point_to_point:a=AMS,b=AMS"
    overlays = tuple(PATHS)
    profiles = {  # noqa: RUF012  as the other experiments have it
        "quick": _profile("quick", 2, "two boots show that the figures are exact"),
        "paper": _profile("paper", 10, "ten boots"),
    }
    claims = results.CLAIMS
    charts = results.CHARTS

    def cells(self, topology: Topology, overlay: str, profile: Profile) -> Sequence[Cell]:
        """Datagrams of four sizes, TCP with and without offload, and two sizes with openvswitch loaded."""
        grid = [
            *(guest.udp_cell(overlay, size) for size in SIZES),
            *(guest.tcp_cell(overlay, state) for state in STATES),
            *(guest.udp_cell(overlay, size, WITH_OPENVSWITCH) for size in SIZES_AGAIN),
        ]
        return [replace(c, repetitions=profile.repetitions[c.metric], seconds=0.0) for c in grid]

    async def guest(self) -> Guest:
        return await guest.guest()

    def rows(self, console: str) -> Mapping[str, str]:
        return guest.rows(console)

    def parse(self, metric: str, raw: str) -> Mapping[str, float]:
        return guest.parse(metric, raw)

    async def profiled(self, path: str, count: int) -> Guest:
        cell = guest.udp_cell(path, results.PROFILED_SIZE)
        line = guest.packet(cell, "both", path, results.PROFILED_SIZE, count)
        script = f"{guest.WORLD.read_text()}\n{line}\n{SEND_SYMBOLS}"
        return replace(await guest.guest(), script=script)

    def sent(self, count: int) -> int:
        return count + count // 10 + 20  # as packet.c warms up

    def tables(self, run: StoredRun) -> Sequence[Table]:
        own = [charts.table(run, chart) for chart in self.charts]
        return [*own, results.beside_published(run), *results.code(run)]

    def figures(self, run: StoredRun, folder: Path) -> Sequence[Path]:
        return [file for chart in self.charts for file in charts.draw(run, chart, folder)]
