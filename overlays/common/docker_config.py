"""Settings of a host's own Docker daemon: given by an overlay, and taken back by it.

Each overlay touches only its own keys of ``/etc/docker/daemon.json``. What they were before is
kept in a file beside it, so that a later process can restore them too.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.errors import CommandError, OverlayError
from lab.hosts.daemons import signal_argv
from lab.hosts.host import Host
from overlays.common.batch import Batch

SETTINGS = "/etc/docker/daemon.json"
PIDFILE = "/var/run/docker.pid"
CONTROL = "/usr/local/lib/lab/docker-daemon"


def backup(overlay: str) -> str:
    """Return the file that keeps what the settings were before an overlay changed them."""
    return f"/etc/docker/.before-{overlay}.json"


def changed(current: str, new: Mapping[str, Any], during: Mapping[str, Any] | None = None) -> tuple[str, str]:
    """Return the new text of the settings, and the text of the backup that undoes the change.

    `during` are settings that Docker needs only while it restarts on the old ones.
    """
    settings: dict[str, Any] = json.loads(current) if current.strip() else {}
    keys = {key: settings.get(key) for key in new}
    before = {"file": bool(current.strip()), "keys": keys, "during": dict(during or {})}
    return json.dumps({**settings, **new}, indent=1), json.dumps(before)


def restored(current: str, before: str) -> tuple[str, str]:
    """Return the settings without an overlay's change: as Docker restarts on them, and as they stay.

    The second is empty when there was no file.
    """
    settings: dict[str, Any] = json.loads(current) if current.strip() else {}
    old = json.loads(before)
    kept = {key: value for key, value in {**settings, **old["keys"]}.items() if value is not None}
    stays = json.dumps(kept, indent=1) if kept or old["file"] else ""
    return json.dumps({**old["during"], **kept}), stays


def parse_read(text: str, overlay: str) -> tuple[str, str]:
    """Return settings and backup out of what `read` printed: every line with its file's name before it."""
    found = {SETTINGS: "", backup(overlay): ""}
    for line in text.splitlines():
        path, _, content = line.partition(":")
        found[path] += content + "\n"
    return found[SETTINGS], found[backup(overlay)]


async def read(host: Host, overlay: str) -> tuple[str, str]:
    """Read a host's settings and an overlay's backup of them; empty where there is no such file."""
    listed = await host.run(["grep", "-H", "-s", "", SETTINGS, backup(overlay)], check=False)
    return parse_read(listed.stdout, overlay)


async def change(
    host: Host, overlay: str, new: Mapping[str, Any], during: Mapping[str, Any] | None = None
) -> bool:
    """Write an overlay's settings; False when they were there already. Docker is not told yet."""
    current, before = await read(host, overlay)
    if current.strip() and all(json.loads(current).get(key) == value for key, value in new.items()):
        return False
    text, undo = changed(current, new, during)
    batch = Batch().write(SETTINGS, text)
    if not before:
        batch.write(backup(overlay), undo)
    await batch.on(host)
    return True


async def restore(host: Host, overlay: str, tell: Batch | None = None) -> bool:
    """Take an overlay's settings back and restart Docker, or `tell` it so; False when there were none."""
    current, before = await read(host, overlay)
    if not before:
        return False
    restarting, stays = restored(current, before)
    batch = Batch().write(SETTINGS, restarting).then(tell or restart())
    if stays:
        batch.write(SETTINGS, stays)
    else:
        batch.run(["rm", "-f", SETTINGS])
    await batch.run(["rm", "-f", backup(overlay)]).on(host, timeout=120)
    return True


@contextmanager
def restarting(host: Host, overlay: str) -> Iterator[None]:
    """Name a restart of Docker that fails.

    Raises:
        OverlayError: in place of the command's error.
    """
    try:
        yield
    except CommandError as error:
        words = error.stderr.strip() or error.stdout.strip()
        raise OverlayError(f"{overlay}: Docker on {host.name} did not restart: {words}") from error


def reload() -> Batch:
    """Let the daemon read its settings again, where it can do so while it runs."""
    return Batch().run(signal_argv("HUP", PIDFILE, "dockerd"))


def start() -> Batch:
    """Start a daemon that has died; one that runs is left as it is."""
    return Batch().run([CONTROL, "start"])


def restart() -> Batch:
    """End the daemon and start it again, for settings that it reads only once; its containers end too."""
    return Batch().run([CONTROL, "restart"])
