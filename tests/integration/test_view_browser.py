"""The page that shows labs and runs, in a real browser: as a file that plays, and live."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.feed.objects import adapter
from lab.view.page import saved
from tests.integration import browser, made_up_feed
from tests.integration.made_up_feed import DEAD, EVIL, LATE
from tests.paths import ROOT

pytestmark = pytest.mark.skipif(
    browser.program() is None, reason="needs Chromium: apt-get install chromium-headless-shell"
)
PHONE = 390
NAME = f"view-{os.getpid()}"
LAB = (sys.executable, "-m", "lab")
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


def test_the_feed_that_is_made_up_is_one_by_the_schema() -> None:
    for one in made_up_feed.recording():
        adapter().validate_python(one)


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


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The page of a lab that is up: three light hosts with an overlay that has a daemon on each."""
    lab(
        "up",
        "linear:sites=AMS+PRG+BRA",
        "--name",
        NAME,
        "--rate",
        "50",
        "--daemons",
        "none",
        "--overlay",
        "wireguard",
    )
    with served() as found:
        yield found
    subprocess.run([*LAB, "down", NAME], cwd=ROOT, check=False, capture_output=True)


@pytest.fixture(scope="module")
def control(address: str) -> Iterator[str]:
    """Another page of this lab, which can change it."""
    with served("--control") as found:
        yield found


@contextmanager
def served(*argv: str) -> Iterator[str]:
    """A server of the page; its address."""
    server = subprocess.Popen([*LAB, "view", NAME, *argv], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait(20)


def lab(*argv: str) -> str:
    """Run a verb to its end, and return what it said."""
    done = subprocess.run([*LAB, *argv], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def live(tab: browser.Tab, address: str) -> None:
    tab.complaints.clear()
    tab.open(address)
    tab.until("document.getElementById('state').textContent === '● live'")
    tab.until("document.querySelector('#links tbody button')")


def test_a_change_of_a_link_is_seen_within_two_seconds(tab: browser.Tab, address: str) -> None:
    live(tab, address)
    row = "document.querySelector('#links tbody tr').innerText"
    tab.until("document.querySelectorAll('#links td.yes').length === 4", 20)
    lab("link", "AMS-PRG", "--lab", NAME, "--rate", "7", "--delay", "33ms")
    assert tab.until(f"{row}.includes('/ 7') && {row}.includes('/ 66')") < 2
    assert tab.complaints == []


def test_a_daemon_that_was_killed_is_seen(tab: browser.Tab, address: str) -> None:
    live(tab, address)
    tab.value("document.getElementById('tab-hosts').click()")
    tab.until("document.querySelectorAll('#hosts tbody tr').length === 3")
    lab("exec", "PRG", "--lab", NAME, "--", "pkill", "-9", "wireguard-go")
    tab.until("document.querySelector('#hosts td.no')?.innerText === '! wireguard-go ended'")
    tab.until("document.getElementById('tiles').innerText.includes('1 of 3 daemons ended')")
    tab.value("document.getElementById('tab-links').click()")


def test_without_leave_to_control_the_page_has_no_sliders(tab: browser.Tab, address: str) -> None:
    live(tab, address)
    tab.value("document.querySelector('#links tbody button').click()")
    tab.until("document.getElementById('details').innerText.includes('PRG → AMS')")
    assert not tab.value("document.querySelectorAll('#details input, #details form').length")


def test_two_hosts_show_the_paths_that_packets_take_and_a_ping(tab: browser.Tab, address: str) -> None:
    live(tab, address)
    tab.value("document.getElementById('tab-hosts').click()")
    tab.until("document.querySelectorAll('#hosts tbody button').length === 3")
    for number, title in ((0, "host AMS"), (2, "path AMS → BRA")):
        tab.value(f"document.querySelectorAll('#hosts tbody button')[{number}].click()")
        tab.until(f"document.getElementById('details').innerText.includes('{title}')")
    tab.until("document.querySelector('.paths').innerText.includes('underlay: AMS → PRG → BRA (2 hops)')", 20)
    tab.value("[...document.querySelectorAll('#details button')].find(b => b.textContent === 'Ping').click()")
    tab.until("/^[0-9.]+ ms$/.test(document.querySelector('#details output').textContent)")
    tab.value("document.getElementById('tab-links').click()")


def test_control_changes_a_link_as_it_is_read_back(tab: browser.Tab, control: str) -> None:
    live(tab, control)
    tab.value("document.querySelector('#links tbody button').click()")
    slider = "document.querySelector('#details .field input')"
    tab.until(slider)
    tab.value(f"{slider}.value = 40; {slider}.dispatchEvent(new Event('change'))")
    tab.until("document.querySelector('.readback').textContent.startsWith('Read back: delay 40 ms')")
    tab.until("document.querySelector('#links tbody tr').innerText.includes('/ 80')")
    assert tab.complaints == []


def test_packets_are_captured_and_a_shell_answers(tab: browser.Tab, control: str) -> None:
    live(tab, control)
    tab.value("document.querySelector('#links tbody button').click()")
    tab.until("document.querySelector('.capture button')")
    tab.value("document.querySelector('.capture input').value = 1")
    tab.value("document.querySelector('.capture button').click()")
    tab.until("document.querySelector('.capture a')", 20)
    bytes_of_file = "fetch(document.querySelector('.capture a').href).then(r => r.arrayBuffer())"
    assert tab.value(f"{bytes_of_file}.then(b => new DataView(b).getUint32(0, true))") == 0x0A0D0D0A, "pcapng"
    tab.value(
        "document.querySelector('#details .chip')?.click(); document.getElementById('tab-hosts').click()"
    )
    tab.until("document.querySelector('#hosts tbody button')")
    tab.value("document.querySelector('#hosts tbody button').click()")
    shell = "[...document.querySelectorAll('#details button')].find(b => b.textContent === 'Open a shell')"
    tab.until(shell)
    tab.value(f"{shell}.click()")
    tab.until("document.querySelector('.xterm-rows')?.innerText.includes('#')", 20)
    tab.ask("Input.insertText", text="echo $((6 * 7))-$(hostname)")
    tab.press("Enter")
    tab.until("document.querySelector('.xterm-rows').innerText.includes('42-AMS')")
    tab.value("document.getElementById('shell-close').click(); document.getElementById('tab-links').click()")
    assert tab.complaints == []


def test_a_wrong_token_is_refused_and_a_lab_that_goes_is_said(tab: browser.Tab, address: str) -> None:
    tab.open(address[:-3])
    assert "token" in tab.value(BODY)
    live(tab, address)
    lab("down", NAME)
    tab.until("document.getElementById('notice').innerText.includes('is gone')")
    assert tab.value("document.querySelectorAll('#links tbody tr').length") == 4, "its last values stay"
