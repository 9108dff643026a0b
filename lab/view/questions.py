"""Questions of the page: a path, an echo. They send some packets, as anybody may who can look."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import networkx as nx
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lab.emulation.registry import Record, find
from lab.emulation.shaper_choice import find as find_shaper
from lab.errors import LabError, UnknownName
from lab.feed.watch import stamped
from lab.hosts import command
from lab.hosts.command import FullEnvironment
from lab.live.enter import entry
from lab.measure import ping
from overlays import registry

#: Echoes that find a path, and seconds between two of them.
ECHOES, BETWEEN = 12, 0.02
#: Seconds for the last answer.
PATIENCE = 2


def shown_lab(request: HTTPConnection, named: str) -> Record:
    """Return the lab of this page, which a request may name.

    Raises:
        LabError: it names another one, or the page has none.
    """
    lab = str(request.app.state.lab)
    if not lab:
        raise LabError("this page shows a run, and its lab is not here")
    if named not in ("", lab):
        raise UnknownName("lab of this page", named, [lab])
    return find(lab)


async def body(request: Request) -> Mapping[str, Any]:
    """Return the JSON object of a request.

    Raises:
        LabError: it is none.
    """
    try:
        found = json.loads(await request.body())
    except ValueError as error:
        raise LabError(f"the body of {request.url.path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise LabError(f"the body of {request.url.path} is no JSON object")
    return found


def word(values: Mapping[str, Any], name: str, default: str | None = None) -> str:
    """Return a field that is text.

    Raises:
        LabError: it is missing, or is no text.
    """
    found = values.get(name, default)
    if not isinstance(found, str):
        raise LabError(f"{name!r} is missing, or is no text")
    return found


async def echoes(record: Record, overlay: str, sender: str, target: str, count: int) -> list[float]:
    """Return the round trips (ms) of `count` echoes between two hosts, over an overlay or over the links.

    Raises:
        UnknownName: there is no such host, overlay or endpoint.
        HostError: the host has ended.
    """
    address = address_of(record, overlay, sender, target)
    way = entry(record, f"{sender}/{overlay.partition(':')[0]}" if overlay else sender)
    argv = ["ping", "-n", "-c", str(count), "-i", str(BETWEEN), "-W", str(PATIENCE), address]
    env = FullEnvironment(way.environment(), {})
    done = await command.run(way.command(argv), env=env, check=False, timeout=10 + count * BETWEEN)
    return [reply.rtt for reply in ping.replies(done.stdout)]


def address_of(record: Record, overlay: str, sender: str, target: str) -> str:
    """Return the address of a host for another one: its endpoint's on an overlay, or one of its own.

    Raises:
        UnknownName: there is no such host or overlay.
    """
    hosts = {host.name: host for host in record.hosts}
    for name in (sender, target):
        if name not in hosts:
            raise UnknownName("host", name, hosts)
    if overlay:
        return _endpoint(record, overlay, sender, target)
    for link in record.links:  # over their own link, where there is one
        ends = {link["a"]: link["address_a"], link["b"]: link["address_b"]}
        if ends.keys() == {sender, target}:
            return str(ends[target])
    return hosts[target].addresses[0]


def _endpoint(record: Record, overlay: str, sender: str, target: str) -> str:
    specs = {one.spec: {end["host"]: end for end in one.endpoints} for one in record.overlays}
    if overlay not in specs:
        raise UnknownName(f"overlay of lab {record.name}", overlay, specs)
    if target not in specs[overlay]:
        raise UnknownName(f"endpoint of {overlay} on", target, specs[overlay])
    end = specs[overlay][target]
    return str(end["neighbours"].get(sender, end["address"]))


async def path(record: Record, overlay: str, sender: str, target: str) -> dict[str, Any]:
    """Find the path of packets: which links carried some echoes, by their counters."""
    shaper = find_shaper(record.shaper)(record.lab_id, record.state.folder / "shaper")
    gauge, states = await asyncio.to_thread(shaper.gauge), dict(shaper.states)
    try:
        before = await asyncio.to_thread(gauge.read, states)
        got = await echoes(record, overlay, sender, target, ECHOES)
        after = await asyncio.to_thread(gauge.read, states)
    finally:
        gauge.close()
    if not got:
        return {"underlay": None, "overlay": None, "why": f"{target} does not answer {sender}"}
    ends = {link["name"]: (link["a"], link["b"]) for link in record.links}
    carried: nx.DiGraph[str] = nx.DiGraph()
    for name in before.keys() & after.keys() & ends.keys():
        a, b = ends[name]
        for (start, end), was, now in zip(((a, b), (b, a)), before[name], after[name], strict=True):
            if now.packets - was.packets >= ECHOES:
                carried.add_edge(start, end)
    return answer(carried, record, overlay, sender, target)


def answer(
    carried: nx.DiGraph[str], record: Record, overlay: str, sender: str, target: str
) -> dict[str, Any]:
    """Return the path through the links that carried the echoes, and the overlay's own hops on it."""
    if not {sender, target} <= set(carried) or not nx.has_path(carried, sender, target):
        return {"underlay": None, "overlay": None, "why": "no links carried as many packets as were sent"}
    links: list[str] = nx.shortest_path(carried, sender, target)
    found: dict[str, Any] = {"underlay": links, "overlay": None}
    if overlay:
        forwards = registry.parse(overlay).hops == "overlay"
        found["overlay"] = links if forwards else [sender, target]
    more = carried.number_of_edges() - 2 * (len(links) - 1)
    if more > 0:
        found["why"] = "other traffic passed at the same time, so this is the shortest path that fits"
    return found


async def _path(request: Request) -> Response:
    asked = dict(request.query_params)
    record = shown_lab(request, word(asked, "lab", ""))
    sender, target = word(asked, "from"), word(asked, "to")
    return JSONResponse(await path(record, word(asked, "overlay", ""), sender, target))


async def _ping(request: Request) -> Response:
    asked = await body(request)
    record = shown_lab(request, word(asked, "lab", ""))
    sender, target, overlay = word(asked, "from"), word(asked, "to"), word(asked, "overlay", "")
    got = await echoes(record, overlay, sender, target, 1)
    rtt = round(got[0], 3) if got else None
    plain = {"lab": record.name, "from": sender, "to": target, "rtt_ms": rtt}
    request.app.state.hub.publish([stamped("ping", **plain)])
    return JSONResponse({"rtt_ms": rtt, **({} if got else {"error": f"{target} does not answer {sender}"})})


def routes() -> list[BaseRoute]:
    """Return the questions of the page, as routes of the server."""
    return [Route("/path", _path), Route("/ping", _ping, methods=["POST"])]
