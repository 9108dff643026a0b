"""Former names of verbs and options. Each still works, and says its new name on standard error."""

from __future__ import annotations

import re
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from typer.core import TyperCommand

#: Former verbs, and the words that take their place.
VERBS = {
    "check": "validate",
    "cli": "prompt",
    "inventory": "testbed inventory",
    "rehearse": "testbed rehearse",
    "scorecard": "report --claims",
}
#: Former options. A verb that has an option of this name keeps it: -o is the output of five verbs.
OPTIONS = {
    "--accept-links": "--ignore-calibration",
    "--cli": "--prompt",
    "--hold": "--keep",
    "--least": "--min-rate",
    "--longest": "--snaplen",
    "--most": "--max-rate",
    "--on-fallback": "--on-mode-change",
    "--only": "--cells",
    "--plan": "--dry-run",
    "--steal": "--take-over",
    "-o": "--overlay",
}


class Verb(TyperCommand):
    """A verb that understands the former names of its options."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        # only paragraphs break a line: those of the docstring are broken at the width of the source
        self.help = re.sub(r"(?<!\n)\n(?!\n)", " ", self.help or "")

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        names = {name for one in self.params for name in (*one.opts, *one.secondary_opts)}
        return super().parse_args(ctx, list(renamed(args, names, quiet=ctx.resilient_parsing)))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words after the verb: braces would look like a choice."""
        return [piece.strip("{}").replace("}", "").upper() for piece in super().collect_usage_pieces(ctx)]


def renamed(args: Sequence[str], names: Collection[str], *, quiet: bool = False) -> Iterator[str]:
    """Yield the arguments of a verb that has options of these names, with the new names of its options."""
    over = False
    for word in args:
        over = over or word == "--"
        old, equals, value = word.partition("=")
        if word[:1] == "-" and word[1:2] != "-" and len(word) > 2:  # a short option with its value: -oweave
            old, equals, value = word[:2], "=", word[2:].removeprefix("=")
        new = OPTIONS.get(old, "")
        if over or old in names or new not in names:
            yield word
            continue
        if not quiet:
            tell(old, new)
        yield f"{new}{equals}{value}"


def tell(old: str, new: str) -> None:
    """Say on standard error that a name is a former one."""
    print(f"lab: '{old}' is now called '{new}'", file=sys.stderr)
