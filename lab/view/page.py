"""The page: its files, which are served as they are, and the facts that the server puts into it."""

from __future__ import annotations

import json
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

#: Where the page wants the facts.
PLACE = "<!-- LAB -->"
STATIC = files("lab.view") / "static"


def index() -> str:
    """Return the page's own HTML."""
    return (STATIC / "index.html").read_text("utf-8")


def with_facts(html: str, facts: dict[str, Any], nonce: str) -> str:
    """Return the page with the facts as ``window.LAB``, in a script that the policy allows by `nonce`."""
    script = f'<script nonce="{nonce}">window.LAB = {in_script(facts)};</script>'
    return html.replace(PLACE, script, 1)


def in_script(value: Any) -> str:
    """Return a value as JSON that is harmless inside a script: no name in it can end that."""
    text = json.dumps(value, ensure_ascii=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def static_file(path: str) -> Traversable | None:
    """Return a file of the page; None where there is no such file below the folder."""
    found = STATIC
    for part in path.split("/"):
        if part in ("", ".", "..") or part.startswith("."):
            return None
        found = found / part
    return found if found.is_file() else None
