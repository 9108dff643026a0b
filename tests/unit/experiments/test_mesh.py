"""The mesh: what is offered to its circuits."""

from __future__ import annotations

from dataclasses import replace

from experiments import mesh
from lab import catalog


def test_datagrams_are_offered_at_the_rate_of_the_links() -> None:
    """More than a link carries was offered once: of two fragments hardly ever both came through."""
    topology = catalog.topology("full_mesh")
    for rate, offered in ((50.0, "50M"), (None, "1000M")):
        profile = replace(mesh.Mesh.profiles["quick"], rate=rate)
        cells = mesh.Mesh().cells(topology, "underlay", profile)
        argv = mesh.Mesh.tools["udp1470"].argv("192.0.2.1", next(c for c in cells if c.metric == "udp1470"))
        assert argv[argv.index("-b") + 1] == offered
