"""Overlays by name, with options: ``weave:mode=sleeve,encryption=on`` becomes an overlay object.

Which overlays there are, `lab.plugins` knows.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab import plugins
from lab.errors import OverlayError
from lab.hosts.host import HostFacts
from overlays.base import Missing, Option, Overlay


def names() -> tuple[str, ...]:
    """Return the names of all overlays, the lab's own and others'."""
    return plugins.names("overlays")


def load(name: str) -> type[Overlay]:
    """Return the class of the overlay of this name.

    Raises:
        UnknownName: there is none; the error has the nearest name.
        PluginError: what is registered under this name cannot be loaded, or is no overlay.
    """
    kind: type[Overlay] = plugins.load("overlays", name)
    return kind


def parse(text: str) -> Overlay:
    """Build the overlay that ``NAME[:key=value[,key=value…]]`` asks for.

    Raises:
        UnknownName: there is no overlay of this name.
        OverlayError: an option or a value that it does not have; the message lists those it has.
    """
    name, _, words = text.partition(":")
    kind = load(name.strip())
    return kind(**settings(kind, words))


def settings(kind: type[Overlay], words: str) -> Mapping[str, str]:
    """Read the options in ``key=value,key=value``, each checked against what the overlay has."""
    known = {option.key: option for option in kind.options}
    chosen: dict[str, str] = {}
    for word in filter(None, (w.strip() for w in words.split(","))):
        key, equals, value = word.partition("=")
        if not equals or key not in known:
            shown = [f"{o.key}={'|'.join(o.values) or o.default}" for o in kind.options]
            raise OverlayError(
                f"overlay {kind.name!r} has no option {key!r}; it has {', '.join(shown) or 'none'}"
            )
        chosen[key] = _valid(kind, known[key], value)
    return chosen


def _valid(kind: type[Overlay], option: Option, value: str) -> str:
    what = f"option {option.key!r} of overlay {kind.name!r} cannot be {value!r}"
    if option.values and value not in option.values:
        raise OverlayError(f"{what}; it is one of {', '.join(option.values)}")
    if option.number and not value.isdigit():
        raise OverlayError(f"{what}; it is a number")
    return value


def modes(kind: type[Overlay], facts: HostFacts) -> Mapping[str, Missing | None]:
    """Return what a host with these facts lacks for each mode of an overlay; None where it can run it."""
    return {mode: _lacking(kind, _chosen(kind, mode), facts) for mode in kind.modes}


def switches(kind: type[Overlay], mode: str, facts: HostFacts) -> Mapping[str, str]:
    """Return what keeps a mode's switches (``encryption=on``) off in a kernel that can do the mode."""
    keys = [option.key for option in kind.options if set(option.values) == {"on", "off"}]
    reasons = {f"{key}=on": _why_not(kind, {**_chosen(kind, mode), key: "on"}, facts) for key in keys}
    return {switch: why for switch, why in reasons.items() if why}


def _why_not(kind: type[Overlay], chosen: Mapping[str, str], facts: HostFacts) -> str:
    try:
        lacking = _lacking(kind, chosen, facts)
    except OverlayError as error:
        return str(error)
    return f"a host here lacks {lacking.what}; {lacking.remedy}" if lacking else ""


def _chosen(kind: type[Overlay], mode: str) -> Mapping[str, str]:
    """Return the option that chooses a mode, where one does."""
    chooses = next((o.key for o in kind.options if set(kind.modes) <= set(o.values)), None)
    return {chooses: mode} if chooses else {}


def _lacking(kind: type[Overlay], chosen: Mapping[str, str], facts: HostFacts) -> Missing | None:
    return next(iter(kind(**chosen).prerequisites(facts)), None)
