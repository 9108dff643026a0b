"""The kernel's source: a package of Debian's, pinned by version and hash, or a file that the user names."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from lab.errors import MachineError
from lab.events import Emit, Note
from lab.images import apt
from lab.util.files import sha256

#: Names a package (.deb) or an archive (.tar.xz, …) of the source to use instead of Debian's.
VARIABLE = "LAB_LINUX_SOURCE"
#: Where to get Debian's packages on a machine that is not Debian: the URI of a mirror.
MIRROR = "LAB_DEBIAN_MIRROR"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True)
class Source:
    """A kernel's source: a version of a Debian package, or a file; `sha256` is that of the file."""

    package: str
    version: str
    sha256: str
    suite: str = ""
    file: Path | None = None

    def __str__(self) -> str:
        return f"{self.package} {self.version}" + (f" ({self.suite})" if self.suite else "")


#: Tried in this order. 7.2 runs programs in half the time of 6.12, which has no seccomp mode; a stable
#: suite keeps its versions longest.
PINNED = (
    Source(
        "linux-source-7.2",
        "7.2.12-1~bpo13+1",
        "73ca6c22599ba411ab3179642d33501ca2c90174e13c3c8d86e996ea1cbf2a8f",
        "trixie-backports",
    ),
    Source(
        "linux-source-7.2",
        "7.2.13-1",
        "30a8c5fc63f9028a62e6d7b3f7f43bee67425dbce2a05fceba83f9b87c92083d",
        "sid",
    ),
    Source(
        "linux-source-6.12",
        "6.12.117-1",
        "9141325315c7f1eca682113d185a8c77c82814aa6e32f7e127e61d6106403835",
        "trixie",
    ),
)


def wanted() -> tuple[Source, ...]:
    """Return the sources to try, in order: the file that the user names, or the pinned versions.

    Raises:
        MachineError: the variable names no file.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return PINNED
    path = Path(named).resolve()
    if not path.is_file():
        raise MachineError(f"{VARIABLE} names {named}, which is no file; correct or unset it")
    status = path.stat()
    digest = _digest_once(path, status.st_size, status.st_mtime_ns)
    return (Source(path.name, digest[:16], digest, file=path),)


@lru_cache
def _digest_once(path: Path, size: int, changed: int) -> str:
    """Return the SHA-256 of a file; size and time of change say when it is another one."""
    return sha256(path)


def obtain(source: Source, folder: Path, run: Run | None = None) -> Path:
    """Return the file with the source, checked; `folder` is where apt may put its lists and the package.

    Raises:
        MachineError: it is not available, or is not what was pinned.
    """
    path = source.file or _download(source, folder, run or _run)
    if (found := sha256(path)) != source.sha256:
        raise MachineError(
            f"{source} has the SHA-256 {found} and not {source.sha256}: it is not used; "
            f"try again, or name a file in {VARIABLE}"
        )
    return path


def obtain_first(sources: Sequence[Source], folder: Path, emit: Emit) -> tuple[Source, Path]:
    """Return the first available source, with its file.

    Raises:
        MachineError: none can; the message says for each why, and what to do.
    """
    refused = []
    for source in sources:
        try:
            return source, obtain(source, folder)
        except MachineError as error:
            refused.append(f"{source}: {error}")
            if source is not sources[-1]:
                emit(Note(f"{source} is not available ({error}); trying another version"))
    raise MachineError(
        f"no source of the kernel of virtual time is available. {'; '.join(refused)}. Download one of these "
        f"packages from an archive of Debian's old packages and name the file in {VARIABLE}"
    )


def _download(source: Source, folder: Path, run: Run) -> Path:
    """Fetch the package with lists, settings and caches of our own: the system's apt stays as it is."""
    if not KEYRING.exists():
        raise MachineError(f"{KEYRING} lacks: apt-get install debian-archive-keyring")
    if not (mirror := os.environ.get(MIRROR) or apt.mirror()):
        raise MachineError(f"this machine is not Debian: name the URI of a Debian mirror in {MIRROR}")
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / "apt" / name).mkdir(parents=True, exist_ok=True)
    (folder / "apt" / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror} {source.suite} main\n")
    _apt(run, folder, "update")
    _apt(run, folder, "download", f"{source.package}={source.version}")
    found = sorted(folder.glob(f"{source.package}_*.deb"))
    if not found:
        raise MachineError(f"apt-get download of {source} left no package")
    return found[-1]


def _apt(run: Run, folder: Path, *words: str) -> None:
    done = run(apt_get(folder, *words))
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1][:200]
        raise MachineError(f"apt-get {' '.join(words)}: {said}")


def apt_get(folder: Path, *words: str) -> list[str]:
    """Build an apt command that touches nothing outside `folder`, in which it leaves what it downloads."""
    own = folder / "apt"
    options = {
        "Dir::Etc::sourcelist": own / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::Etc::preferences": "-",
        "Dir::Etc::preferencesparts": "-",
        "Dir::State": own,
        "Dir::State::status": "/dev/null",
        "Dir::State::lists": own / "lists",
        "Dir::Cache": own / "cache",
        "Acquire::Languages": "none",
        "APT::Sandbox::User": "root",  # the user _apt may not enter the lab's folders
    }
    places = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    return ["env", f"--chdir={folder}", "LC_ALL=C", "apt-get", "-q", *places, *words]


def unpack(path: Path, folder: Path, unused: Sequence[str] = ()) -> Path:
    """Unpack the source into `folder`, and return the tree; of folders named in `unused` come no C files.

    Raises:
        MachineError: the package or the archive is damaged, or has no kernel's source.
    """
    archive = path
    if path.suffix == ".deb":
        _ran(["dpkg-deb", "--extract", str(path), str(folder / "package")], path)
        archives = sorted((folder / "package" / "usr" / "src").glob("linux-source-*.tar.*"))
        if not archives:
            raise MachineError(f"{path.name} has no /usr/src/linux-source-*.tar.*: it is another package")
        archive = archives[0]
    tree = folder / "source"
    tree.mkdir()
    without = [f"--exclude=*/{name}/*.[ch]" for name in unused]
    where = ["--strip-components=1", f"--directory={tree}", f"--file={archive}"]
    _ran(["tar", "--extract", *without, *where], path)
    shutil.rmtree(folder / "package", ignore_errors=True)
    if not (tree / "arch" / "um").is_dir():
        raise MachineError(f"{path.name} has no arch/um: it is no source of Linux")
    return tree


def _ran(argv: list[str], path: Path) -> None:
    done = _run(argv)
    if done.returncode:
        said = (done.stderr.strip() or "nothing").splitlines()[-1][:200]
        raise MachineError(f"{path.name} cannot be unpacked: {said}; check the disk's room, and get it again")


def _run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False)
