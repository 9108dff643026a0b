"""The report in a real browser: every figure drawn, keyboard, filter, contrast, headings, phone and paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from lab import catalog
from lab.app.request import all_claims, load_experiment
from lab.report import drawing
from lab.report.html import RunSection, render_all
from tests.integration import browser
from tests.unit.synthetic import synthetic

pytestmark = pytest.mark.skipif(
    browser.program() is None, reason="needs Chromium: apt-get install chromium-headless-shell"
)
PHONE = 390


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The report of two runs of one experiment and one of another, made up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "FORMS", ("svg",))  # all that a page needs
        yield _report(tmp_path_factory)


def _report(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
        parts.append(RunSection(run, experiment, drawn))
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
    assert len(images) == 3 + 2 * 3 + 4, "topologies, figures of both multihop runs, figures of streaming"
    assert all(complete and width > 100 and alt for complete, width, alt in images), images


def test_the_keyboard_reaches_a_column_and_sorts_by_it(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    # given the focus just before the first sortable table, which is unfolded
    tab.value("document.querySelector('table.sortable').closest('details').open = true")
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
    assert tab.value("getSelection().toString()").startswith("sudo lab emulate multihop")


def test_samples_are_filtered_by_words(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    part = "document.getElementById('samples-table-1').closest('details')"
    tab.value(f"{part}.open = true; {part}.querySelector('input').focus()")
    shown = f"[...{part}.querySelector('tbody').rows].filter(r => !r.hidden).map(r => r.textContent)"
    before = tab.value(shown)
    tab.ask("Input.insertText", text="weave TCP")
    after = tab.value(shown)
    assert 0 < len(after) < len(before)
    assert all("weave/tcp" in row for row in after)
    assert tab.value(f"{part}.querySelector('output').textContent") == f"{len(after)} of {len(before)}"
    # and other tables are as they were
    assert tab.value("[...document.querySelectorAll('#samples-table-2 tr')].every(row => !row.hidden)")


def test_the_answers_are_on_the_first_screen(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    top = "document.querySelector('.answers li').getBoundingClientRect().top"
    assert tab.value(top) < 700
    assert tab.value("document.querySelector('.answers .number').textContent").strip()
    assert tab.value("document.querySelectorAll('details.topic:not([open])').length") > 5


#: Lighter by darker, after WCAG 2; text is on the page itself, or on what is between it and the page.
CONTRAST = """
(page => {
  const light = c => { c = c.map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
                       return 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2]; };
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const over = (above, below) => below.map((v, n) => v + (above[3] ?? 1) * (above[n] - v));
  const behind = e => e ? over(parse(getComputedStyle(e).backgroundColor), behind(e.parentElement)) : page;
  const texts = [...document.querySelectorAll("body *")].filter(e => e.checkVisibility() &&
    [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
  return texts.map(e => {
    const below = behind(e), [a, b] = [light(over(parse(getComputedStyle(e).color), below)), light(below)];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.tagName, e.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
})
"""


@pytest.mark.parametrize(("dark", "canvas"), [(False, [255] * 3), (True, [18] * 3)])
def test_text_has_enough_contrast(tab: browser.Tab, page: Path, dark: bool, canvas: list[int]) -> None:
    tab.open(page, dark=dark)
    assert tab.value(f"{CONTRAST}({canvas})") == []
    grey = f"document.body.style.color = '#888', {CONTRAST}({canvas}).length"
    assert tab.value(grey) or dark, "the check can fail"


def test_headings_are_in_order_and_everything_has_a_name(tab: browser.Tab, page: Path) -> None:
    tab.open(page)
    levels = tab.value("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tab.value("document.querySelectorAll('main').length") == 1
    ids = tab.value("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    links = tab.value("[...document.querySelectorAll('a')].map(a => a.getAttribute('href').slice(1))")
    assert set(links) <= set(ids)
    assert tab.value("[...document.querySelectorAll('input')].every(i => i.labels.length)")
    groups = tab.value("[...document.querySelectorAll('[role=group]')].map(e => e.ariaLabel)")
    assert all(groups)


@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_nothing(tab: browser.Tab, page: Path, axe: str, dark: bool) -> None:
    tab.open(page, dark=dark)
    tab.value(f"{axe}; 0")
    found = tab.value(
        "axe.run().then(r => r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)]))"
    )
    assert found == []


@pytest.mark.parametrize("dark", [False, True])
def test_on_a_phone_only_tables_scroll_sideways_and_text_can_be_read(
    tab: browser.Tab, page: Path, dark: bool
) -> None:
    tab.open(page, PHONE, 844, dark)
    assert tab.value("document.documentElement.scrollWidth") <= PHONE
    images = tab.value("[...document.images].filter(i => i.checkVisibility()).map(i => i.clientWidth)")
    assert min(images) > 500, "a figure is as large as its text needs, and scrolls"
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
