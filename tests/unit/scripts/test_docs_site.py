"""The documentation as a site: it builds, has every page in its navigation, and no link to nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import docs_site
from tests.paths import ROOT

pytest.importorskip("zensical", reason="make setup-tests installs it")


def test_the_site_builds_without_a_warning(capfd: pytest.CaptureFixture[str]) -> None:
    assert docs_site.main() == 0, capfd.readouterr().out
    site = ROOT / "build/site"
    assert 'id="lab-up"' in (site / "reference/cli/options.html").read_text(), "the program's own help"
    assert "options.html#lab-up" in (site / "reference/cli/up.html").read_text()
    assert "ping_all" in (site / "reference/python-calls.html").read_text(), "the docstrings"
    assert (site / "repository/examples/failure_drill.py").exists()


@pytest.mark.parametrize("link", ["nowhere.md", "other.md#nowhere", "../LICENSE.md"])
def test_a_link_to_nothing_fails(link: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs_site, "ROOT", tmp_path)
    monkeypatch.setattr(docs_site, "PAGES", tmp_path / "build/pages")
    monkeypatch.setattr(docs_site, "options", lambda: "# All options\n")
    config = (ROOT / "mkdocs.yml").read_text().partition("\nplugins:")[0]
    (tmp_path / "mkdocs.yml").write_text(config)
    (tmp_path / "docs/reference/cli").mkdir(parents=True)
    (tmp_path / "docs/other.md").write_text("# Other\n")
    (tmp_path / "docs/index.md").write_text("# Home\n\n[fine](other.md#other)\n")
    assert docs_site.main() == 0
    (tmp_path / "docs/index.md").write_text(f"# Home\n\n[broken]({link})\n")
    assert docs_site.main() != 0


def test_the_navigation_has_every_page_once() -> None:
    named = re.findall(r"[\w./-]+\.md\b", (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2])
    pages = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    ours = [name for name in named if not name.startswith(docs_site.FOLDER)]
    assert sorted(ours) == sorted({*pages, docs_site.OPTIONS})


@pytest.mark.parametrize(
    ("uri", "link", "there"),
    [
        ("index.md", "how-to/ci.md", "how-to/ci.md"),
        ("how-to/ci.md", "../index.md#top", "../index.md#top"),
        ("how-to/ci.md", "../../CONTRIBUTING.md", "../repository/CONTRIBUTING.md"),
        ("how-to/ci.md", "../../tests/thirdparty", "../repository/tests/thirdparty/README.md"),
        ("repository/README.md", "docs/install.md", "../install.md"),
        ("repository/examples/README.md", "notebook.ipynb", "notebook.ipynb"),
        ("repository/examples/README.md", "../docs/reference/cli/up.md#x", "../../reference/cli/up.md#x"),
        ("how-to/ci.md", "https://example.org/a.md", "https://example.org/a.md"),
        ("how-to/ci.md", "#here", "#here"),
    ],
)
def test_links_lead_to_where_the_site_has_their_targets(uri: str, link: str, there: str) -> None:
    page = f"[word]({link}) ![]({link})\n\n```sh\n[code]({link})\n```\n"
    wanted = f"[word]({there}) ![]({there})\n\n```sh\n[code]({link})\n```\n"
    assert docs_site.with_links(page, uri) == wanted


def test_a_figure_is_a_link_to_itself() -> None:
    page = "Text ![a sign](x.svg) in a line.\n\n![a figure](../figures/x.svg)\n"
    wanted = "Text ![a sign](x.svg) in a line.\n\n[![a figure](../figures/x.svg)](../figures/x.svg)\n"
    assert docs_site.with_links(page, "how-to/ci.md") == wanted
