"""The whole machine, as a lab could change it: what is there, and what differs from before."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from time import monotonic, sleep

from tests.integration.inventory import command_lines, inventory

#: What a killed process took along may take so long to go (s): the kernel ends namespaces by and by.
PATIENCE = 10.0
#: Folders of a lab, and how deep they are looked into.
FOLDERS = (
    ("/run/lab", 3),
    ("/run/netns", 1),
    ("/var/lib/lab", 2),
    ("/var/lib/docker/volumes", 1),
    ("/tmp", 1),
)
#: Kept from one lab to the next: locks, and files of images, which are made once.
KEPT = (".lock", "/var/lib/lab/seed", "/var/lib/lab/roots", "/var/lib/lab/images")
PROGRAMS = "programs of the lab"
#: Programs of a lab that run beside its command.
PARTS = (
    "lab.emulation.",
    "lab.measure.",
    "lab.live.",
    "lab.testbed.",
    "lab.cli",
    "-m lab ",
    "lab/hosts/enter",
)


def everything() -> dict[str, list[str]]:
    """Return what is on the machine, by kind: `inventory`, and files and processes of labs."""
    return {**inventory(), "files": _files(), PROGRAMS: _parts(), "Docker's mark": _marked(b"LAB_DOCKERD=")}


def difference(before: dict[str, list[str]], after: dict[str, list[str]]) -> tuple[list[str], list[str]]:
    """Return what came, and what went, in words. A program that ran before may have come to its end."""
    came = [f"{kind}: {one}" for kind in before for one in _more(after[kind], before[kind])]
    went = [
        f"{kind}: {one}" for kind in before if kind != PROGRAMS for one in _more(before[kind], after[kind])
    ]
    return came, went


def settled(before: dict[str, list[str]], patience: float = PATIENCE) -> tuple[list[str], list[str], float]:
    """Return `difference` once nothing differs or the patience (s) is used up, and how long that took (s)."""
    began = monotonic()
    while True:
        came, went = difference(before, everything())
        if not (came or went) or monotonic() - began > patience:
            return came, went, monotonic() - began
        sleep(0.1)


def _more(these: list[str], than: list[str]) -> list[str]:
    return list((Counter(these) - Counter(than)).elements())


def _files() -> list[str]:
    found = []
    for folder, depth in FOLDERS:
        for level in range(1, depth + 1):
            paths = [str(path) for path in Path(folder).glob("/".join("*" * level))]
            found += [path for path in paths if not any(part in path for part in KEPT)]
    return sorted(path for path in found if not path.startswith("/tmp/") or "/lab" in path)


def _parts() -> list[str]:
    return sorted(words[:160] for words in command_lines() if any(part in words for part in PARTS))


def _marked(mark: bytes) -> list[str]:
    found = []
    for folder in Path("/proc").iterdir():
        try:
            given = (folder / "environ").read_bytes() if folder.name.isdigit() else b""
            if any(one.startswith(mark) for one in given.split(b"\0")):
                found.append((folder / "comm").read_text().strip())
        except OSError:
            continue
    return sorted(found)
