"""lab ping-all: echoes from everybody to everybody."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.options import AsJson, LabName, LabOption, chosen_lab
from lab.cli.process import need_root

if TYPE_CHECKING:
    from lab.live.ping_all import Pair


def command(
    name: LabName = "",
    lab: LabOption = "",
    overlay: Annotated[str, typer.Option("--overlay", help="Only this overlay; all by default.")] = "",
    count: Annotated[int, typer.Option("--count", "-c", min=1, help="Echoes per pair.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Ping between all endpoints of each overlay, or between neighbours where there is no overlay.

    Needs root. The exit code is 1 if an answer was lost.

    Example: sudo lab ping-all --overlay flannel
    """
    from lab.app.ping_all import ping_endpoints
    from lab.live.session import Session

    need_root("ping-all")
    rows = asyncio.run(ping_endpoints(Session.attach(chosen_lab(name, lab)), overlay, count))
    if as_json:
        pairs = [{"overlay": what, **asdict(pair)} for what, found in rows.items() for pair in found]
        print(json.dumps({"pairs": pairs}, indent=1))
    else:
        for what, found in rows.items():
            _show(what, found)
    sys.exit(any(pair.lost for found in rows.values() for pair in found))


def _show(what: str, found: Sequence[Pair]) -> None:
    print(what)
    for pair in found:
        rtt = "no answer" if pair.rtt_ms is None else f"{pair.rtt_ms:.2f} ms"
        print(f"  {pair.a}–{pair.b}  {rtt}" + (f", {pair.lost} of {pair.sent} lost" if pair.lost else ""))
