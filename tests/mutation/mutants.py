"""Small faults to put into a module, one at a time: what a test of it should notice.

A fault is a piece of the text replaced by another, so that it can be shown, and lines keep their numbers.
Docstrings, types, decorators, assertions (that of `zip(strict=True)` too), and the words of errors and events
are left alone: tests need not fix those.
So are figures that a module gives a name (`PATIENCE = 10.0`), and how long a command may take
(`timeout=60`): a test could only repeat them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
#: Names of which one is easily taken for the other.
PAIRS = {"a": "b", "min": "max", "any": "all", "SIGTERM": "SIGKILL", "LOCK_SH": "LOCK_EX", "source": "target"}
PAIRS |= {other: name for name, other in PAIRS.items()}
#: Calls that tell somebody something, and waits between two looks.
TELLING = frozenset({"emit", "_emit", "Note", "Missing", "step", "words", "append_words", "suppress"})
TELLING |= {"debug", "info", "warning", "overload", "cast", "TypeVar", "sleep"}
#: The place of the description of an option.
HELP = 3
#: The argument that says how long something may take.
PATIENCE = "timeout"


@dataclass(frozen=True)
class Mutant:
    """A fault in a file: the bytes from `start` to `end` are replaced by `text`."""

    file: str
    line: int
    #: First and last line of its statement, without those that stand inside that.
    lines: tuple[int, int]
    start: int
    end: int
    before: str
    text: str

    @property
    def change(self) -> str:
        """Say what becomes of what, in one line."""
        before, after = (" ".join(side.split()) for side in (self.before, self.text))
        return f"{before} → {after}"

    def applied(self, source: bytes) -> bytes:
        """Return the text of the file with this fault in it."""
        return source[: self.start] + self.text.encode() + source[self.end :]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.change}"


def of(root: Path, file: str) -> list[Mutant]:
    """Return every fault that can be put into a file, in the order of its lines."""
    source = (root / file).read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = {}
    for statement, node, text in _faults(ast.parse(source)):
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)
        before = source[start:end].decode()
        if before != text:
            mutant = Mutant(file, node.lineno, _span(statement), start, end, before, text)
            found.setdefault((start, end, text), mutant)
    return sorted(found.values(), key=lambda mutant: (mutant.start, mutant.end, mutant.text))


def planted(root: Path, file: str, before: str, after: str) -> Mutant:
    """Return the fault that replaces a piece of a file that stands there once.

    Raises:
        ValueError: it stands there never, or more than once.
    """
    text = (root / file).read_text()
    if text.count(before) != 1:
        raise ValueError(f"{file}: {before!r} stands there {text.count(before)} times")
    start = len(text[: text.index(before)].encode())
    line = text[: text.index(before)].count("\n") + 1
    return Mutant(file, line, (line, line), start, start + len(before.encode()), before, after)


def _span(statement: ast.stmt) -> tuple[int, int]:
    body = getattr(statement, "body", None)
    last = body[0].lineno - 1 if isinstance(body, list) else statement.end_lineno
    return statement.lineno, max(statement.lineno, last or 0)


def _faults(tree: ast.Module) -> Iterator[tuple[ast.stmt, ast.stmt | ast.expr, str]]:
    """Yield statement, the node to replace, and what by."""
    for statement in (node for node in ast.walk(tree) if isinstance(node, ast.stmt)):
        if isinstance(statement, ast.Raise | ast.Import | ast.ImportFrom | ast.Assert) or _bare(statement):
            continue
        for text in _of_statement(statement):
            yield statement, statement, text
        for root in _expressions(statement):
            for node in _inside(root):
                for text in _of_expression(node):
                    yield statement, node, text


def _bare(statement: ast.stmt) -> bool:
    """Tell a docstring, and a name for a figure."""
    value = statement.value if isinstance(statement, ast.Expr | ast.Assign | ast.AnnAssign) else None
    at_the_left = isinstance(statement, ast.Assign | ast.AnnAssign) and statement.col_offset == 0
    if at_the_left and isinstance(value, ast.Subscript):  # a name for a type
        return True
    if at_the_left and value is not None and _figure(value):
        return True
    if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "summary":
        return True
    return isinstance(value, ast.Constant) and isinstance(statement, ast.Expr)


def _figure(node: ast.expr) -> bool:
    """Tell a number, a sum or product of numbers and of names of such, and several of them."""
    if isinstance(node, ast.Tuple):
        return all(_figure(one) for one in node.elts)
    if isinstance(node, ast.BinOp):
        return all(isinstance(side, ast.Name) or _figure(side) for side in (node.left, node.right))
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def _expressions(statement: ast.stmt) -> Iterator[ast.expr]:
    """Yield the expressions of a statement itself, without types, decorators and targets."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
        yield from (value for name, value in _defaults(statement.args) if name != PATIENCE)
    elif not isinstance(statement, ast.ClassDef | ast.Try):
        for name, value in ast.iter_fields(statement):
            if name in ("targets", "target", "annotation", "body", "orelse", "finalbody", "handlers"):
                continue
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.withitem):
                    yield one.context_expr
                elif isinstance(one, ast.expr):
                    yield one


def _defaults(given: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    """Yield the parameters that have a default, with it."""
    by_place = zip([*given.posonlyargs, *given.args][::-1], given.defaults[::-1], strict=False)
    for parameter, value in [*by_place, *zip(given.kwonlyargs, given.kw_defaults, strict=True)]:
        if value:
            yield parameter.arg, value


def _inside(node: ast.AST) -> Iterator[ast.expr]:
    """Yield an expression and all in it; texts with values in them have no places of their own."""
    if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Call) and _called(node) in TELLING):
        return
    if isinstance(node, ast.expr):
        yield node
    for name, value in ast.iter_fields(_without_help(node)):
        if name in ("annotation", "target", "ctx"):
            continue
        if isinstance(node, ast.keyword) and (_asserts(node) or _patience(node)):
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                yield from _inside(one)


def _patience(given: ast.keyword) -> bool:
    return given.arg == PATIENCE and isinstance(given.value, ast.Constant)


def _asserts(given: ast.keyword) -> bool:
    return given.arg == "strict" and isinstance(given.value, ast.Constant) and given.value.value is True


def _without_help(node: ast.AST) -> ast.AST:
    """Leave out the description of an option, which stands at this place."""
    if isinstance(node, ast.Call) and _called(node) == "Option":
        return ast.Call(node.func, [*node.args[:HELP], *node.args[HELP + 1 :]], node.keywords)
    return node


def _to_a_step(call: ast.Call) -> bool:
    """Tell the words that a step of the lab ends with: ``words.append(...)``."""
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func) == "words.append"


def _called(call: ast.Call) -> str:
    function = call.func
    return getattr(function, "attr", "") or getattr(function, "id", "")


def _of_statement(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.Expr):
        value = statement.value.value if isinstance(statement.value, ast.Await) else statement.value
        if isinstance(value, ast.Call) and _called(value) not in TELLING and not _to_a_step(value):
            yield "pass"
    elif isinstance(statement, ast.AugAssign | ast.Delete):
        yield "pass"
    elif isinstance(statement, ast.Return) and statement.value and not _none(statement.value):
        yield "return None"
    elif isinstance(statement, ast.Break):
        yield "continue"
    elif isinstance(statement, ast.Continue):
        yield "break"


def _none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _of_expression(node: ast.expr) -> Iterator[str]:
    replace = _BY_KIND.get(type(node))
    if replace is not None:
        for new in replace(node):
            yield new if isinstance(new, str) else f"({ast.unparse(new)})"


def _compare(node: ast.Compare) -> Iterator[ast.expr]:
    for n, operator in enumerate(node.ops):
        if type(operator) in COMPARISONS:
            ops = [*node.ops[:n], COMPARISONS[type(operator)](), *node.ops[n + 1 :]]
            yield ast.Compare(node.left, ops, node.comparators)


def _bool(node: ast.BoolOp) -> Iterator[ast.expr]:
    yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    for n in range(len(node.values)):
        left = node.values[:n] + node.values[n + 1 :]
        yield left[0] if len(left) == 1 else ast.BoolOp(node.op, left)


def _binary(node: ast.BinOp) -> Iterator[ast.expr]:
    if type(node.op) in ARITHMETIC and not isinstance(node.right, ast.JoinedStr):
        yield ast.BinOp(node.left, ARITHMETIC[type(node.op)](), node.right)


def _unary(node: ast.UnaryOp) -> Iterator[ast.expr]:
    if isinstance(node.op, ast.Not | ast.USub):
        yield node.operand


def _either(node: ast.IfExp) -> Iterator[ast.expr]:
    yield ast.IfExp(node.test, node.orelse, node.body)


def _constant(node: ast.Constant) -> Iterator[str]:
    value = node.value
    if isinstance(value, bool):
        yield str(not value)
    elif isinstance(value, int):
        yield str(value + 1)
    elif isinstance(value, float):
        yield str(value * 2 or 1.0)
    elif isinstance(value, str):
        yield repr(f"{value}x")
    elif isinstance(value, bytes):
        yield repr(value + b"x")


def _call(node: ast.Call) -> Iterator[ast.expr]:
    for n, given in enumerate(node.keywords):
        if given.arg and given.arg != PATIENCE and not _asserts(given):
            yield ast.Call(node.func, node.args, node.keywords[:n] + node.keywords[n + 1 :])


def _sequence(node: ast.List | ast.Tuple) -> Iterator[ast.expr]:
    if isinstance(node.ctx, ast.Load):
        for n in range(len(node.elts)):
            yield type(node)(node.elts[:n] + node.elts[n + 1 :], node.ctx)


def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> Iterator[ast.expr]:
    for n, part in enumerate(node.generators):
        for k in range(len(part.ifs)):
            fewer = ast.comprehension(part.target, part.iter, part.ifs[:k] + part.ifs[k + 1 :], part.is_async)
            yield type(node)(node.elt, [*node.generators[:n], fewer, *node.generators[n + 1 :]])


def _name(node: ast.Name) -> Iterator[str]:
    if isinstance(node.ctx, ast.Load) and node.id in PAIRS:
        yield PAIRS[node.id]


def _attribute(node: ast.Attribute) -> Iterator[ast.expr]:
    if isinstance(node.ctx, ast.Load) and node.attr in PAIRS:
        yield ast.Attribute(node.value, PAIRS[node.attr], node.ctx)


_BY_KIND = {
    ast.Compare: _compare,
    ast.BoolOp: _bool,
    ast.BinOp: _binary,
    ast.UnaryOp: _unary,
    ast.IfExp: _either,
    ast.Constant: _constant,
    ast.Call: _call,
    ast.List: _sequence,
    ast.Tuple: _sequence,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.Name: _name,
    ast.Attribute: _attribute,
}
