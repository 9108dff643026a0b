"""Settings of a host's own Docker daemon: given by an overlay, and taken back by it.

Each overlay touches only its own keys of ``/etc/docker/daemon.json``. What they were before is
kept in a file beside it, so that a later process can restore them too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lab.hosts.base import Host
from overlays.support.batch import Batch

SETTINGS = "/etc/docker/daemon.json"
CONTROL = "/usr/local/lib/lab/docker-daemon"


def backup(overlay: str) -> str:
    """The file that keeps what the settings were before an overlay changed them."""
    return f"/etc/docker/.before-{overlay}.json"


def changed(current: str, new: Mapping[str, Any]) -> tuple[str, str]:
    """The new text of the settings, and the text of the backup that undoes the change."""
    settings: dict[str, Any] = json.loads(current) if current.strip() else {}
    before = {"file": bool(current.strip()), "keys": {key: settings.get(key) for key in new}}
    return json.dumps({**settings, **new}, indent=1), json.dumps(before)


def restored(current: str, before: str) -> str:
    """The text of the settings without an overlay's change; empty when there was no file."""
    settings: dict[str, Any] = json.loads(current) if current.strip() else {}
    old = json.loads(before)
    settings |= old["keys"]
    settings = {key: value for key, value in settings.items() if value is not None}
    return json.dumps(settings, indent=1) if settings or old["file"] else ""


async def read(host: Host, path: str) -> str:
    """A file of the host; empty when there is none."""
    result = await host.run(["cat", path], check=False)
    return result.stdout if result.status == 0 else ""


async def change(host: Host, overlay: str, new: Mapping[str, Any]) -> bool:
    """Write an overlay's settings; False when they were there already. Docker is not told yet."""
    current = await read(host, SETTINGS)
    if current.strip() and all(json.loads(current).get(key) == value for key, value in new.items()):
        return False
    text, before = changed(current, new)
    batch = Batch().write(SETTINGS, text)
    if not await read(host, backup(overlay)):
        batch.write(backup(overlay), before)
    await batch.on(host)
    return True


async def restore(host: Host, overlay: str) -> bool:
    """Take an overlay's settings back; False when there were none. Docker is not told yet."""
    before = await read(host, backup(overlay))
    if not before:
        return False
    text = restored(await read(host, SETTINGS), before)
    batch = Batch().write(SETTINGS, text) if text else Batch().run(["rm", "-f", SETTINGS])
    await batch.run(["rm", "-f", backup(overlay)]).on(host)
    return True


async def reload(host: Host) -> None:
    """Let the daemon read its settings again, where it can do so while it runs."""
    await host.run(
        ["start-stop-daemon", "--stop", "--signal", "HUP", "--oknodo", "--pidfile", "/var/run/docker.pid"]
    )


async def restart(host: Host) -> None:
    """End the daemon and start it again, for settings that it reads only once; its containers end too."""
    await host.run([CONTROL, "restart"], timeout=120)
