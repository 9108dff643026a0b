"""A record of an installed overlay on each of its hosts: its options, and what was chosen for it.

Another process that installs the overlay on the same hosts finds the record, and continues with the
overlay that runs. The record has no secret. It is removed with the overlay, or at the host's next boot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.errors import OverlayError
from lab.hosts.host import Host
from lab.util.concurrency import together
from overlays.common.batch import Batch

FOLDER = "/run/lab/overlays"


@dataclass(frozen=True)
class Installed:
    """The hosts that do not have an overlay yet, and what was chosen for it when it was first installed.

    `choices` is None where it is on no host.
    """

    choices: Mapping[str, Any] | None
    new: tuple[Host, ...]


def path(overlay: str) -> str:
    """Return the file of an overlay on a host."""
    return f"{FOLDER}/{overlay}.json"


async def read(overlay: str, settings: Mapping[str, str], hosts: Sequence[Host]) -> Installed:
    """Read the records of all hosts, side by side.

    Raises:
        OverlayError: on one the overlay runs with other options; says which, and which were asked for.
    """
    choices: Mapping[str, Any] | None = None
    new = list[Host]()
    records = await together(host.run(["cat", path(overlay)], check=False) for host in hosts)
    for host, printed in zip(hosts, records, strict=True):
        if not printed.stdout.strip():
            new.append(host)
            continue
        record = json.loads(printed.stdout)
        refuse_other(overlay, host.name, record["settings"], settings)
        choices = choices or record["told"]
    return Installed(choices, tuple(new))


def refuse_other(overlay: str, host: str, runs: Mapping[str, str], asked: Mapping[str, str]) -> None:
    """Check that an overlay runs with the options that were asked for.

    Raises:
        OverlayError: it does not.
    """
    keys = [key for key in sorted({*runs, *asked}) if runs.get(key) != asked.get(key)]
    if keys:
        has, wants = ([f"{key}={of.get(key, 'none')}" for key in keys] for of in (runs, asked))
        raise OverlayError(
            f"{overlay} runs on {host} with {', '.join(has)}, and {', '.join(wants)} was asked for; "
            "ask for what runs, or uninstall it first"
        )


async def write(
    overlay: str, settings: Mapping[str, str], choices: Mapping[str, Any], hosts: Sequence[Host]
) -> None:
    """Write the record on hosts, side by side."""
    text = json.dumps({"settings": dict(settings), "told": dict(choices)})
    await together(Batch().write(path(overlay), text).on(host) for host in hosts)


def drop(batch: Batch, overlay: str) -> Batch:
    """Add to a batch that the overlay is gone from a host."""
    return batch.run(["rm", "-f", path(overlay)])
