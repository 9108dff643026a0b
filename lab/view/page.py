"""The page that shows labs and runs: the form that is served, and one file that holds a recording."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lab.errors import LabError

STATIC = Path(__file__).parent / "static"
#: What a served page may load. xterm.js makes an element for its styles, so styles may be in the page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_SAVED_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'unsafe-inline'; img-src blob: data:; "
    "base-uri 'none'; form-action 'none'"
)
_DATA = '<script type="application/json" id="{name}">{data}</script>'
_SETTINGS = _DATA.format(name="page", data="{}")
_STYLE = '<link rel="stylesheet" href="static/view.css">'
_SCRIPT = '<script type="module" src="static/view.js"></script>'
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./([a-z_]+\.js)";\n', re.MULTILINE)


def live(control: bool = False) -> str:
    """Return the HTML for a server that has `STATIC` at ``static/``; with `control`, it can change labs."""
    settings = _DATA.format(name="page", data=_safe({"mode": "live", "control": control}))
    return _replaced(_read("index.html"), {_SETTINGS: settings})


def saved(lines: Iterable[bytes]) -> str:
    """Return one HTML file that plays a recording: objects of the feed, one a line, in order.

    Raises:
        LabError: the recording is empty.
    """
    recording = b"\n".join(line.strip() for line in lines if line.strip())
    if not recording:
        raise LabError("The recording has no objects, so there is nothing to show; record a run first.")
    packed = base64.b64encode(gzip.compress(recording, mtime=0)).decode()
    script = "".join(_modules("view.js", set()))
    policy = _SAVED_POLICY.format(script=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode())
    policy = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    data = [
        _DATA.format(name="page", data=_safe({"mode": "recorded", "control": False})),
        _DATA.format(name="recording", data=_safe({"encoding": "gzip, base64", "data": packed})),
    ]
    parts = {
        _SETTINGS: "\n".join(data),
        _STYLE: f"{policy}\n<style>\n{_read('view.css')}</style>",
        _SCRIPT: f'<script type="module">{script}</script>',
    }
    return _replaced(_read("index.html"), parts)


def _modules(name: str, done: set[str]) -> Iterator[str]:
    """A module after those that it imports, all as parts of one: their top-level names differ."""
    done.add(name)
    text = _read(name)
    for other in _IMPORT.findall(text):
        if other not in done:
            yield from _modules(other, done)
    yield f"// {name}\n" + re.sub(r"^export ", "", _IMPORT.sub("", text), flags=re.MULTILINE)


def _replaced(page: str, parts: dict[str, str]) -> str:
    for old, new in parts.items():
        head, found, rest = page.partition(old)
        if not found:
            raise LabError(f"The page's own file {STATIC / 'index.html'} lacks {old!r}; install lab again.")
        page = head + new + rest
    return page


def _safe(data: Any) -> str:
    """JSON that ends no script element, whatever is in it."""
    return json.dumps(data).replace("<", "\\u003c")


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
