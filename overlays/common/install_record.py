"""What an overlay was told, written down on each of its hosts.

Another process that installs it on the same hosts finds it there, and takes it up as it runs. No
secret is among it; the file goes with the overlay, or with the host's next boot.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.errors import OverlayError
from lab.hosts.host import Host
from overlays.common.batch import Batch
from overlays.common.polling import each

FOLDER = "/run/lab/overlays"


@dataclass(frozen=True)
class Found:
    """What stands on some hosts: what was settled when the overlay was installed, and who has it not yet.

    `told` is None where it is on no host.
    """

    told: Mapping[str, Any] | None
    new: tuple[Host, ...]


def path(overlay: str) -> str:
    """The file of an overlay on a host."""
    return f"{FOLDER}/{overlay}.json"


async def find(overlay: str, settings: Mapping[str, str], hosts: Sequence[Host]) -> Found:
    """Look on all hosts, side by side.

    Raises:
        OverlayError: on one the overlay runs with other options; says which, and which were asked for.
    """
    told: Mapping[str, Any] | None = None
    new = list[Host]()
    for host, text in zip(hosts, await each(lambda host: _read(host, overlay), hosts), strict=True):
        if not text.strip():
            new.append(host)
            continue
        said = json.loads(text)
        refuse_other(overlay, host.name, said["settings"], settings)
        told = told or said["told"]
    return Found(told, tuple(new))


async def _read(host: Host, overlay: str) -> str:
    return (await host.run(["cat", path(overlay)], check=False)).stdout


def refuse_other(overlay: str, host: str, runs: Mapping[str, str], asked: Mapping[str, str]) -> None:
    """Return when an overlay runs with the options that were asked for.

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


async def keep(
    overlay: str, settings: Mapping[str, str], told: Mapping[str, Any], hosts: Sequence[Host]
) -> None:
    """Write it down on hosts, side by side."""
    text = json.dumps({"settings": dict(settings), "told": dict(told)})
    await each(lambda host: Batch().write(path(overlay), text).on(host), hosts)


def drop(batch: Batch, overlay: str) -> Batch:
    """Add to a batch that the overlay is gone from a host."""
    return batch.run(["rm", "-f", path(overlay)])
