"""The page that shows labs and runs, in a real browser: as a file that plays, and live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.view.page import saved
from tests.integration import browser, made_up_feed
from tests.integration.made_up_feed import DEAD, EVIL, LATE

pytestmark = pytest.mark.skipif(
    browser.program() is None, reason="needs Chromium: apt-get install chromium-headless-shell"
)
PHONE = 390
BODY = "document.body.innerText"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("view") / "run.html"
    path.write_text(saved(made_up_feed.lines(made_up_feed.recording())))
    return path


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Tab]:
    with browser.browser() as opened:
        yield opened


def opened(tab: browser.Tab, page: Path, width: int = 1200, dark: bool = False) -> None:
    tab.open(page, width, 900, dark)
    tab.until("document.querySelector('#player .play') && document.querySelector('#tiles b').textContent")


def seek(tab: browser.Tab, second: float) -> None:
    """Go to a moment of the recording with its slider, and wait until the page shows it."""
    slider = "document.querySelector('#player input')"
    tab.value(f"{slider}.value = {second}; {slider}.dispatchEvent(new Event('input'))")
    tab.until(f"document.querySelector('#tiles').textContent.includes('Second {int(second)}.')")


def test_a_saved_file_plays_and_asks_the_network_for_nothing(tab: browser.Tab, page: Path) -> None:
    tab.requests.clear()
    opened(tab, page)
    assert "0 s of 20 s" in tab.value(BODY)
    tab.value("document.querySelector('#player select').value = 10")
    tab.value("document.querySelector('#player .play').click()")
    tab.until("document.querySelector('#player .time').textContent.startsWith('20 s of 20 s')")
    tab.until("document.querySelector('#player .play').textContent === '▶ Play'")
    tab.until("document.querySelector('#run img')?.naturalWidth > 10")
    assert tab.complaints == []
    assert {url.split(":", 1)[0] for url in tab.requests} <= {"file", "data", "blob"}
    assert sum(url.startswith("file:") for url in tab.requests) == 1


def test_the_state_is_that_of_the_moment_also_after_going_back(tab: browser.Tab, page: Path) -> None:
    opened(tab, page)
    links, hosts = (f"document.querySelector('#tiles .tile:nth-child({n})').textContent" for n in (1, 2))
    seek(tab, DEAD)
    assert "1 of 2 keep" in tab.value(links)
    assert "! 1 of 3 daemons ended" in tab.value(hosts)
    assert tab.value("[...document.querySelectorAll('#run table .sample.not')].length") == 1
    assert f"{EVIL} was busy." in tab.value("document.getElementById('run').innerText")
    seek(tab, LATE - 1)
    assert "2 of 2 keep" in tab.value(links)
    assert "✓ 3 daemons run" in tab.value(hosts)
    assert tab.value("[...document.querySelectorAll('#run table .sample.counts')].length") == 1
    assert tab.value("[...document.querySelectorAll('#run table .sample.planned')].length") == 5


def test_names_are_text_whatever_is_in_them(tab: browser.Tab, page: Path) -> None:
    opened(tab, page)
    seek(tab, 20)
    for name in ("links", "hosts", "overlays", "events"):
        tab.value(f"document.getElementById('tab-{name}').click()")
        tab.until(f"document.getElementById('{name}').innerText.includes('{EVIL}')")
    tab.value("document.getElementById('tab-hosts').click()")
    tab.value("[...document.querySelectorAll('#hosts button')].at(-1).click()")
    tab.until(f"document.getElementById('details').innerText.includes('host {EVIL}')")
    assert not tab.value("[...document.images].some(i => i.getAttribute('src') === 'x')")
    assert tab.complaints == []


def test_the_keyboard_goes_from_host_to_host_and_shows_the_path_between_two(
    tab: browser.Tab, page: Path
) -> None:
    opened(tab, page)
    tab.value("document.getElementById('canvas').focus()")
    for key in ("ArrowRight", "Enter", "ArrowRight", "Enter"):
        tab.press(key)
    tab.until("document.getElementById('details').innerText.includes('path AMS → PRG')")
    assert "tunnels: AMS → PRG (1 hop)" in tab.value("document.getElementById('details').innerText")
    assert tab.value("document.getElementById('spoken').textContent").startswith("PRG")
    tab.press("Escape")
    tab.until("document.getElementById('details').innerText.includes('Needs a look')")


@pytest.mark.parametrize(("dark", "width"), [(False, 1200), (True, PHONE)])
def test_axe_finds_nothing_and_nothing_is_cut_off(
    tab: browser.Tab, page: Path, axe: str, dark: bool, width: int
) -> None:
    opened(tab, page, width, dark)
    seek(tab, 13)
    tab.value("document.getElementById('tab-links').click()")
    tab.until("document.querySelector('#links tbody button')")
    assert tab.value("document.querySelector('#links tbody .no').textContent") == "! does not keep to it"
    tab.value("document.querySelector('#links tbody button').click()")
    tab.until("document.getElementById('details').innerText.includes('14.2 / 10 ms')")
    assert tab.value("document.documentElement.scrollWidth") <= width
    tab.value(f"{axe}; 0")
    shown = (
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]))"
    )
    assert tab.value(shown) == []
    tab.value("document.getElementById('tab-run').click()")
    tab.until("document.querySelector('#run .sample')?.checkVisibility()")
    assert tab.value(shown) == []


def test_colours_can_be_switched(tab: browser.Tab, page: Path) -> None:
    opened(tab, page)
    ground = "getComputedStyle(document.documentElement).backgroundColor"
    light = tab.value(ground)
    for _ in range(2):
        tab.value("document.getElementById('theme').click()")
    assert tab.value(ground) != light
    tab.value("document.getElementById('theme').click()")
    assert tab.value(ground) == light
