"""YAML with line numbers in its errors, and without keys given twice."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, ClassVar

import yaml

from lab.errors import TopologyError
from lab.util import documents
from lab.util.documents import Bounds

Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
#: The C parser with Python's composer, which asks for one event after the other.
LOADERS: Any = (yaml.composer.Composer, yaml.CSafeLoader) if yaml.__with_libyaml__ else (yaml.SafeLoader,)
#: Lines, entries of lists, signs of flow style; ten thousand hosts with twenty thousand links take 170,000.
BOUNDS = Bounds("YAML of the lab", item=r"[\n,\[{]|- ", items=250_000)
#: Levels of nesting; ours need four.
MAX_DEPTH = 20
#: What PyYAML would take a plain text for beyond what JSON has: dates, merged keys, default values.
UNUSUAL = ("timestamp", "merge", "value")
OPENS = (yaml.SequenceStartEvent, yaml.MappingStartEvent)
CLOSES = (yaml.SequenceEndEvent, yaml.MappingEndEvent)


Place = Callable[[Sequence[Any]], str]


class _Strict(*LOADERS):  # type: ignore[misc]
    """YAML without aliases, tags, dates, deep nesting, and keys that are given twice.

    A hundred lines of aliases can stand for billions of values, and the C composer dies of deep nesting.
    """

    yaml_implicit_resolvers: ClassVar[Any] = {
        first: [pair for pair in pairs if pair[0].rpartition(":")[2] not in UNUSUAL]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        for base in LOADERS:
            base.__init__(self, *([] if base is yaml.composer.Composer else [text]))
        self._depth = 0

    def get_event(self) -> Any:
        event: Any = super().get_event()
        self._depth += isinstance(event, OPENS) - isinstance(event, CLOSES)
        if self._depth > MAX_DEPTH:
            raise _fault("it is nested too deeply", event)
        if getattr(event, "tag", None) is not None:
            raise _fault(f"a tag, {event.tag}; write the value alone", event)
        return event

    def compose_node(self, parent: Any, index: Any) -> Any:
        if isinstance(event := self.peek_event(), yaml.AliasEvent):
            raise _fault(f"an alias, *{event.anchor}; write the value itself", event)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a key that is no text", key)
            if key.value in seen:
                raise _fault(f"{key.value!r} is given twice", key)
            seen.add(key.value)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:  # a number of five thousand digits, or 0x_
            raise _fault(f"{str(node.value)[:40]!r} is no value", node) from error


def _fault(problem: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


def load(text: str, source: str) -> Any:
    """Return the data of a YAML text.

    Raises:
        TopologyError: it is no YAML, it nests too deeply, it has an alias or a tag, or a key is given
            twice; with the line.
    """
    return located(text, source)[0]


def located(text: str, source: str) -> tuple[Any, Place]:
    """Return the data of a YAML text, and a function from the path of a value in it to its line.

    The path is ``("hosts", "A", "cpus")``, say, and the line ``:12``.

    Raises:
        TopologyError: see `load`.
    """
    return documents.parsed(text, source, lambda text: _located(text, source), TopologyError, BOUNDS)


def _located(text: str, source: str) -> tuple[Any, Place]:
    loader = _Strict(text)
    try:
        root = loader.get_single_node()
        data = None if root is None else loader.construct_document(root)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        raise TopologyError(f"{source}{line}: {problem}") from error
    finally:
        loader.dispose()
    return data, lambda path: _place(root, path)


def _place(root: Any, path: Sequence[Any]) -> str:
    node = root
    for step in path:
        child = _child(node, step)
        if child is None:
            break
        node = child
    return f":{node.start_mark.line + 1}" if node is not None else ""


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
    """Return data as YAML, in its own order; the same data always gives the same text."""
    text: str = yaml.dump(data, Dumper=_WithoutAliases, sort_keys=False, allow_unicode=True, width=100)
    return text
