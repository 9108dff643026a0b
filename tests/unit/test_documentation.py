"""Links between pages lead somewhere, code on pages runs, and tables of pages are the code's."""

from __future__ import annotations

import ast
import re
from functools import lru_cache
from pathlib import Path

import pytest

import lab
from lab import catalog
from lab.runs.run_folder import read
from scripts.architecture_imports import PACKAGES
from tests.paths import ROOT
from tests.unit.synthetic import recorded_run

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


BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SITE_PAGES = sorted(ROOT.glob("docs/**/*.md"))


def blocks(page: Path, language: str) -> list[str]:
    """The blocks of code of a page in one language."""
    return [code for kind, code in BLOCK.findall(page.read_text()) if kind == language]


@pytest.mark.parametrize(
    ("page", "code"),
    [
        pytest.param(page, code, id=f"{page.stem}-{number}")
        for page in SITE_PAGES
        for number, code in enumerate(blocks(page, "yaml"))
        if code.startswith("name:")
    ],
)
def test_a_topology_file_on_a_page_is_one(page: Path, code: str, tmp_path: Path) -> None:
    file = tmp_path / "page.yaml"
    file.write_text(code)
    assert catalog.topology(file).hosts, page


def test_the_tutorial_of_results_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(ROOT / "docs/tutorials/results-in-pandas.md", "python")
    run = recorded_run(tmp_path)
    exec(compile(code, "results-in-pandas.md", "exec"), {"RUN": str(run)})
    printed = capsys.readouterr().out
    assert "underlay" in printed
    tcp = [sample.values["received_mbps"] for sample in read(run).samples if sample.metric == "tcp"]
    assert f"{sum(tcp) / len(tcp):.3f}"[:5] in printed


def test_the_columns_of_results_are_on_the_page(tmp_path: Path) -> None:
    table = lab.results(recorded_run(tmp_path))
    page = (ROOT / "docs/tutorials/results-in-pandas.md").read_text()
    told = set(re.findall(r"`(\w+)`", page.partition("## The columns")[2].partition("## ")[0]))
    assert {name for name in table.columns if "." not in name} <= told


def test_every_variable_of_the_environment_is_on_its_page() -> None:
    page = (ROOT / "docs/reference/environment.md").read_text()
    told = {name.removesuffix("…") for name in re.findall(r"^\| `(LAB_[A-Z_]+…?)`", page, re.MULTILINE)}
    files = (path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    nodes = (node for path in files for node in ast.walk(ast.parse(path.read_text())))
    words = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    assert {word for word in words if re.fullmatch("LAB_[A-Z_]+", word)} == told
