"""lab doctor: a check of this machine, with remedies."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.process import need_root
from lab.errors import ExitCode, PluginError

if TYPE_CHECKING:
    from lab.doctor import Finding

#: The program of this environment.
PROGRAM = Path(sys.executable).with_name("lab")
SIGNS = {
    "ok": ("✓", "green"),
    "missing": ("✗", "red"),
    "optional": ("–", "yellow"),
    "unknown": ("?", "yellow"),
}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    fix_sudo: Annotated[
        bool, typer.Option("--fix-sudo", help="Make the symbolic link with which 'sudo lab' works.")
    ] = False,
) -> None:
    """Check what this machine can do for the lab, and say how to get what is missing.

    ✓ works. ✗ is missing, and no lab can be built without it. – is missing, and the lab can do less without
    it. ? could not be checked. The exit code is 1 if there is a ✗, and 3 if there is none, but
    something that a lab needs could not be checked: run it as root.

    At the end it says what this machine is good for.

    Example: sudo lab doctor
    """
    from rich.console import Console
    from rich.text import Text

    from lab import doctor

    if fix_sudo:
        need_root("doctor", "--fix-sudo")
        typer.echo(f"{doctor.fix_sudo(os.environ.get('PATH', ''), PROGRAM)} is the lab: type sudo lab")
        return
    findings = [*asyncio.run(doctor.examine()), *overlays()]
    if "SUDO_UID" in os.environ:
        findings.append(doctor.sudo_finds_lab(os.environ.get("PATH", ""), PROGRAM))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=1, ensure_ascii=False))
    else:
        console = Console(highlight=False)
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            words = f" {finding.name.ljust(width)}  {finding.found}"
            console.print(Text.assemble(SIGNS[finding.state], words), soft_wrap=True)
            if finding.remedy:
                console.print(Text(f"  {' ' * width}  → {finding.remedy}", "dim"), soft_wrap=True)
        console.print()
        console.print(Text(" ".join(good_for(findings))))
    raise typer.Exit(_status(findings))


def good_for(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield, in sentences, what can be done on this machine, and what was measured of it."""
    from lab import plugins
    from lab.runs.capacity_estimate import measured

    state = {finding.name: finding.state for finding in findings}
    if lacking := [name for name, word in state.items() if word == "missing"]:
        yield f"No lab can be built here before this is there: {', '.join(lacking)}."
        return
    yield "Labs can be built here" + (", as root." if state.get("root") != "ok" else ".")
    there = [name.removeprefix("overlay ") for name, word in state.items() if _is(name, word, "overlay ")]
    yield f"Experiments: {', '.join(plugins.names('experiments'))}, on {', '.join(there)}."
    shapers = [name.removeprefix("shaper ") for name, word in state.items() if _is(name, word, "shaper ")]
    if shapers:
        yield f"Links are shaped by {shapers[0]}."
    if carried := measured():
        yield f"Measured here: {'; '.join(carried)}."
    else:
        yield "How many Mbit/s it carries was not measured yet: 'sudo lab capacity EXPERIMENT' does that."
    yield f"{_free_memory():.1f} GiB of memory are free for hosts."


def _is(name: str, state: str, kind: str) -> bool:
    return state == "ok" and name.startswith(kind)


def _free_memory() -> float:
    """Return the memory that new processes could have, in GiB, as the kernel estimates it."""
    rows = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    return int(rows["MemAvailable"].split()[0]) / 2**20


def overlays() -> list[Finding]:
    """Ask every overlay if this machine can supply its programs, as `lab list overlays` does."""
    from overlays import registry

    return list(map(_overlay, registry.names()))


def _overlay(name: str) -> Finding:
    from lab.doctor import Finding
    from overlays import registry

    try:
        missing = registry.load(name).obtainable()
    except PluginError as error:
        return Finding(f"overlay {name}", "optional", str(error))
    if missing:
        return Finding(f"overlay {name}", "optional", missing.what, missing.remedy)
    return Finding(f"overlay {name}", "ok", "obtainable here")


def _status(findings: Sequence[Finding]) -> ExitCode:
    if any(finding.state == "missing" for finding in findings):
        return ExitCode.FAILED
    from lab.doctor import NEEDS_ROOT

    unknown = any(finding.found == NEEDS_ROOT for finding in findings)
    return ExitCode.CANNOT_TELL if unknown else ExitCode.DONE
