"""Orders of a page that was opened with ``--control``: change a link, capture packets."""

from __future__ import annotations

import asyncio
import re
import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from lab.emulation.emulation import Emulation
from lab.emulation.registry import Record
from lab.errors import LabError, UnknownName
from lab.feed import flows
from lab.feed.watch import stamped
from lab.live.capture import Capture, CapturePoint, Limits, Writer, capture_points, open_sockets
from lab.live.enter import endpoints
from lab.view.questions import body, shown_lab, word
from lab.view.shell import shell_route

#: Parameters of a link by the fields of an order.
PARAMETERS = {"delay_ms": "delay", "rate_mbit_s": "rate", "loss_percent": "loss"}
#: Seconds and bytes of a capture at most, and captures that are kept.
LONGEST, LARGEST, KEPT = 600.0, 256 << 20, 8
FILE = re.compile(r"[A-Za-z0-9_.-]+\.pcapng")


async def _link(request: Request) -> Response:
    asked = await body(request)
    lab = Emulation.attach(shown_lab(request, word(asked, "lab", "")).lab_id)
    return JSONResponse(await change(lab, word(asked, "id"), asked))


async def change(lab: Emulation, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Change a link as asked, and return the settings of that direction as they read back.

    Raises:
        LabError: the link, the host or the values are none; nothing was changed.
    """
    links, sender = lab.running_links(), asked.get("from") or None
    link = links.find(name)
    if sender not in (None, link.a, link.b):
        raise UnknownName(f"end of link {link.name}", str(sender), (link.a, link.b))
    values = {parameter: number(asked, name) for name, parameter in PARAMETERS.items() if name in asked}
    down = asked.get("down")
    if not isinstance(down, bool | None):
        raise LabError("'down' is true or false")
    if not values and down is None:
        raise LabError(f"give {', '.join(PARAMETERS)} or down")
    if values:
        await links.change(link.name, values, sender)
    if down is not None:
        await (links.set_down if down else links.set_up)(link.name)
    await links.check()
    both = flows.asked(lab.shaper.states[link.name])
    return dict(both.get("asked_back", both["asked"]) if sender == link.b else both["asked"])


def number(asked: Mapping[str, Any], name: str) -> float | None:
    """Return a field that is a number; None for no rate.

    Raises:
        LabError: it is none.
    """
    found = asked[name]
    if found is None and name == "rate_mbit_s":
        return None
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise LabError(f"{name} is a number")
    return float(found)


class Captures:
    """Captures of this server, in a folder that it removes at its end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="lab-view-")

    async def capture(self, request: Request) -> Response:
        """Capture for some seconds, and return the name of the file."""
        asked = await body(request)
        record = shown_lab(request, word(asked, "lab", ""))
        seconds = number(asked, "seconds") if "seconds" in asked else 10.0
        if seconds is None or not 0 < seconds <= LONGEST:
            raise LabError(f"a capture takes up to {LONGEST:g} seconds")
        place = self._place(record, asked)
        name = f"{record.name}-{re.sub('[^A-Za-z0-9_.-]', '_', place)}-{secrets.token_hex(3)}.pcapng"
        packets = await asyncio.to_thread(self._run, capture_points(record, place), name, seconds)
        text = f"captured {packets} packets of {place}"
        request.app.state.hub.publish([stamped("event", level="info", text=text, lab=record.name)])
        return JSONResponse({"name": name, "packets": packets})

    async def download(self, request: Request) -> Response:
        """Return a capture's file."""
        name = request.path_params["name"]
        path = Path(self._folder.name) / name
        if not FILE.fullmatch(name) or not path.is_file():
            raise HTTPException(404, "there is no such capture (any more)")
        return FileResponse(path, media_type="application/octet-stream", filename=name)

    def _place(self, record: Record, asked: Mapping[str, Any]) -> str:
        """Return the link or the host; an endpoint is captured at its host."""
        if "id" in asked:
            return word(asked, "id")
        name = word(asked, "endpoint")
        known = {end["container"]: str(end["host"]) for end in endpoints(record)}
        if name not in known:
            raise UnknownName("endpoint", name, known)
        return known[name]

    def _run(self, where: list[CapturePoint], name: str, seconds: float) -> int:
        folder = Path(self._folder.name)
        old = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in old[: max(0, len(old) - KEPT + 1)]:
            path.unlink()
        with open_sockets(where) as sockets, (folder / name).open("xb", buffering=0) as file:
            capture = Capture(where, sockets, Writer(file, name), Limits(seconds, LARGEST))
            capture.run()
        return capture.packets


def routes() -> list[BaseRoute]:
    """Return the orders of the page, as routes of the server."""
    captures = Captures()
    return [
        Route("/link", _link, methods=["POST"]),
        Route("/capture", captures.capture, methods=["POST"]),
        Route("/capture/{name}", captures.download),
        shell_route(),
    ]


def refused() -> list[BaseRoute]:
    """Return the same routes for a page without control: each refuses."""
    return [
        Route(path, _refuse, methods=["GET", "POST"]) for path in ("/link", "/capture", "/capture/{name}")
    ]


async def _refuse(_: Request) -> Response:
    text = "this page may only look; start it with 'lab view --control' to change the lab"
    return JSONResponse({"error": text}, status_code=403)
