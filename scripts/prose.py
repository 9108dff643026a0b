"""A prose linter: it finds in pages, docstrings and messages what our style forbids.

python -m scripts.prose              print every finding, and end with status 1 if there is one
python -m scripts.prose FILE...      only of these files
python -m scripts.prose --count      the number of findings by rule

``scripts/prose.toml`` has the rules. It reads pages as Markdown, without code. In Python files it reads
the first paragraph of each docstring, and strings of at least four words: messages, help texts, captions.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

from scripts.architecture_imports import docstrings

ROOT = Path(__file__).resolve().parent.parent
STYLE = ROOT / "scripts/prose.toml"
PAGES = ("*.md", "docs/**/*.md", "lab/**/*.md", "examples/*.md", "examples/*.ipynb")
CODE = ("lab/**/*.py", "overlays/**/*.py", "experiments/**/*.py", "topologies/**/*.py", "examples/*.py")
#: Strings in code with fewer words are names, options and parts of commands.
WORDS_OF_A_MESSAGE = 4
#: A sentence ends at a full stop, question or exclamation mark before a capital, but not at an abbreviation.
_END = re.compile(
    r"(?<!e\.g\.)(?<!i\.e\.)(?<!et al\.)(?<!cf\.)(?<=[.!?])[\"')\]*]*\s+(?=[\"'(\[*`]*[A-Z`0-9])"
)
_WORD = re.compile(r"\S*\w\S*")
#: A string with one of these is a script of a shell, and a string of several lines is the text of a file.
_SCRIPT = re.compile(r"\$\(|\|\||&&|\$\d|2>|; (do|then|done|fi)\b|\bip (link|addr|route)\b|\S\n")
#: Parts of a page that `scripts.stored_pages` makes of stored runs, with the captions of these.
_STORED = re.compile(r"(?<=-->\n).*?(?=<!-- end -->)", re.DOTALL)
#: The words that replace code, and a value in a message.
_CODE, _VALUE = "`x`", "X"


class Text(NamedTuple):
    """One paragraph, item, cell, heading, docstring or string, and the line where it begins."""

    kind: str
    line: int
    words: str


class Finding(NamedTuple):
    """One place that breaks a rule."""

    file: Path
    line: int
    rule: str
    sentence: str

    def __str__(self) -> str:
        shown = self.sentence if len(self.sentence) < 160 else self.sentence[:157] + "..."
        return f"{self.file}:{self.line}: {self.rule}: {shown}"


class Style:
    """The rules of a style file."""

    def __init__(self, file: Path = STYLE) -> None:
        self.told = tomllib.loads(file.read_text())
        self.rules = [(rule, re.compile(rule["pattern"], re.IGNORECASE)) for rule in self.told["rule"]]

    def leaves_out(self, file: Path) -> bool:
        """Return whether the style leaves this file, named from the root of the repository, out."""
        return any(file.match(glob) for glob in self.told.get("left-out", {}))

    def broken(self, kind: str, sentence: str) -> Iterator[str]:
        """Yield the rules that one sentence breaks, each with the words to write instead."""
        if sentence in self.told["quotations"]:
            return
        length = len(_WORD.findall(sentence))
        if length > self.told["longest-sentence"]:
            yield f"sentence of {length} words (make several)"
        inner = max((len(_WORD.findall(one)) for one in re.findall(r"\(([^()]*)\)", sentence)), default=0)
        if inner > self.told["longest-parenthesis"]:
            yield f"parenthesis of {inner} words (make it a sentence)"
        if kind in {"paragraph", "item"} and sentence.count(";") > self.told["most-semicolons"]:
            yield f"{sentence.count(';')} semicolons (make sentences)"
        for rule, pattern in self.rules:
            if kind in rule.get("in", [kind]) and pattern.search(sentence):
                yield f"{rule['name']} (write: {rule['instead']})"


def texts_of_page(page: str) -> Iterator[Text]:
    """Yield the texts of a Markdown page, without its code, and without what is made of stored runs."""
    inside: list[str] = []
    page = _STORED.sub(lambda made: "\n" * made[0].count("\n"), page)
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        if token.type in {"list_item_open", "heading_open", "td_open", "th_open"}:
            inside.append({"l": "item", "h": "heading", "t": "cell"}[token.type[0]])
        elif token.type in {"list_item_close", "heading_close", "td_close", "th_close"}:
            inside.pop()
        elif token.type == "inline":
            kind = inside[-1] if inside else "paragraph"
            shown = {"code_inline": _CODE, "softbreak": " ", "hardbreak": " ", "html_inline": ""}
            words = "".join(shown.get(child.type, child.content) for child in token.children or ())
            yield Text(kind, (token.map or [0])[0] + 1, re.sub(r"\s+", " ", words).strip())


def texts_of_code(code: str) -> Iterator[Text]:
    """Yield the first paragraph of every docstring, and the strings that are messages."""
    tree = ast.parse(code)
    docs = {id(node): node for node in docstrings(tree)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in docs:
            first = str(docs[id(node)].value).strip().split("\n\n")[0]
            yield Text("docstring", docs[id(node)].lineno, _plain(first))
        elif isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and id(node) not in parts):
            string = _string(node)
            words = "" if _SCRIPT.search(string.rstrip()) else _plain(string)
            if len(re.findall(r"[a-z]{2,}", words)) >= WORDS_OF_A_MESSAGE and " " in words:
                yield Text("string", node.lineno, words)


def _string(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else _VALUE for part in node.values)
    return node.value if isinstance(node.value, str) else ""


def _plain(words: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"``?[^`]+``?", _CODE, words)).strip()


def sentences(words: str) -> list[str]:
    """Return the sentences of a text."""
    return _END.split(words)


def texts(file: Path) -> Iterable[Text]:
    """Return the texts of a page, a notebook or a Python file."""
    if file.suffix == ".py":
        return texts_of_code(file.read_text())
    if file.suffix == ".ipynb":
        cells = json.loads(file.read_text())["cells"]
        pages = ("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
        return (text for page in pages for text in texts_of_page(page))
    return texts_of_page(file.read_text())


def findings(files: Iterable[Path], style: Style) -> Iterator[Finding]:
    """Yield what the style forbids in these files."""
    for file in files:
        name = file.resolve().relative_to(ROOT)
        if style.leaves_out(name):
            continue
        for text in texts(file):
            for sentence in sentences(text.words):
                for rule in style.broken(text.kind, sentence):
                    yield Finding(name, text.line, rule, sentence)


def files_of_the_project() -> list[Path]:
    """Return the pages, notebooks and Python files whose words users and contributors read."""
    return sorted({file for glob in (*PAGES, *CODE) for file in ROOT.glob(glob)})


def main(argv: list[str]) -> None:
    """Print the findings in the files that are named, or in all; end with status 1 if there are any."""
    named = [Path(word) for word in argv if not word.startswith("--")]
    found = list(findings(named or files_of_the_project(), Style()))
    if "--count" in argv:
        for rule, number in Counter(re.sub(r"\d+", "N", one.rule) for one in found).most_common():
            print(f"{number:5} {rule}")
    else:
        for one in found:
            print(one)
    if found:
        raise SystemExit(f"{len(found)} findings; scripts/prose.toml has the rules")


if __name__ == "__main__":
    main(sys.argv[1:])
