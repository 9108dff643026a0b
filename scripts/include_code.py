"""Put a file's code into a page, part by part: ``python -m scripts.include_code [--check] PAGE``.

A page says ``<!-- code FILE -->`` for each file, and before each block of code ``<!-- from TEXT -->``. A part
begins at the first line that begins with TEXT, and ends where the next part begins; the first begins where
the file does.
"""

from __future__ import annotations

import re
import sys
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_FILE = re.compile(r"<!-- code (\S+) -->")
_PART = re.compile(r"<!-- from (.+?) -->\n```(\w+)\n.*?```\n", re.DOTALL)


def included(page: str) -> str:
    """Return a page with today's code in its blocks.

    Raises:
        SystemExit: the page names no file, or a part that the file does not have, or not in its order.
    """
    head, *texts = re.split(r"(?=<!-- code )", page)
    if not texts:
        raise SystemExit("the page does not say <!-- code FILE -->")
    return head + "".join(map(_with_code, texts))


def _with_code(page: str) -> str:
    """Return what a page has of one file, with today's code in its blocks."""
    named = _FILE.match(page)
    if named is None:
        raise SystemExit("the page does not say <!-- code FILE -->")
    text = (ROOT / named[1]).read_text()
    starts = [found[1] for found in _PART.finditer(page)]
    places = [0, *(_place(text, start) for start in starts[1:]), len(text)]
    if places != sorted(places):
        raise SystemExit(f"the parts are not in the order of {named[1]}")
    parts = iter(text[a:b].strip("\n") for a, b in pairwise(places))
    return _PART.sub(lambda found: f"<!-- from {found[1]} -->\n```{found[2]}\n{next(parts)}\n```\n", page)


def _place(text: str, start: str) -> int:
    found = re.search(rf"^ *{re.escape(start)}", text, re.MULTILINE)
    if found is None:
        raise SystemExit(f"no line of the file begins with {start!r}")
    return found.start()


def main(argv: list[str]) -> None:
    """Write the page again; with ``--check``, end with status 1 where it would change."""
    check, (name,) = "--check" in argv, [word for word in argv if word != "--check"]
    page = Path(name)
    before, now = page.read_text(), included(page.read_text())
    if check and now != before:
        raise SystemExit(f"{page} is out of date: python -m scripts.include_code {page}")
    if not check:
        page.write_text(now)


if __name__ == "__main__":
    main(sys.argv[1:])
