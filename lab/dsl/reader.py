"""From text to a raw document; after a fault it goes on, so that all faults are found at once."""

from __future__ import annotations

import re
from copy import copy
from typing import Any

from lark import Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from lab.dsl.diagnostics import Faults
from lab.dsl.document import LINK, NODES
from lab.dsl.grammar import TOKEN_NAMES, RawDocument, parser
from lab.dsl.groovy import code_alone, constructs, endless_comment

#: Characters. Ten thousand hosts with twenty thousand links take half of it.
MAX_CHARACTERS = 8 * 1024 * 1024
#: Attributes, blocks and adjacencies in all, by the signs that each of them needs. The same ten
#: thousand hosts take two thirds of it; a text of nothing else would take minutes.
MAX_ITEMS = 450_000
#: Attributes of one block; those of known documents have five.
MAX_ATTRIBUTES = 1000
#: Repairs after which a text is given up.
MAX_REPAIRS = 500
#: What stands in for a missing word.
STAND_INS = {
    "RBRACE": "}",
    "COMMA": ",",
    "EQUAL": "=",
    "LBRACE": "{",
    "TEXT": '""',
    "PORT": "a.b",
    "NAME": "a",
}
#: What may be missing, in the order in which it is tried; then whether the structure is sure after it.
REPAIRS = (
    *(("RBRACE",), ("COMMA",), ("EQUAL",), ("EQUAL", "TEXT"), ("LBRACE",), ("TEXT",), ("PORT",), ("NAME",)),
    *(("COMMA", "PORT"), ("PORT", "COMMA", "PORT"), ("RBRACE", "RBRACE"), ("TEXT", "RBRACE")),
)
SURE = (("RBRACE",), ("RBRACE", "RBRACE"), ("COMMA",), ("EQUAL",), ("LBRACE",))
_BRACES = re.compile(r"[{}]")
BLOCKS = (*NODES, LINK, "port", "controller")


def _crowded(piece: str) -> bool:
    return piece.count("=") > MAX_ATTRIBUTES


class TextReader:
    """One pass over one text.

    After it, `certain` says whether the repairs left the structure as it must have been
    meant: only then does it make sense to look for what the text refers to.
    """

    def __init__(self, text: str, faults: Faults) -> None:
        self.text, self.faults, self.certain = text, faults, True
        self._repairs, self._last_line, self._last_end = 0, 0, -1
        self._ended = False

    def document(self) -> RawDocument | None:
        """The raw document, or None when not even a repaired one could be made of the text."""
        if len(self.text) > MAX_CHARACTERS:
            self.faults.add(
                MAX_CHARACTERS,
                self.text[MAX_CHARACTERS : MAX_CHARACTERS + 20],
                f"expected at most {MAX_CHARACTERS:,} characters",
            )
            return None
        if sum(self.text.count(sign) for sign in "={,") > MAX_ITEMS:
            what = f"expected at most {MAX_ITEMS:,} attributes, blocks and adjacencies in all"
            self.faults.add(0, self.text[:20], what)
            return None
        if (comment := endless_comment(self.text)) is not None:
            self.faults.add(comment, "/*", "a comment without an end; expected '*/'")
            return None
        if (block := self._crowded_block()) is not None:
            what = f"expected at most {MAX_ATTRIBUTES:,} attributes in a block"
            self.faults.add(block, self.text[block : block + 20], what)
            return None
        try:
            found: Any = parser().parse(self.text, on_error=self._repair)
        except UnexpectedInput:
            self.certain = False
            return None
        return found if isinstance(found, RawDocument) else None

    def _crowded_block(self) -> int | None:
        """The offset of a piece between two braces with more attributes than a block may have."""
        if self.text.count("=") <= MAX_ATTRIBUTES or not any(map(_crowded, _BRACES.split(self.text))):
            return None
        at = 0
        for piece in _BRACES.split(code_alone(self.text)):
            if _crowded(piece):
                return at
            at += len(piece) + 1
        return None

    def _repair(self, error: UnexpectedInput) -> bool:
        """Note the fault and mend the parser's state; False gives up."""
        self._repairs += 1
        if self._repairs == 1 and self._refuse_groovy():
            return False
        if self._repairs > MAX_REPAIRS:
            return False
        if isinstance(error, UnexpectedCharacters):
            return self._skip_characters(error)
        return isinstance(error, UnexpectedToken) and self._mend(error)

    def _refuse_groovy(self) -> bool:
        for word, kind, at in constructs(self.text):
            self.faults.add(at, word, f"a Groovy {kind}; expected every resource written out")
        return bool(self.faults)

    def _skip_characters(self, error: UnexpectedCharacters) -> bool:
        """Pass over the rest of the line, or up to the next brace."""
        start = error.pos_in_stream or 0
        end = next((n for n in range(start + 1, len(self.text)) if self.text[n] in "{}\n"), len(self.text))
        self._note(start, self.text[start:end].rstrip(), self._expected(error))
        self.certain, self._last_end = False, end
        parsing: Any = error.interactive_parser
        parsing.lexer_thread.state.line_ctr.feed(self.text[start:end])
        return True

    def _mend(self, error: UnexpectedToken) -> bool:
        token: Token = error.token
        parsing: Any = error.interactive_parser
        if self._quote(parsing, token):
            return True
        repair = self._missing(parsing, token)
        if token.type == "$END":
            self._note(len(self.text.rstrip()), "the end of the document", self._expected(error, repair))
            return self._close(parsing)
        start = token.start_pos or 0
        self._note(start, str(token), self._expected(error, repair) + (" before it" if repair else ""))
        self.certain = self.certain and repair in SURE
        if not repair:
            self._last_end = start + len(token)
            return True
        for kind in repair:
            # a missing value has no place, so that nobody takes offence at it later
            parsing.feed_token(Token(kind, STAND_INS[kind], start_pos=None if kind == "TEXT" else start))
        parsing.feed_token(token)
        return True

    def _quote(self, parsing: Any, token: Token) -> bool:
        """Take a bare word for a text whose quotes are missing; a name before `=` is the next attribute."""
        start = token.start_pos or 0
        after = self.text[start + len(token) : start + len(token) + 20].lstrip()
        if token.type != "NAME" or after[:1] == "=" or "TEXT" not in parsing.accepts():
            return False
        self._note(start, str(token), "expected text in quotes")
        parsing.feed_token(Token("TEXT", f'"{token}"', start_pos=start - 1))
        return True

    def _missing(self, parsing: Any, token: Token) -> tuple[str, ...]:
        """The words after which this token would be right; empty when no repair makes it so."""
        last = parsing.parser_state.value_stack[-1:]
        opens_block = bool(last) and isinstance(last[0], Token) and last[0] in BLOCKS
        for repair in [("LBRACE",), *REPAIRS] if opens_block else REPAIRS:
            trial = parsing.copy(deepcopy_values=False)
            # without its callbacks the trial cannot touch the values that it shares
            trial.parser_state.parse_conf = copy(trial.parser_state.parse_conf)
            trial.parser_state.parse_conf.callbacks = {}
            for kind in repair:
                if kind not in trial.accepts():
                    break
                trial.feed_token(Token(kind, STAND_INS[kind], start_pos=token.start_pos))
            else:
                if token.type in trial.accepts():
                    return repair
        return ()

    def _close(self, parsing: Any) -> bool:
        """At the end of the text: close what is open, once."""
        if self._ended:
            return False
        self._ended, self.certain = True, False
        while "RBRACE" in parsing.accepts():
            parsing.feed_token(Token("RBRACE", "}"))
        return "$END" in parsing.accepts()

    def _expected(self, error: Any, repair: tuple[str, ...] = ()) -> str:
        accepted = repair if repair in SURE else error.interactive_parser.accepts()
        words = [
            TOKEN_NAMES[kind] for kind in TOKEN_NAMES if kind in accepted and kind not in ("TYPE", "KIND")
        ]
        if "ADJACENCY" in accepted:
            return "expected an attribute, a resource, 'adjacency' or '}'"
        return "expected " + (" or ".join(words) if words else "nothing more")

    def _note(self, at: int, text: str, what: str) -> None:
        """Keep a fault, unless it only follows from the one before."""
        line, _ = self.faults.place(at)
        follows = self._last_end >= 0 and not self.text[self._last_end : at].strip()
        if line != self._last_line and not follows:
            self.faults.add(at, text, what)
        self._last_line = line
