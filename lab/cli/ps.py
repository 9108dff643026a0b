"""lab ps: the labs of this machine, and how they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import typer

from lab.cli.options import AsJson, LabOption, chosen_lab
from lab.cli.process import need_root

HOST_COLUMNS = ["host", "site", "CPUs", "MiB", "endpoints", ""]
LINK_COLUMNS = ["link", "asked ms", "ms", "asked Mbit/s", "Mbit/s", ""]


def command(
    name: Annotated[str, typer.Argument(help="Only this lab.")] = "",
    lab: LabOption = "",
    as_json: AsJson = False,
) -> None:
    """Show the labs that are up: hosts, links, overlays, and processes that died.

    Needs root. For each link it shows what was asked and what was measured.

    Example: sudo lab ps class
    """
    from lab.emulation.registry import find_any, records
    from lab.live.inspect import look

    need_root("ps")
    name = chosen_lab(name, lab)
    known = records()
    seen = [look(record) for record in ([find_any(name, known)] if name else known)]
    if as_json:
        print(json.dumps(seen, indent=1))
        return
    if not seen:
        print("no lab is up")
    for one in seen:
        print("\n".join(lines(one)))


def lines(lab: Mapping[str, Any]) -> Iterator[str]:
    """Yield what was seen of a lab, as lines of aligned text."""
    yield f"lab {lab['name']} ({lab['id']}), made {lab['since']}: {lab['state']}"
    if lab["hosts"]:
        yield from _aligned([HOST_COLUMNS, *(_host_row(lab, host) for host in lab["hosts"])])
    if lab["links"]:
        yield from _aligned([LINK_COLUMNS, *map(_link_row, lab["links"])])
    for overlay in lab["overlays"]:
        mode = ", ".join(f"{key} {value}" for key, value in overlay["mode"].items())
        yield f"  overlay {overlay['name']} on {len(overlay['hosts'])} hosts, when it got ready: {mode}"
    if lab["shaper"] and not lab["shaper"]["up"]:
        yield f"  links carry nothing: {lab['shaper'].get('why', 'the shaper died')}; take the lab down"


def _host_row(lab: Mapping[str, Any], host: Mapping[str, Any]) -> list[str]:
    if not host["up"]:
        return [host["name"], host["site"], "–", "–", "–", f"DEAD: {host.get('why', 'with the machine')}"]
    ends = ", ".join(
        f"{end['overlay']} {end['address']}"
        for overlay in lab["overlays"]
        for end in overlay["endpoints"]
        if end["host"] == host["name"]
    )
    cpus = "–" if host["cpus"] is None else f"{host['cpus']:.2f}"  # a light host has no control group
    unknown = "–" if host["cpus"] is None else "?"
    memory = unknown if host["memory_mib"] is None else f"{host['memory_mib']:.0f}"
    return [host["name"], host["site"], cpus, memory, ends, "; ".join(host["dead"])]


def _link_row(link: Mapping[str, Any]) -> list[str]:
    if "asked_rtt_ms" not in link:
        return [link["name"], "–", "–", "–", "–", "not there"]
    rtt = f"{link['rtt_ms']:.2f}" if link["rtt_ms"] is not None else "–"
    state = ["cut"]
    if link["up"]:
        state = [*{f"loses {share:g} %" for share in link["loss"].values() if share}]
        state += ["no answer"] if link["rtt_ms"] is None else []
    return [
        link["name"],
        f"{link['asked_rtt_ms']:g}",
        rtt,
        _both(link["asked_mbit"], "any"),
        _both(link["mbit"], "0"),
        "; ".join(state),
    ]


def _both(values: Mapping[str, float | None], none: str) -> str:
    """Return a figure per direction; once where both are the same."""
    words = [none if value is None else f"{value:.4g}" for value in values.values()]
    return words[0] if len(set(words)) == 1 else " / ".join(words)


def _aligned(rows: list[list[str]]) -> Iterator[str]:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
