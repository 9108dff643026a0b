"""The server of the page: on this machine's own address only, and only for those who have its token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from lab.errors import LabError, UnknownName
from lab.feed.hub import Hub
from lab.feed.source import FeedSource, pump
from lab.view import page
from lab.view.guard import Guard

#: A comment is sent so often (s) while there is nothing new, so that a browser that has gone is noticed.
BEAT = 15.0


@dataclass(frozen=True)
class PageServer:
    """The server of one page.

    Attributes:
        sources: looked at once an `interval` (s).
        token: 128 bits or more from `secrets`; who has it may look, and with `control` change.
        port: where the server listens, for the check of the Host header.
        control: show the controls of the page.
        lab: the name of the lab that questions and orders are about; "" for a page without one.
        routes: answers to questions and orders of the page.
    """

    sources: Sequence[FeedSource]
    token: str
    port: int
    interval: float = 1.0
    control: bool = False
    lab: str = ""
    routes: Sequence[BaseRoute] = ()

    def app(self) -> Starlette:
        """Return the application."""
        hub = Hub()

        @asynccontextmanager
        async def life(_: Starlette) -> AsyncIterator[None]:
            task = asyncio.create_task(pump(self.sources, hub, self.interval))
            yield
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        routes = [
            Route("/", self._index),
            Mount("/static", StaticFiles(directory=page.STATIC)),
            Route("/events", partial(_events, hub)),
            *self.routes,
        ]
        app = Starlette(
            routes=routes,
            lifespan=life,
            middleware=[Middleware(Guard, token=self.token, port=self.port)],
            exception_handlers={LabError: _lab_error},
        )
        app.state.hub, app.state.lab = hub, self.lab
        return app

    async def _index(self, _: Request) -> Response:
        headers = {
            "Content-Security-Policy": page.POLICY,
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return HTMLResponse(page.live(self.control), headers=headers)


async def _events(hub: Hub, _: Request) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(hub), media_type="text/event-stream", headers=headers)


async def stream(hub: Hub) -> AsyncIterator[str]:
    """Yield server-sent events until the reader goes. A slow reader gets the last state of each thing."""
    reader = hub.join()
    try:
        while not hub.over:
            try:
                items = await asyncio.wait_for(reader.take(), BEAT)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            yield "".join(f"data: {item.text}\n\n" for item in items)
    finally:
        hub.leave(reader)


async def _lab_error(_: Request, error: Exception) -> Response:
    status = 404 if isinstance(error, UnknownName) else 400
    return JSONResponse({"error": str(error)}, status_code=status)
