"""Code in pages: it is the file's, and a page whose file has changed is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts import include_code
from tests.paths import ROOT

GUIDE = ROOT / "docs/how-to/new-overlay.md"
EXAMPLE = "tests/thirdparty/lab_example"


@pytest.mark.parametrize(
    ("page", "file"),
    [
        ("new-overlay", "overlays/wireguard/overlay.py"),
        ("new-experiment", f"{EXAMPLE}/experiment.py"),
        ("new-topology", f"{EXAMPLE}/topology.py"),
    ],
)
def test_a_guide_has_the_whole_file_as_it_is(page: str, file: str) -> None:
    guide = ROOT / f"docs/how-to/{page}.md"
    include_code.main(["--check", str(guide)])
    code = guide.read_text().partition(f"<!-- code {file} -->")[2]
    blocks = [block.partition("\n```\n")[0] for block in code.split("-->\n```python\n")[1:]]
    lines = [line for block in blocks for line in block.splitlines() if line]
    assert lines == [line for line in (ROOT / file).read_text().splitlines() if line]


def test_a_page_whose_file_has_changed_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(GUIDE.read_text().replace('DEVICE = "wg-lab"', 'DEVICE = "another"'))
    with pytest.raises(SystemExit, match="is out of date: python -m scripts"):
        include_code.main(["--check", str(page)])
    include_code.main([str(page)])
    assert page.read_text() == GUIDE.read_text()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("<!-- code ", "<!-- no ", "does not say"),
        ("<!-- from async def ready", "<!-- from async def never", "no line of the file begins with"),
        ("<!-- from async def ready", "<!-- from def prerequisites", "not in the order"),
    ],
)
def test_a_page_that_names_what_is_not_there_is_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(SystemExit, match=words):
        include_code.included(GUIDE.read_text().replace(old, new))
