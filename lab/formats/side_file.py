"""The side file of a document: `NAME.lab.yaml` beside `NAME.dsl`, with what the language cannot hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab.dsl import sidecar
from lab.errors import DslError, TopologyError
from lab.formats import models, yaml_loader
from lab.topology import Topology


def path(document: Path) -> Path:
    """Where the side file of a document lies."""
    return document.with_name(f"{document.stem}.lab.yaml")


def text(topology: Topology, document: str) -> str:
    """The side file of a topology whose document is in a file of this name."""
    about = f"# What {document} cannot hold; every lab command reads it along.\n"
    return about + yaml_loader.dump(sidecar.of(topology))


def load(file: Path) -> dict[str, Any]:
    """What a side file says.

    Raises:
        DslError: it is not valid.
    """
    try:
        found = models.load(models.SideModel, file.read_text("utf-8"), str(file))
    except (TopologyError, UnicodeDecodeError) as error:
        raise DslError(str(error)) from error
    return found.model_dump(exclude_unset=True, by_alias=True)
