"""The report in a real browser: nothing to complain of, every figure drawn, keyboard, phone and paper."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import catalog
from lab.app.request import all_claims, load_experiment
from lab.report.html import RunSection, render_all
from tests.integration import browser
from tests.unit.synthetic import synthetic

pytestmark = pytest.mark.skipif(
    browser.program() is None, reason="needs Chromium: apt-get install chromium-headless-shell"
)
PHONE = 390


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two runs of one experiment and one of another, made up."""
    folder = tmp_path_factory.mktemp("report")
    parts = []
    for number, name in enumerate(("multihop", "multihop", "streaming")):
        experiment = load_experiment(name)
        topology = catalog.topology(experiment.topology)
        values = {"received_mbps": 50.0 + number, "sent_mbps": 60.0, "mean_ms": 20.0, "min_ms": 19.0}
        charts = getattr(experiment, "charts", ())
        values |= dict.fromkeys((series.value for chart in charts for series in chart.series), 2.0)
        run = synthetic(
            folder / str(number),
            run=f"5ynth{number}",
            experiment=experiment,
            topology=topology,
            values=lambda cell, _, chance, values=values: {k: v + chance.random() for k, v in values.items()},
            calibration={link.name: {"asked_ms": link.rtt, "median_ms": link.rtt} for link in topology.links},
        )
        drawn = experiment.figures(run, folder / f"figures{number}")
        parts.append(RunSection(run, experiment, [file for file in drawn if file.suffix == ".svg"]))
    path = folder / "report.html"
    path.write_text(render_all(parts, all_claims()))
    return path


@pytest.fixture(scope="module")
def tab(page: Path) -> Iterator[browser.Tab]:
    with browser.browser() as opened:
        yield opened


def test_it_loads_without_complaint_and_asks_the_network_for_nothing(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    assert tab.complaints == []
    assert {url.split(":", 1)[0] for url in tab.requests} == {"file", "data"}
    assert sum(url.startswith("file:") for url in tab.requests) == 1, "the page itself"
    assert page.stat().st_size < 5_000_000


def test_every_image_is_drawn_and_says_what_it_is(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    images = tab.value("[...document.images].map(i => [i.complete, i.naturalWidth, i.alt])")
    assert len(images) == 3 + 2 * 2 + 4, "topologies, figures of both multihop runs, figures of streaming"
    assert all(complete and width > 100 and alt for complete, width, alt in images), images


def test_the_keyboard_reaches_a_column_and_sorts_by_it(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    # given the focus just before the first sortable table
    tab.value("document.querySelector('table.sortable').parentElement.focus()")
    column = "[...document.querySelector('table.sortable').tBodies[0].rows].map(r => r.cells[7].textContent)"
    before = tab.value(column)
    # when Tab goes on to the eighth head, the means, and Enter is pressed
    for _ in range(8):
        tab.press("Tab")
    assert tab.value("document.activeElement.textContent") == "mean"
    tab.press("Enter")
    # then the rows are in the order of their numbers, and a second Enter turns them round
    rising = tab.value(column)
    assert rising != before
    assert rising == sorted(before, key=float)
    tab.press("Enter")
    assert tab.value(column) == sorted(before, key=float, reverse=True)
    assert tab.value("document.activeElement.closest('th').ariaSort") == "descending"


def test_the_command_can_be_copied_by_keyboard(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    tab.value("document.querySelector('button.copy').focus()")
    tab.press("Enter")
    said = "new Promise(r => setTimeout(() => r(document.activeElement.textContent), 200))"
    assert tab.value(said) in ("Copied", "Selected: copy it with your keyboard")
    assert tab.value("getSelection().toString()").startswith("sudo python -m lab emulate multihop")


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_only_tables_scroll_sideways_and_text_can_be_read(
    tab: browser.Tab, page: Path, dark: bool
) -> None:
    tab.open(page, PHONE, 844, dark)
    assert tab.value("document.documentElement.scrollWidth") <= PHONE
    assert tab.value("parseFloat(getComputedStyle(document.body).fontSize)") >= 14
    style = "getComputedStyle(document.documentElement)"
    light = tab.value(f"matchMedia('(prefers-color-scheme: dark)').matches ? 0 : 1; {style}.colorScheme")
    assert light == "light dark"
    assert tab.value("getComputedStyle(document.body).color") == (
        "rgb(255, 255, 255)" if dark else "rgb(0, 0, 0)"
    )


def test_on_paper_nothing_is_cut_off(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    tab.on_paper()
    wide = "[...document.querySelectorAll('.scroll, pre')].filter(e => e.scrollWidth > innerWidth).length"
    assert tab.value(wide) == 0
    assert tab.value("document.documentElement.scrollWidth") <= tab.value("innerWidth")
