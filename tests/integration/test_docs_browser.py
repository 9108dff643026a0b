"""The documentation's site in a real browser: nothing to complain of, on a desktop and on a phone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import docs_site
from tests.integration import browser
from tests.paths import ROOT

pytest.importorskip("zensical", reason="make setup-tests installs it")
pytestmark = pytest.mark.skipif(
    browser.program() is None, reason="needs Chromium: apt-get install chromium-headless-shell"
)
SITE = ROOT / "build/site"
DESKTOP, PHONE = 1280, 390
#: One page of every kind: cards, code, wide tables, figures, the program's help, docstrings.
PAGES = (
    "index.html",
    "tutorials/own-topology-flannel.html",
    "explanation/comparison.html",
    "reference/experiments/multihop.html",
    "reference/cli/options.html",
    "reference/python-calls.html",
)


@pytest.fixture(scope="module")
def site() -> Path:
    assert docs_site.main() == 0
    return SITE


@pytest.fixture(scope="module")
def tab(site: Path) -> Iterator[browser.Tab]:
    with browser.browser() as opened:
        yield opened


def test_pages_of_each_folder_load_without_complaint_and_ask_the_network_for_nothing(
    tab: browser.Tab, site: Path
) -> None:
    pages = sorted({*site.rglob("*.html")} - {site / "404.html"})  # that one needs a server
    folders = {page.parent: page for page in pages}
    for page in {*folders.values(), *(site / name for name in PAGES)}:
        tab.open(page, DESKTOP)
        assert tab.complaints == [], page
        images = tab.value("[...document.images].map(i => [i.complete && i.naturalWidth > 50, i.alt, i.src])")
        assert all(drawn and alt for drawn, alt, _ in images), (page, images)
        assert tab.value("document.title.length > 0 && document.querySelectorAll('h1').length == 1"), page
    assert {url.split(":", 1)[0] for url in tab.requests} <= {"file", "data", "blob"}


@pytest.mark.parametrize(("width", "dark"), [(DESKTOP, False), (PHONE, True)])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits_and_can_be_read(tab: browser.Tab, site: Path, page: str, width: int, dark: bool) -> None:
    tab.open(site / page, width, 900, dark)
    assert tab.value("document.documentElement.scrollWidth") <= width
    assert tab.value("parseFloat(getComputedStyle(document.querySelector('article p')).fontSize)") >= 14
    colours = "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number)"
    assert (sum(tab.value(colours)) < 3 * 128) == dark
    assert tab.complaints == []


def test_a_block_of_code_is_copied_by_keyboard(tab: browser.Tab, site: Path) -> None:
    tab.open(site / "quickstart.html", DESKTOP)
    button = "document.querySelector('article button[data-md-type=copy]')"
    assert until(tab, f"Boolean({button})")
    # the text goes by way of a field that is selected and gone again at once
    tab.value("addEventListener('focusin', e => window.copied ??= e.target.value, true)")
    tab.value(f"{button}.focus(), window.copied = null")
    tab.press("Enter")
    assert until(tab, "document.body.innerText.includes('Copied to clipboard')")
    assert tab.value("window.copied") == "lab show linear"


def test_the_search_finds_a_page_without_a_server(tab: browser.Tab, site: Path) -> None:
    tab.open(site / "index.html", DESKTOP)
    assert until(tab, "document.querySelector('.md-search__button') && document.readyState === 'complete'")
    tab.value("new Promise(r => setTimeout(r, 500))")  # until the button has its listener
    tab.value("document.querySelector('.md-search__button').click()")
    assert until(tab, "Boolean(document.activeElement.shadowRoot)")
    tab.ask("Input.insertText", text="light hosts")
    found = "document.activeElement.shadowRoot?.querySelector('[role=listbox]')?.textContent"
    assert until(tab, f"({found} ?? '').toLowerCase().includes('light hosts')")
    assert tab.complaints == []


def until(tab: browser.Tab, condition: str) -> bool:
    """Whether a condition of the page comes to hold within five seconds."""
    again = f"new Promise(r => setTimeout(r, 50)).then(() => {condition})"
    return any(tab.value(again) for _ in range(100))
