"""From a raw document to a checked one: every fault with its place, none left for later."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from math import isfinite

from lark import Token

from lab.dsl.adjacencies import AdjacencyChecker
from lab.dsl.diagnostics import Faults, expected
from lab.dsl.document import LINK, NODES, Adjacency, Attributes, Document, Port, Resource
from lab.dsl.grammar import RawAttribute, RawDocument, RawPart, RawResource
from lab.dsl.gts_rules import to_number
from lab.topology.validation import RANGES

MAX_NAME = 200
ID = re.compile(rf"[A-Za-z0-9_$-]{{1,{MAX_NAME}}}")
#: Inner blocks other than ports, by kind of resource.
BLOCKS: Mapping[str, tuple[str, ...]] = {"vsi": ("controller",), "ofx": ("controller",)}
#: Attributes that are numbers to us; the factor makes Mbit/s of them.
RATES = {"capacity": 1.0, "bandwidth": 1.0, "lineRate": 1000.0}
_ESCAPE = re.compile(r"\\u+([0-9A-Fa-f]{4})|\\(.)")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "s": " "}


class Checker:
    """Makes documents of raw ones; faults go to `faults`. `locations` are known sites, in upper case."""

    def __init__(self, faults: Faults, locations: Collection[str]) -> None:
        self._faults, self._locations = faults, locations

    def document(self, raw: RawDocument, certain: bool) -> Document:
        """Return the checked document; unless the text is `certain`, references in it are not checked."""
        if len(raw.name) > MAX_NAME:
            self._faults.add(raw.at, raw.name, f"expected a name of at most {MAX_NAME} characters")
        about = self._attributes(raw.attributes)
        resources = self._resources(raw.resources)
        by_id = self._by_id(resources)
        adjacencies: list[Adjacency] = []
        if certain:
            adjacencies = AdjacencyChecker(self._faults, by_id).check(raw.adjacencies)
            if not any(resource.kind in NODES for resource in resources):
                self._faults.add(raw.at, raw.name, "it has no hosts; expected at least one host block")
        texts = {name: self._text(about.pop(name, None), name) for name in ("id", "description")}
        return Document(
            raw.name,
            texts["id"],
            texts["description"] or "",
            tuple(resources),
            tuple(adjacencies),
            _rest(about),
        )

    def _resources(self, raw: list[RawResource]) -> list[Resource]:
        """Take the raw ones out of their list one by one, so that no text is in memory twice."""
        raw.reverse()
        found = []
        while raw:
            found.append(self._resource(raw.pop()))
        return found

    def _attributes(self, raw: Iterable[RawAttribute]) -> dict[str, RawAttribute]:
        found: dict[str, RawAttribute] = {}
        for attribute in raw:
            if attribute.name in found:
                self._faults.add(attribute.at, attribute.name, "given twice in one block; expected it once")
            elif isinstance(attribute.value, float) and not isfinite(attribute.value):
                self._faults.add(
                    attribute.value_at, attribute.name, "a number beyond all; expected a smaller one"
                )
            elif isinstance(attribute.value, Token):
                attribute = attribute._replace(value=self._decoded(attribute.value, attribute.value_at))
            found.setdefault(attribute.name, attribute)
        return found

    def _decoded(self, token: Token, at: int) -> str:
        """Return the text between quotes, with its escapes taken out."""
        inner = str(token[1:-1])
        if token[0] == '"' and (found := re.search(r"(?<!\\)(?:\\\\)*(\$\{)", inner)):
            self._faults.add(
                at + found.start(1), inner[found.start(1) :], "a Groovy variable; expected plain text"
            )
        plain = _ESCAPE.sub(lambda m: chr(int(m[1], 16)) if m[1] else _ESCAPES.get(m[2], m[2]), inner)
        return plain.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")

    def _text(self, attribute: RawAttribute | None, name: str) -> str | None:
        if attribute is None or attribute.value is None or isinstance(attribute.value, str):
            return attribute and attribute.value
        self._faults.add(
            attribute.value_at, str(attribute.value), f"{name} is no text; expected text in quotes"
        )
        return None

    def _id(self, attribute: RawAttribute | None, what: str, at: int) -> str:
        if attribute is None:
            self._faults.add(at, what, 'it has no id; expected id="…"')
            return ""
        value = self._text(attribute, "id") or ""
        if isinstance(attribute.value, str) and "${" not in value and not ID.fullmatch(value):
            text = (
                "an id has letters, digits, '_', '$' and '-'; "
                f"expected 1 to {MAX_NAME} of them and nothing else"
            )
            self._faults.add(attribute.value_at, value, text)
            return ""
        return value

    def _resource(self, raw: RawResource) -> Resource:
        if raw.kind not in (*NODES, LINK):
            self._faults.add(raw.at, raw.kind, f"unknown resource; {expected(raw.kind, (*NODES, LINK))}")
        about = self._attributes(raw.attributes)
        at = about["id"].value_at if "id" in about else raw.at
        resource_id = self._id(about.pop("id", None), raw.kind, raw.at)
        location = self._location(raw, about) if raw.kind in NODES else None
        ports, blocks = self._parts(raw)
        if raw.kind == LINK:
            self._rates(about.values())
        return Resource(raw.kind, resource_id, location, ports, _rest(about), blocks, at)

    def _location(self, raw: RawResource, about: dict[str, RawAttribute]) -> str | None:
        attribute = about.pop("location", None)
        if attribute is None:
            self._faults.add(raw.at, raw.kind, 'it has no location; expected location="…"')
            return None
        name = self._text(attribute, "location")
        if name is not None and name.upper() not in self._locations:
            what = f"unknown location; {expected(name, self._locations)} (--site {name[:20]}=LAT,LON adds it)"
            self._faults.add(attribute.value_at, name, what)
        return name and name.upper()

    def _parts(self, raw: RawResource) -> tuple[tuple[Port, ...], tuple[tuple[str, Attributes], ...]]:
        ports: dict[str, Port] = {}
        blocks: list[tuple[str, Attributes]] = []
        for part in raw.parts:
            if part.name == "port":
                self._port(part, ports)
            elif part.name in BLOCKS.get(raw.kind, ()):
                blocks.append((part.name, _rest(self._attributes(part.attributes))))
            else:
                known = ("port", *BLOCKS.get(raw.kind, ()))
                self._faults.add(
                    part.at, part.name, f"unknown block in a {raw.kind}; {expected(part.name, known)}"
                )
        count = sum(part.name == "port" for part in raw.parts)
        if raw.kind == LINK and count != 2:
            self._faults.add(raw.at, raw.kind, f"it has {count} port{'s' * (count != 1)}; expected two")
        return tuple(ports.values()), tuple(blocks)

    def _port(self, part: RawPart, ports: dict[str, Port]) -> None:
        about = self._attributes(part.attributes)
        port = Port(self._id(about.pop("id", None), "port", part.at), _rest(about), part.at)
        self._rates(about.values())
        if port.id and port.id in ports:
            self._faults.add(part.at, port.id, "a second port with this id; expected ids that differ")
        ports.setdefault(port.id, port)

    def _rates(self, attributes: Iterable[RawAttribute]) -> None:
        least, most, unit = RANGES["rate"]
        for attribute in attributes:
            if attribute.name not in RATES or attribute.value is None:
                continue
            rate = to_number(attribute.value)
            if rate is None or not least <= rate * RATES[attribute.name] <= most:
                factor = RATES[attribute.name]
                span = f"{least / factor:g} to {most / factor:,.9g} {'Gbit/s' if factor > 1 else unit}"
                what = f"no {attribute.name}; expected a number, {span}"
                self._faults.add(attribute.value_at, str(attribute.value), what)

    def _by_id(self, resources: Sequence[Resource]) -> dict[str, Resource]:
        found: dict[str, Resource] = {}
        for resource in resources:
            if resource.id in found:
                line, column = self._faults.place(found[resource.id].at)
                what = f"a second resource with this id, first at {line}:{column}; expected ids that differ"
                self._faults.add(resource.at, resource.id, what)
            elif resource.id:
                found[resource.id] = resource
        return found


def _rest(attributes: Mapping[str, RawAttribute]) -> Attributes:
    return tuple((name, attribute.value) for name, attribute in attributes.items())
