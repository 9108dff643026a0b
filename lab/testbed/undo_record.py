"""The record, on each machine, of the lab's objects there: `restore` removes only these.

Every line is on the disk before the thing is made. A line without an end, and one that names a folder or a
file that the lab never makes, count for nothing. What the kernel forgets with a reboot (addresses, rules)
has the boot in its line, so that what somebody made after a reboot is not taken for the lab's.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from lab.hosts.host import CommandRunner
from lab.images import ENDPOINT
from lab.testbed.reservation import FOLDER

RECORD = f"{FOLDER}/made"
BOOT = "/proc/sys/kernel/random/boot_id"
#: A shell function that adds a line to the record: the kind of thing, and its words.
NOTE = f"""\
note() {{
    mkdir -p {FOLDER}
    echo "$*" >> {RECORD}
    sync {RECORD}
}}
"""
_WRITE = """\
folder=${1%/*}
mkdir -p "$folder"
cat > "$1.new"
sync "$1.new"
mv -f "$1.new" "$1"
while [ -n "$folder" ]; do sync "$folder"; folder=${folder%/*}; done
"""


@dataclass(frozen=True)
class Made:
    """The record of one machine, as sets of lines without their kind."""

    lines: frozenset[tuple[str, ...]] = frozenset()

    def of(self, kind: str) -> set[str]:
        """Return the names of what is of a kind (``folder``, ``file``, ``image``)."""
        return {words[0] for found, *words in self.lines if found == kind and len(words) == 1}

    def rules(self, boot: str) -> set[str]:
        """Return the interfaces for which a rule was made in this boot."""
        return {words[1] for kind, *words in self.lines if kind == "rule" and words[:1] == [boot]}

    def addresses(self, boot: str) -> set[tuple[str, str]]:
        """Return interfaces with the addresses that they were given in this boot."""
        return {(w[1], w[2]) for kind, *w in self.lines if kind == "address" and w[:1] == [boot]}


#: How many words the lines of each kind have.
_WORDS = {"folder": 1, "file": 1, "image": 1, "rule": 2, "address": 3}


def parse(text: str) -> Made:
    """Read a record; a line that is not whole is left out."""
    rows = [tuple(line.split()) for line in text.split("\n")[:-1]]
    return Made(frozenset(row for row in rows if row and _WORDS.get(row[0]) == len(row) - 1))


async def write_whole(host: CommandRunner, path: str, data: bytes) -> None:
    """Write a file whole or not at all, and return when it would survive a loss of power.

    Raises:
        CommandError: it cannot be written; what was there is there still.
    """
    await host.run(["sh", "-ec", _WRITE, "write", path], stdin=data)


async def begin(host: CommandRunner, folders: Iterable[str]) -> None:
    """Begin a record with folders that are not there yet, and that the lab is about to make."""
    await write_whole(host, RECORD, "".join(f"folder {path}\n" for path in folders).encode())


async def note_files(host: CommandRunner, paths: Iterable[str]) -> None:
    """Note files that are about to be written, unless they are there: then they stay."""
    lines = "".join(f"[ -e {path} ] || note file {path}\n" for path in map(shlex.quote, paths))
    await host.run(["sh", "-e"], stdin=(NOTE + lines).encode())


async def note_image(host: CommandRunner) -> None:
    """Note that the endpoint image is about to be sent, unless the machine has one."""
    tag = shlex.quote(ENDPOINT.tag)
    asked = f"docker image inspect {tag} >/dev/null 2>&1 || note image {tag}\n"
    await host.run(["sh", "-e"], stdin=(NOTE + asked).encode())
