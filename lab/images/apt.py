"""Sources of this machine's apt, from which images are made without a registry."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import MachineError

#: The suite that images are made of where it can be had: its Docker 20.10 is the last with
#: libnetwork's key-value store, which the studies used.
PREFERRED = "bookworm"
#: Where a distribution keeps programs like netperf, whose licence is not free.
EXTRA = {"debian": ("non-free",), "ubuntu": ("universe", "multiverse")}
FIELDS = "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)"


@dataclass(frozen=True)
class Sources:
    """One suite and the lines of a ``sources.list`` that serve it."""

    suite: str
    lines: tuple[str, ...]


def machine(os_release: Path = Path("/etc/os-release")) -> tuple[str, str]:
    """The machine's distribution and code name, such as ``("debian", "bookworm")``."""
    pairs = (line.split("=", 1) for line in os_release.read_text().splitlines() if "=" in line)
    fields = {key: value.strip('"') for key, value in pairs}
    return fields.get("ID", ""), fields.get("VERSION_CODENAME", "")


def source_lines(targets: str, distribution: str, codename: str, suite: str) -> tuple[str, ...]:
    """Lines of a ``sources.list`` for `suite`, from what ``apt-get indextargets`` printed.

    Only the distribution's own repositories count; a third party's have another origin.
    """
    keyring = f"/usr/share/keyrings/{distribution}-archive-keyring.gpg"
    lines = []
    for words in map(str.split, targets.splitlines()):
        if len(words) != 4 or words[2] != "main" or words[3].lower() != distribution:
            continue
        uri, release = words[0], words[1]
        if release == codename or release.startswith((f"{codename}-", f"{codename}/")):
            components = " ".join(("main", *EXTRA[distribution]))
            lines.append(
                f"deb [signed-by={keyring}] {uri} {release.replace(codename, suite, 1)} {components}"
            )
    return tuple(sorted(set(lines)))


def sources() -> Sources:
    """The machine's own sources, for the preferred suite where its mirror has that.

    Raises:
        MachineError: this is no Debian or Ubuntu, or apt knows no repository of it.
    """
    distribution, codename = machine()
    if distribution not in EXTRA:
        raise MachineError(
            f"cannot build images from the apt sources of {distribution or 'this system'}: use Debian"
        )
    lines = lines_of(codename)
    if not lines:
        raise MachineError(
            f"apt knows no repository of {distribution} {codename}; check /etc/apt/sources.list.d"
        )
    if distribution == "debian" and codename != PREFERRED:
        preferred = Sources(PREFERRED, lines_of(PREFERRED))
        if _serves(preferred):
            return preferred
    return Sources(codename, lines)


def lines_of(suite: str) -> tuple[str, ...]:
    """The machine's own sources with the name of another suite, which they may have or not."""
    distribution, codename = machine()
    return source_lines(_targets(), distribution, codename, suite)


def mirror() -> str | None:
    """The URI of this machine's mirror of Debian; None where it is another distribution."""
    distribution, codename = machine()
    lines = source_lines(_targets(), distribution, codename, codename) if distribution == "debian" else ()
    return next((words[2] for words in map(str.split, lines) if words[3] == codename), None)


def _targets() -> str:
    """Return what apt would download; it knows that only once its lists are there."""
    found = _run(["apt-get", "indextargets", "--format", FIELDS, "Created-By: Packages"])
    if not found.strip():
        _run(["apt-get", "update", "-q"])
        found = _run(["apt-get", "indextargets", "--format", FIELDS, "Created-By: Packages"])
    return found


def _serves(wanted: Sources) -> bool:
    """Return True when the machine's mirror has this suite: one small download tells."""
    uri = next(line.split()[2].rstrip("/") for line in wanted.lines if line.split()[3] == wanted.suite)
    with tempfile.TemporaryDirectory() as folder:
        argv = [
            "/usr/lib/apt/apt-helper",
            "download-file",
            f"{uri}/dists/{wanted.suite}/InRelease",
            f"{folder}/it",
        ]
        return subprocess.run(argv, capture_output=True, timeout=60, check=False).returncode == 0


def _run(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MachineError(f"{' '.join(argv[:2])} failed: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout
