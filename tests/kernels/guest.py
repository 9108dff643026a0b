"""Process 1 of a kernel in a box: sets up a small world, runs one command, reports, ends.

    guest.py FOLDER

FOLDER is one of the machine's, with the order in it (`order.json`: command, directory, mounts, modules
and where they lie), and the only one that can be written to: the order's last mount has it at `REPORT`,
and the command's status goes there. Modules are loaded with what they depend on, without the
programs of kmod.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lab.virtual.first import LIBC, POWER_OFF, wait_as_first

FINIT_MODULE = 313  # x86-64
EEXIST = 17
REPORT = "/run/report"
#: Not below /run, of which hosts that are namespaces have one of their own each.
SCRATCH = "/dev/shm/tmp"


def mount(kind: str, source: str, target: str, options: str = "") -> None:
    words = ["-o", options] if options else []
    Path(target).mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", kind, *words, source, target], check=True)


def load(folder: Path, names: list[str]) -> None:
    """Load modules after what they depend on, as the folder's modules.dep has it."""
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


def main() -> None:
    folder = sys.argv[1]  # what follows is the kernel's own, such as console=tty0
    order = json.loads(Path(folder, "order.json").read_text())
    for kind, source, target, options in order["mounts"]:
        mount(kind, source, target, folder if options == "ORDER" else options)
    # modules of tunnels would else put devices into every namespace that is made
    with suppress(OSError):
        Path("/proc/sys/net/core/fb_tunnels_only_for_init_net").write_text("1")
    load(Path(order["modules_at"], os.uname().release), order["modules"])
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    Path(SCRATCH).mkdir(mode=0o1777)
    environment = {
        "PATH": os.environ.get("PATH") or "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": SCRATCH,
        "TMPDIR": SCRATCH,
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
