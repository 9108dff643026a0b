"""The guard of the page's server: the token, and that the question comes from a page of this machine."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

#: The header that has the token of a request which changes something.
HEADER = "x-lab-token"
NAMES = ("127.0.0.1", "localhost")
#: Files of the package, which anybody may have.
OPEN = "/static/"
#: Bytes of a request's body at most.
LARGEST = 1 << 16


class Guard:
    """Lets no request pass without the token, from another site, or to another name of this machine.

    Another site's page can make a browser ask this server, also by a name of its own that leads here (DNS
    rebinding). So Host and Origin must be this machine's own address; and a request that changes something
    has its token in a header, which no form and no link can have.
    """

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self._app, self._token = app, token
        self._hosts = {f"{name}:{port}" for name in NAMES}
        self._origins = {f"http://{host}" for host in self._hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan" or not (fault := self.fault(scope)):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(code=1008, reason=fault)(scope, receive, send)
        else:
            await JSONResponse({"error": fault}, status_code=403)(scope, receive, send)

    def fault(self, scope: Scope) -> str:
        """Return the reason why a request is refused; "" for one that may pass."""
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        if headers.get("host", "") not in self._hosts:
            return "this page is for the browser of its own machine, at 127.0.0.1"
        if "origin" in headers and headers["origin"] not in self._origins:
            return "another site's page may not ask this server"
        if scope["path"].startswith(OPEN) and scope["type"] == "http" and scope["method"] in ("GET", "HEAD"):
            return ""
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            return self._fault_of_change(headers)
        if scope["type"] == "websocket" and "origin" not in headers:
            return "a terminal is for the page alone"
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token", [headers.get(HEADER, "")])[0]
        return self._fault_of_token(given)

    def _fault_of_change(self, headers: dict[str, str]) -> str:
        if headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return "a request that changes something has a body of JSON"
        length = headers.get("content-length", "")
        if not length.isdigit() or int(length) > LARGEST:
            return f"a request has at most {LARGEST} bytes, and says how many"
        return self._fault_of_token(headers.get(HEADER, ""))

    def _fault_of_token(self, given: str) -> str:
        if secrets.compare_digest(given.encode(), self._token.encode()):
            return ""
        return "the token is missing or wrong; use the address that 'lab view' printed"
