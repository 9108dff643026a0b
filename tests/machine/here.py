"""The same system without its own kernel: its files and programs in namespaces of this machine.

For machines without KVM. It tries the distribution's Docker, Python, sudo, iptables and programs, fast.
It does not try systemd and NetworkManager, nor cgroup v2 and netem where this machine's kernel has none.

    unshare … python here.py FOLDER     (see `command`)

FOLDER has `root` (the system), `given`, `report` and `store.ext4`. All of it goes with the namespaces.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

USER = "user"
PROGRAMS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: How this file goes on in the system, and where this machine's root is until then.
SECOND, OLD = ("/usr/bin/python3", "/mnt/given/here.py", "second"), "mnt/old"
NAMESPACES = ("--mount", "--net", "--pid", "--ipc", "--uts", "--fork", "--kill-child", "--mount-proc")
#: The group of all containers, beside those of this machine's own Docker.
GROUP = "/machine-test"
DOCKERD = f"""\
#!/bin/sh
# stop | start | restart of the system's Docker, as a service of systemd's would do it
if [ "$1" != start ] && [ -e /run/docker.pid ]; then
    kill "$(cat /run/docker.pid)"
    while [ -e /run/docker.pid ]; do sleep 0.1; done
fi
if [ "$1" != stop ]; then
    setsid dockerd --cgroup-parent {GROUP} --exec-opt native.cgroupdriver=cgroupfs \\
        >>/var/log/docker.log 2>&1 </dev/null &
    for _ in $(seq 600); do docker info >/dev/null 2>&1 && exit 0; sleep 0.1; done
    tail -5 /var/log/docker.log; exit 1
fi
"""


def command(folder: Path) -> list[str]:
    """The command that runs all of it in namespaces, which end with it."""
    return ["unshare", *NAMESPACES, sys.executable, "-u", __file__, str(folder)]


def run(*argv: str | Path) -> None:
    subprocess.run(argv, check=True)


def mounted(folder: Path) -> Path:
    """Mount the system: its files with a folder over them, the kernel's own, and what it is given."""
    root, above = folder / "here" / "root", folder / "here"
    shutil.rmtree(above, ignore_errors=True)
    for path in (root, above / "files", above / "work"):
        path.mkdir(parents=True)
    run("mount", "--make-rprivate", "/")
    layers = f"lowerdir={folder / 'root'},upperdir={above / 'files'},workdir={above / 'work'}"
    run("mount", "-t", "overlay", "-o", layers, "overlay", root)
    for kind, target in (("proc", "proc"), ("sysfs", "sys"), ("tmpfs", "run"), ("tmpfs", "tmp")):
        run("mount", "-t", kind, kind, root / target)
    (root / "tmp").chmod(0o1777)
    for source, target in (("/sys/fs/cgroup", "sys/fs/cgroup"), ("/dev", "dev")):
        run("mount", "--rbind", source, root / target)
    (root / "mnt/store").mkdir(parents=True)
    run("mount", "-o", "loop", folder / "store.ext4", root / "mnt/store")
    bound = {
        "given": (folder / "given", "mnt/given"),
        "report": (folder / "report", "mnt/report"),
        "docker": (root / "mnt/store/docker", "var/lib/docker"),
        "lab": (root / "mnt/store/lab", "var/lib/lab"),
    }
    for source, name in bound.values():
        (root / name).mkdir(parents=True, exist_ok=True)
        run("mount", "--bind", source, root / name)
    return root


def pivot(root: Path) -> None:
    """Make the system the root of these namespaces, and go on in it with its own Python.

    A chroot is not enough: who enters a container of it by its namespace would see this machine's root.
    """
    (root / OLD).mkdir(exist_ok=True)
    os.chdir(root)
    os.execvp("sh", ["sh", "-c", f"pivot_root . {OLD} && exec chroot . {' '.join(SECOND)}"])


def as_first(work: Callable[[], int]) -> int:
    """Do work in a child, and be the first process meanwhile: it takes leave of those that have no parent.

    Docker waits in vain for the end of a container whose dead processes nobody has waited for.
    """
    child = os.fork()
    if child == 0:
        os._exit(work())
    while True:
        ended, status = os.wait()
        if ended == child:
            return os.waitstatus_to_exitcode(status)


def as_user(argv: Sequence[str]) -> int:
    """Run a command as the user, and return its status."""
    identity = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"]
    home = f"/home/{USER}"
    environment = {"PATH": PROGRAMS, "HOME": home, "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
    return subprocess.run([*identity, *argv], cwd=home, env=environment, check=False).returncode


def second() -> int:
    """What is done in the system: its network, its Docker, and what the user does."""
    os.environ["PATH"] = PROGRAMS
    run("umount", "--lazy", f"/{OLD}")
    if list(Path("/", OLD).iterdir()):
        raise SystemExit("here.py: this machine's files are still in sight; nothing was started")
    for argv in (
        ["ip", "link", "set", "lo", "up"],
        ["ip", "link", "add", "mine0", "type", "bridge"],
        ["ip", "address", "add", "10.99.0.1/24", "dev", "mine0"],
        ["ip", "link", "set", "mine0", "up"],
        ["hostname", "machine"],
    ):
        run(*argv)
    service = Path("/usr/local/sbin/dockerd-service")
    service.write_text(DOCKERD)
    service.chmod(0o755)
    subprocess.run(["nft", "-f", "/etc/nftables.conf"], check=False)  # not every kernel has nf_tables
    run(service, "start")
    try:
        return as_user(["python3", "/mnt/given/inside.py"])
    finally:
        subprocess.run([service, "stop"], check=False)
        for group in Path("/sys/fs/cgroup").glob(f"*{GROUP}"):
            for path in [*sorted((p for p in group.rglob("*") if p.is_dir()), reverse=True), group]:
                with suppress(OSError):
                    path.rmdir()


def main() -> int:
    if sys.argv[1:] == list(SECOND[2:]):
        return as_first(second)
    pivot(mounted(Path(sys.argv[1])))
    return 1


if __name__ == "__main__":
    sys.exit(main())
