"""The documentation as a site in build/site: ``python -m scripts.docs_site``. Needs no network.

First all pages come together in build/pages: those of `docs`, the help of every verb, and the files of the
repository that pages link to. Then Zensical builds the site, and fails on a link that leads nowhere.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "build" / "pages"
#: Files outside `docs` that pages link to. The site has them in this folder.
OUTSIDE, FOLDER = ("*.md", "LICENSE", "examples/*.*", "tests/thirdparty/**/*"), "repository"
OPTIONS = "reference/cli/options.md"
#: The target of a relative link, without its anchor.
LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)\s#]+)")
#: A figure that is a paragraph of its own.
FIGURE = re.compile(r"^(!\[[^\]]*\]\(([^)\s]+\.svg)\))$", re.MULTILINE)
CODE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def gather() -> None:
    """Put every page and file of the site into build/pages."""
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.copytree(ROOT / "docs", PAGES, ignore=shutil.ignore_patterns("data"))
    for path in (found for pattern in OUTSIDE for found in ROOT.glob(pattern)):
        if path.is_file() and not re.search(r"__pycache__|\.egg-info", str(path)):
            copy = PAGES / FOLDER / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
    told = options()
    for path in PAGES.rglob("*.md"):
        uri = path.relative_to(PAGES).as_posix()
        path.write_text(with_links(path.read_text(), uri) + link_to_options(uri, told))
    (PAGES / OPTIONS).write_text(told)


def with_links(text: str, uri: str) -> str:
    """Return a page whose links lead to where the site has their targets; `uri` is its place there.

    A figure is a link to itself: on a phone, its text is small, and the figure alone can be made larger.
    """
    parts = CODE.split(text)
    parts[::2] = [
        LINK.sub(lambda found: on_the_site(found[1], uri), FIGURE.sub(r"[\1](\2)", part))
        for part in parts[::2]
    ]
    return "".join(parts)


def on_the_site(link: str, uri: str) -> str:
    """Return the link from a page of the site that stands for one between files of the repository."""
    source = uri.removeprefix(f"{FOLDER}/") if uri.startswith(f"{FOLDER}/") else f"docs/{uri}"
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    place = target.removeprefix("docs/") if target.startswith("docs/") else f"{FOLDER}/{target}"
    if (ROOT / target).is_dir():
        place += "/README.md"
    return posixpath.relpath(place, posixpath.dirname(uri) or ".")


def link_to_options(uri: str, told: str) -> str:
    """Return the end of a page about verbs: a link to their help, where it is told."""
    folder, _, name = uri.rpartition("/")
    verb = name.removesuffix(".md")
    if folder != posixpath.dirname(OPTIONS):
        return ""
    if name == "README.md":
        return "\n[All commands and options](options.md), as `--help` prints them.\n"
    if f"## `lab {verb}`\n" not in told:
        return ""
    return f"\n---\n\n[Every option, as `lab {verb} --help` prints it](options.md#lab-{verb})\n"


def options() -> str:
    """Return the help of every verb as a page; Typer writes it from the program."""
    argv = [sys.executable, "-m", "typer", "lab.cli.main", "utils", "docs", "--name", "lab"]
    text = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return text.replace("# `lab`", "# All commands and options", 1)


def main() -> int:
    """Build the site; return the builder's status."""
    gather()
    argv = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
