"""Run a command on another kernel: user-mode Linux (Debian's package user-mode-linux), or a virtual machine.

    python tests/kernels/run.py [--box uml|vm] [--memory 768M] [--timeout 900] [--keep FOLDER] [COMMAND...]

That kernel has netem, which not every machine has. Without a command it runs the tests of
links on netem. It needs no image and no network, and it sees the machine's files read-only.
User-mode Linux has one processor, and starting a process takes it 0.1 s: so figures from it say that
netem is set right, not how fast it is. Where it does not boot (on processors with AMX it needs a C
compiler), the virtual machine of `vm.py` takes its place, which is slower.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

ROOT = Path(__file__).resolve().parents[2]
#: Where the guest has the folder with its order; and, in an order's mounts, that folder itself.
REPORT, ORDER = "/run/report", "ORDER"
XSTATE = ROOT / "lab" / "virtual" / "xstate.c"
GUEST = str(Path(__file__).resolve().with_name("guest.py"))
MODULES = [
    *("veth", "bridge", "vxlan", "dummy", "ipip", "openvswitch", "vport_vxlan", "wireguard"),
    *("iptable_filter", "iptable_nat", "xt_MASQUERADE", "xt_addrtype", "xt_conntrack", "xt_comment"),
    *("xt_tcpudp", "xt_policy", "xt_mark", "xt_esp", "xfrm_user", "esp4", "gcm", "seqiv", "authenc"),
    *("echainiv", "ctr", "ghash_generic", "hmac", "sha512_generic", "jitterentropy_rng", "drbg"),
    *("sch_netem", "sch_htb", "tcp_bbr", "sch_fq"),
    *("br_netfilter", "nfnetlink_queue", "xt_NFQUEUE", "xt_physdev", "xt_statistic"),
    *("nf_tables", "nft_compat", "iptable_mangle", "ip6table_mangle"),
]
#: The world of the guest. Only its own file systems can be written to; /tmp is one where the lab does
#: not itself lie below it.
MOUNTS = [
    ("proc", "proc", "/proc", ""),
    ("sysfs", "sys", "/sys", ""),
    ("tmpfs", "run", "/run", "mode=755"),
    ("tmpfs", "shm", "/dev/shm", "mode=1777"),
    *([] if ROOT.is_relative_to("/tmp") else [("tmpfs", "tmp", "/tmp", "mode=1777")]),
]
#: s within which a kernel that works has booted and ended.
BOOTED = 30.0
WHY = ", as user-mode Linux does not boot on this machine\n"
MODULES_AT = "/usr/lib/uml/modules"
PYTEST = ["-m", "pytest", "-q", "--color=no", "--tb=short", "-p", "no:cacheprovider"]
WHICH = ["-o", "timeout=600", "tests/kernels/test_clock.py", "tests/integration/test_links.py", "-k"]
#: What holds also where other work runs: what is set, read back, refused and taken away, and round trips
#: and rates with room. The rest holds spreads, running flows and moments in time against what was asked.
STEADY = (
    "round_trip or stays_below or trains or read_back or refused or come_and_go "
    "or nothing_is_left or two_labs or is_gone or each_change or fast_rates or two_commands "
    "or lets_no_packet or come_twice or in_bursts"
)


def tests(steady: bool) -> list[str]:
    """The tests of links on netem, and those of clocks."""
    return [*PYTEST, *WHICH, f"clock or (netem and ({STEADY}))" if steady else "clock or netem"]


def argv(folder: Path, memory: str) -> list[str]:
    """The kernel's command line; what follows ``--`` goes to process 1, whose orders are in the folder."""
    console = ["con0=null,fd:1", "con=null", "ssl=null", "quiet"]
    files = ["root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro"]
    first = [f"init={sys.executable}", "--", GUEST, str(folder)]
    return ["linux.uml", f"mem={memory}", *files, *console, *first]


def environment(folder: Path) -> dict[str, str]:
    """That of the kernel: where the processor has more registers than it saves, a library hides them.

    Raises:
        CalledProcessError: there is a C compiler, but it could not make the library.
    """
    if "amx_tile" not in Path("/proc/cpuinfo").read_text():
        return dict(os.environ)
    if not shutil.which("cc"):
        sys.stderr.write("run.py: user-mode Linux needs a C compiler on this processor; install gcc\n")
        return dict(os.environ)
    library = folder / "xstate.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(XSTATE), "-ldl"], check=True)
    return {**os.environ, "LD_PRELOAD": str(library)}


def show(stream: int, output: BinaryIO) -> None:
    """Pass the kernel's console on, without its own carriage returns."""
    with os.fdopen(stream, "rb") as console:
        for line in console:
            output.write(line.replace(b"\r", b""))
            output.flush()


def end(kernel: subprocess.Popen[bytes]) -> None:
    """Kill a kernel that still runs, with its processes, which are this machine's as well."""
    if kernel.poll() is None:
        for kill in (lambda: os.killpg(kernel.pid, signal.SIGKILL), kernel.kill):
            with contextlib.suppress(ProcessLookupError):
                kill()
    kernel.wait()


def boot(
    order: dict[str, Any],
    argv: Callable[[Path], list[str]],
    timeout: float,
    keep: Path | None = None,
    output: BinaryIO = sys.stdout.buffer,
    env: Callable[[Path], dict[str, str]] = lambda folder: dict(os.environ),
) -> int:
    """Have a guest carry out an order (see guest.py); returns its status, or 124 when it did not end in time.

    `argv` is the kernel's command for the folder with the order. What the guest's command leaves in the
    folder that LAB_REPORT names there is copied to `keep`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Path(folder, "order.json").write_text(json.dumps(order))
        reader, writer = os.pipe()
        printer = threading.Thread(target=show, args=(reader, output))
        printer.start()
        kernel = subprocess.Popen(
            argv(folder),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            env=env(folder),
        )
        os.close(writer)
        try:
            kernel.wait(timeout)
        except subprocess.TimeoutExpired:
            sys.stderr.write(f"the other kernel had not ended after {timeout:g} s\n")
        finally:
            end(kernel)
        printer.join(5)
        if keep:
            for left in (path for path in folder.iterdir() if path.is_dir()):
                shutil.copytree(left, keep / left.name, dirs_exist_ok=True)
        status = folder / "status"
        return int(status.read_text()) if status.exists() else 124


def order(command: list[str]) -> dict[str, Any]:
    """What user-mode Linux is to do."""
    return {
        "command": command,
        "directory": str(ROOT),
        "mounts": [*MOUNTS, ("hostfs", "none", REPORT, ORDER)],
        "modules": MODULES,
        "modules_at": MODULES_AT,
    }


def works() -> bool:
    """Whether user-mode Linux boots on the processors of this machine."""
    if not shutil.which("linux.uml"):
        return False
    with open(os.devnull, "wb") as nothing:
        run = lambda folder: argv(folder, "256M")  # noqa: E731
        return boot(order(["true"]), run, BOOTED, output=nothing, env=environment) == 0


def main() -> int:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--box", choices=("auto", "uml", "vm"), default="auto")
    parser.add_argument("--memory", default="", help="768M in user-mode Linux, 3G in a virtual machine")
    parser.add_argument("--timeout", type=float, default=900.0, help="s, for all of it")
    parser.add_argument("--steady", action="store_true", help="only what holds beside other work, too")
    parser.add_argument("--keep", type=Path, help="where what the command reports is copied to")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="default: the tests of links")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    command = asked.command or [sys.executable, *tests(asked.steady)]
    if asked.box == "vm" or (asked.box == "auto" and not works()):
        import vm

        sys.stderr.write(
            "run.py: user-mode Linux does not run here or was not asked for: a virtual machine\n"
        )
        return vm.carry_out(command, asked.memory or "3G", asked.timeout, asked.keep)
    if not shutil.which("linux.uml"):
        sys.stderr.write("run.py: no linux.uml on PATH; install Debian's package user-mode-linux\n")
        return 2
    run = lambda folder: argv(folder, asked.memory or "768M")  # noqa: E731
    return boot(order(command), run, asked.timeout, asked.keep, env=environment)


if __name__ == "__main__":
    sys.exit(main())
