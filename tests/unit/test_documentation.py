"""Links between the pages of the documentation lead somewhere."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import pytest

from tests.paths import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("lab/**/*.md")])
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
CODE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)


@lru_cache
def anchors(page: Path) -> frozenset[str]:
    """The places of a page that a link can name: its headings, as a reader's program names them, and ids."""
    text = CODE.sub("", page.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    words = (re.sub(r"\]\([^)]*\)|[`*\[]", "", heading).strip().lower() for heading in headings)
    slugs = {re.sub(r"[^\w\- ]", "", one).replace(" ", "-") for one in words}
    return frozenset(slugs | set(re.findall(r'id="([^"]+)"', text)))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    lost = []
    for link in LINK.findall(CODE.sub("", page.read_text())):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            lost.append(link)
    assert lost == []
