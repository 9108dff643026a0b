"""lab doctor: what this machine can and cannot do."""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer

SIGNS = {
    "ok": ("✓", "green"),
    "missing": ("✗", "red"),
    "optional": ("–", "yellow"),
    "unknown": ("?", "yellow"),
}


def command(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
) -> None:
    """Try what this machine can do for the lab, and say how to get what it lacks.

    ✓ works; ✗ without it no lab is built; – something else cannot be done; ? could not be
    tried. Ends with status 1 when there is a ✗. Knows more as root.

    Example: sudo python -m lab doctor
    """
    from rich.console import Console
    from rich.text import Text

    from lab.doctor import examine

    findings = asyncio.run(examine())
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
    raise typer.Exit(1 if any(finding.state == "missing" for finding in findings) else 0)
