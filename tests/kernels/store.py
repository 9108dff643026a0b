"""A file system for a virtual machine: a Docker daemon's store with the images, and what labs start from.

Made on the machine in seconds, where the guest's emulated processors would take minutes.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.emulation.docker.daemon import Daemon
from lab.emulation.docker.image_store import endpoint_store, image_ids
from lab.images import roots

IMAGES = ("lab/host", "lab/gtsperf")
#: Bytes beside what is in it; unwritten ones take no room.
ROOM = 2 << 30
#: s until a daemon listens.
PATIENCE = 60.0


def disk(folder: Path) -> Path:
    """The image of the file system (ext4: ``docker``, ``lab``), made anew when the lab's images changed.

    Raises:
        MachineError: the images are not there.
        CalledProcessError: it could not be made; what was begun is begun anew the next time.
    """
    file, mark = folder / "store.ext4", folder / "store"
    daemon = Daemon()
    daemon.ensure()
    try:
        ids = " ".join(image_ids(IMAGES))
        if not (file.exists() and mark.exists() and mark.read_text() == ids):
            mark.unlink(missing_ok=True)
            _make(folder, file)
            mark.write_text(ids)
    finally:
        daemon.release()
    return file


def _make(folder: Path, file: Path) -> None:
    tree = folder / "store.tree"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "docker").mkdir(parents=True)
    try:
        with _daemon(tree / "docker") as host:
            saving = subprocess.Popen(["docker", "save", *IMAGES], stdout=subprocess.PIPE)
            subprocess.run(["docker", f"--host={host}", "load", "-q"], stdin=saving.stdout, check=True)
            if saving.wait():
                raise subprocess.CalledProcessError(saving.returncode, "docker save")
        (tree / "lab" / "seed").mkdir(parents=True)
        subprocess.run(["cp", "-a", endpoint_store(), tree / "lab" / "seed"], check=True)
        if roots.find():
            subprocess.run(["cp", "-a", roots.place(), tree / "lab"], check=True)
        size = int(subprocess.run(["du", "-sb", tree], capture_output=True, check=True).stdout.split()[0])
        with file.open("wb") as image:
            image.truncate(size + size // 4 + ROOM)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-d", tree, file], check=True)
    finally:
        shutil.rmtree(tree, ignore_errors=True)


@contextmanager
def _daemon(data: Path) -> Iterator[str]:
    """A Docker daemon that only stores images, in namespaces of its own: it leaves no bridge and no mount."""
    with tempfile.TemporaryDirectory() as name:
        run = Path(name)  # short enough for the path of a socket
        host, log = f"unix://{run}/docker.sock", run / "log"
        alone = ["--bridge=none", "--iptables=false", "--ip-forward=false", f"--host={host}"]
        places = [f"--data-root={data}", f"--exec-root={run}/exec", f"--pidfile={run}/pid"]
        with log.open("wb") as file:
            argv = ["unshare", "--net", "--mount", "dockerd", *alone, *places]
            daemon = subprocess.Popen(argv, stdout=file, stderr=file)
        try:
            deadline = time.monotonic() + PATIENCE
            while not (run / "docker.sock").exists():
                if daemon.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(
                        f"store: the daemon for images does not listen: {log.read_text()[-500:]}"
                    )
                time.sleep(0.05)
            yield host
        finally:
            daemon.terminate()
            daemon.wait()
