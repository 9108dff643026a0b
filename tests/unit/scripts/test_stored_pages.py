"""Pages that are made of stored runs: what they say is the runs', and numbers beside it are theirs, too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lab.published
from scripts import stored_pages
from scripts.stored_pages import DRAWN, FIGURES, MAKERS, PLACE, names, pages, stored, written
from tests.paths import ROOT

MADE = pages()
#: Parts of a page in which numbers are results: by the page, the headings (all of it where there is none).
RESULTS = {
    "answers.md": (),
    "packetcost.md": ("## Results",),
    "congestion.md": ("## Results",),
    "window.md": ("## Results",),
    "mesh.md": ("## Results",),
    "streaming.md": ("## Results",),
}
NUMBER = re.compile(r"(?<![\w.,–-])\d[\d,]*(?:\.\d+)?(?![\w,])(?!\.\d)")


@pytest.mark.parametrize("page", MADE, ids=lambda page: page.name)
def test_a_page_says_what_the_stored_runs_say(page: Path) -> None:
    assert page.read_text() == written(page.read_text()), "run: make docs-data"


def test_every_place_names_what_can_be_made_of_runs_that_are_kept() -> None:
    assert {page.name for page in MADE} >= {"answers.md", "congestion.md", "packetcost.md"}
    for page in MADE:
        text = page.read_text()
        assert text.count("<!-- stored: ") == text.count("<!-- end -->") == len(PLACE.findall(text))
        assert {place["maker"] for place in PLACE.finditer(text)} <= set(MAKERS)


def test_only_what_is_between_the_marks_is_made() -> None:
    page = "before\n<!-- stored: published -->\nold\n<!-- end -->\nafter\n"
    new = written(page)
    assert new.startswith("before\n<!-- stored: published -->\n\n| overlay |")
    assert new.endswith("<!-- end -->\nafter\n")
    assert "old" not in new
    assert "| libnetwork | 6 | 0.48 to 0.55 | 0.53 to 0.71 | 0.99 to 1.93 |" in new
    assert written(new) == new


def test_a_claim_that_no_stored_run_tells_is_said_to_be_open() -> None:
    assert "| cannot be told |" in stored_pages.claims("baseline-24-hours")


@pytest.mark.parametrize(
    ("run", "figure"), [(run, name) for run, own in DRAWN.items() for name in own.values()]
)
def test_a_figure_is_of_the_run_that_is_kept(run: str, figure: str) -> None:
    about = (FIGURES / f"{figure}.svg").read_text().split("</metadata>")[0]
    assert f"run {stored(run).manifest.run}" in about, "run: make docs-data"


def numbers(text: str) -> set[str]:
    """The numbers of a text that are no words such as one or two: those of two digits and more."""
    found = (word.replace(",", "").rstrip(".") for word in NUMBER.findall(text))
    return {word for word in found if len(word.replace(".", "")) > 1}


def results(page: Path) -> Iterator[str]:
    """The prose of a page in which numbers are results, without what is made, code and links."""
    text = PLACE.sub("", page.read_text())
    headings = RESULTS[page.name]
    for part in re.split(r"^(?=## )", text, flags=re.MULTILINE):
        if not headings or part.startswith(headings):
            yield re.sub(r"\]\([^)]*\)|`[^`]*`|^    .*$|^\|.*$", "", part, flags=re.MULTILINE)


@pytest.mark.parametrize("page", [page for page in MADE if page.name in RESULTS], ids=lambda page: page.name)
def test_a_number_among_results_is_one_of_a_stored_run_or_a_condition(page: Path) -> None:
    """A condition is on the page outside of its results, in the studies' data, or in a claim's band."""
    whole = page.read_text()
    made = "".join(place["made"] for place in PLACE.finditer(whole))
    rest = "".join(
        part for part in re.split(r"^(?=## )", whole, flags=re.MULTILINE) if "esults" not in part[:20]
    )
    published = Path(lab.published.__file__).parent
    files = [*published.glob("*.csv"), *(ROOT / "experiments/claims").glob("*.yaml")]
    known = numbers(made + rest * bool(RESULTS[page.name]) + " ".join(file.read_text() for file in files))
    known |= {word.replace(".0", "") for word in known} | CONDITIONS
    assert numbers(" ".join(results(page))) - known == set()


#: Years, sizes of headers and MTUs, versions: what a page needs to say what was measured, and no result.
CONDITIONS = {
    *("2012", "2015", "2016", "2021", "8312", "30", "11"),
    *("1500", "1498", "1450", "1410", "1422", "1470", "8192"),
    *("3.19", "4.14"),
}


def test_a_number_that_no_run_has_is_found(tmp_path: Path) -> None:
    assert numbers("TCP fell from 229.8 to 61.27 Mbit/s, 3 times, by 44,689 (Linux6.1, 8.1.2)") == {
        "229.8",
        "61.27",
        "44689",
    }


def test_every_run_that_is_kept_can_be_read_and_is_on_a_page() -> None:
    text = " ".join(page.read_text() for page in (ROOT / "docs").glob("**/*.md"))
    for name in names():
        assert stored(name).manifest.run in text, f"{name} is on no page"
