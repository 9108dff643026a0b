"""lab list: the topologies, overlays and experiments that can be named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from lab import plugins
from lab.errors import PluginError, UnknownName

if TYPE_CHECKING:
    from lab.hosts.host import HostFacts
    from overlays.base import Overlay


def command(
    kind: Annotated[
        str | None, typer.Argument(help="topologies, overlays or experiments. Default: all.")
    ] = None,
) -> None:
    """List topologies, overlays and experiments.

    Example: lab list overlays
    """
    if kind is not None and kind not in plugins.KINDS:
        raise UnknownName("kind of thing to list", kind, plugins.KINDS)
    for package in (kind,) if kind else plugins.KINDS:
        if kind is None:
            typer.echo(f"{package}:")
        if package == "overlays":
            _overlays()
        else:
            _modules(package)


def _modules(package: str) -> None:
    """Print every module's name and the first line of its docstring."""
    for name in plugins.names(package):
        try:
            words = plugins.summary(plugins.load(package, name))
        except PluginError as error:
            words = str(error)
        typer.echo(f"  {name:<16} {words}")


def _overlays() -> None:
    """Print every overlay, its options, whether this machine can supply it, and its modes in this kernel."""
    from lab.hosts import facts as kernel
    from overlays import registry

    facts = asyncio.run(kernel.of_this_machine())
    for name in registry.names():
        try:
            kind = registry.load(name)
        except PluginError as error:
            typer.echo(f"  {name:<16} {error}")
            continue
        typer.echo(f"  {name:<16} {kind.summary}")
        missing = kind.obtainable()
        here = f"not obtainable here: {missing.what}; {missing.remedy}" if missing else "obtainable here"
        for line in [*_options(kind), here, *_modes(kind, facts)]:
            typer.echo(f"  {'':<16}   {line}")


def _options(kind: type[Overlay]) -> Iterator[str]:
    for option in kind.options:
        values = "|".join(option.values) or ("NUMBER" if option.number else "TEXT")
        yield f"{option.key}={values}  (default {option.default or 'none'})  {option.help}"


def _modes(kind: type[Overlay], facts: HostFacts | None) -> Iterator[str]:
    """Yield what hosts with these facts can do; the kernel may not let everybody ask."""
    from overlays import registry

    if facts is None:
        yield f"modes {', '.join(kind.modes)}: this kernel lets only root try them; run as root"
        return
    for mode, lacking in registry.modes(kind, facts).items():
        why = f"a host here lacks {lacking.what}; {lacking.remedy}" if lacking else "this kernel can"
        yield f"mode {mode}: {why}"
        if not lacking:
            for switch, why in registry.switches(kind, mode, facts).items():
                yield f"mode {mode} with {switch}: {why}"
