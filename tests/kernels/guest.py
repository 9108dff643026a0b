"""Process 1 of a user-mode Linux: sets up a small world, runs one command, reports, ends.

    guest.py FOLDER

FOLDER is one of the machine's, with the order in it (`order.json`: command, directory,
modules), and the only one that can be written to; the command's status goes there. Modules
are loaded with what they depend on, without the programs of kmod.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
FINIT_MODULE = 313  # x86-64
EEXIST = 17
POWER_OFF = 0x4321FEDC
REPORT = "/tmp/report"
MOUNTS = (
    ("proc", "proc", "/proc", ""),
    ("sysfs", "sys", "/sys", ""),
    ("tmpfs", "tmp", "/tmp", "mode=1777"),
    ("tmpfs", "run", "/run", "mode=755"),
    ("tmpfs", "shm", "/dev/shm", "mode=1777"),
)


def mount(kind: str, source: str, target: str, options: str = "") -> None:
    words = ["-o", options] if options else []
    if not Path(target).is_dir():
        Path(target).mkdir(parents=True)
    subprocess.run(["mount", "-t", kind, *words, source, target], check=True)


def load(names: list[str]) -> None:
    """Load modules after what they depend on, as modules.dep has it."""
    folder = Path("/usr/lib/uml/modules", os.uname().release)
    needs = dict(line.split(":", 1) for line in (folder / "modules.dep").read_text().splitlines())
    files = {Path(path).stem.replace("-", "_"): path for path in needs}
    for name in names:
        if name not in files:
            continue  # built in, or not there: what needs it will say so
        path = files[name]
        for module in [*reversed(needs[path].split()), path]:
            with (folder / module).open("rb") as file:
                if LIBC.syscall(FINIT_MODULE, file.fileno(), b"", 0) and ctypes.get_errno() != EEXIST:
                    sys.stderr.write(f"guest: {module}: {os.strerror(ctypes.get_errno())}\n")


def wait_as_first(pid: int) -> int:
    """Wait for a process and return its status; meanwhile bury the orphans, as process 1 has to."""
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            return os.waitstatus_to_exitcode(status)


def main() -> None:
    folder = sys.argv[1]  # what follows is the kernel's own, such as console=tty0
    order = json.loads(Path(folder, "order.json").read_text())
    for kind, source, target, options in MOUNTS:
        mount(kind, source, target, options)
    mount("hostfs", "none", REPORT, folder)
    if not Path(order["directory"]).is_dir():  # it lies below what was mounted over
        mount("hostfs", "none", order["directory"], order["directory"])
    load(order["modules"])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    environment = {
        "PATH": os.environ.get("PATH") or "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/tmp",
        "PYTHONPATH": order["directory"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "LAB_REPORT": REPORT,
    }
    command = subprocess.Popen(order["command"], cwd=order["directory"], env=environment)
    Path(REPORT, "status").write_text(str(wait_as_first(command.pid)))


if __name__ == "__main__":
    try:
        main()
    except BaseException:
        traceback.print_exc()  # the kernel halts before Python would
    finally:
        sys.stdout.flush()
        os.sync()
        LIBC.reboot(POWER_OFF)
