"""YAML with line numbers in its errors, and without keys given twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import yaml

from lab.errors import TopologyError

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
#: Bytes. Ten thousand hosts take a third of it.
MAX_CHARACTERS = 8 * 1024 * 1024
#: Levels of nesting; ours need four.
MAX_DEPTH = 20
OPENS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
CLOSES = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


class _Once(Loader):  # type: ignore[misc]
    """Refuses a key that is given twice, where YAML itself lets the later one win silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"{key.value!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(str(key.value))
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


def load(text: str, source: str) -> Any:
    """Return the data of a YAML text.

    Raises:
        TopologyError: it is no YAML, it nests too deeply, it has an alias, or a key is given
            twice; with the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise TopologyError(f"{source} has more than {MAX_CHARACTERS} characters; split the topology")
    try:
        _refuse_aliases_and_depth(text)
        return yaml.load(text, Loader=_Once)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        deep = "it is nested too deeply" if isinstance(error, RecursionError) else None
        problem = deep or str(getattr(error, "problem", None) or error).splitlines()[0]
        raise TopologyError(f"{source}{line}: {problem}") from error


def _refuse_aliases_and_depth(text: str) -> None:
    """Refuse aliases and deep nesting.

    A hundred lines of aliases can stand for billions of values; the C loader dies of deep nesting.
    """
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, OPENS) - isinstance(event, CLOSES)
        mark: Any = event.start_mark
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="it is nested too deeply", problem_mark=mark)
        if isinstance(event, yaml.AliasEvent):
            problem = f"an alias, *{event.anchor}; write the value itself"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def line_finder(text: str) -> Callable[[Sequence[Any]], str]:
    """Return a function from the path of a value (``("hosts", "A", "cpus")``) to its line, as ``:12``."""
    root = yaml.compose(text, Loader=Loader)

    def place(path: Sequence[Any]) -> str:
        node = root
        for step in path:
            child = _child(node, step)
            if child is None:
                break
            node = child
        return f":{node.start_mark.line + 1}" if node is not None else ""

    return place


def _child(node: Any, step: Any) -> Any:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == str(step)), None)
    return None


class _WithoutAliases(Dumper):  # type: ignore[misc]
    """Writes a value again where it comes again: `load` refuses aliases."""

    def ignore_aliases(self, _: Any) -> bool:
        return True


def dump(data: Any) -> str:
    """Return data as YAML, in the order in which it stands; the same data always gives the same text."""
    text: str = yaml.dump(data, Dumper=_WithoutAliases, sort_keys=False, allow_unicode=True, width=100)
    return text
