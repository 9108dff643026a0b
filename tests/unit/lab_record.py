"""The record of a lab that needs no machine."""

from __future__ import annotations

import json
import os
from dataclasses import asdict

from lab.emulation.ownership import LabState, Process
from lab.emulation.registry import HostRecord, OverlayRecord, Record, claim
from topologies import ring


def a_lab(name: str = "class") -> Record:
    """The record of a ring whose hosts are this very process."""
    topology = ring.topology().pinned()
    made = claim(LabState.create().lab_id, name)
    me = Process.of(os.getpid())
    made.topology, made.shaper = json.loads(json.dumps(topology.to_dict())), "netem"
    made.hosts = [
        HostRecord(
            h.name, h.number, h.site, topology.addresses(h.name), f"lab-x-{h.name}", "id", me.pid, me.started
        )
        for h in topology.hosts
    ]
    made.links = json.loads(json.dumps([asdict(link) for link in topology.links]))
    made.overlays = [OverlayRecord("weave:mode=sleeve", ("AMS",), {"mode": "sleeve"}, ({"host": "AMS"},))]
    made.save()
    return made
