"""Run a command on another kernel: user-mode Linux (Debian's package user-mode-linux).

    python tests/kernels/run.py [--memory 768M] [--timeout 900] [--keep FOLDER] [COMMAND...]

That kernel has netem, which not every machine has. Without a command it runs the tests of
links on netem. It needs no image and no network, and it sees the machine's files read-only.
It has one processor, and starting a process takes it 0.1 s: so figures from it say that netem
is set right, not how fast it is.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
XSTATE = Path(__file__).resolve().with_name("xstate.c")
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
PYTEST = ["-m", "pytest", "-q", "--color=no", "--tb=short", "-p", "no:cacheprovider"]
TESTS = [*PYTEST, "-o", "timeout=600", "tests/integration/test_links.py", "-k", "netem"]


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


def show(stream: int) -> None:
    """Pass the kernel's console on, without its own carriage returns."""
    with os.fdopen(stream, "rb") as console:
        for line in console:
            sys.stdout.write(line.decode(errors="replace").replace("\r", ""))
            sys.stdout.flush()


def end(kernel: subprocess.Popen[bytes]) -> None:
    """Kill a kernel that still runs, with its processes, which are this machine's as well."""
    if kernel.poll() is None:
        for kill in (lambda: os.killpg(kernel.pid, signal.SIGKILL), kernel.kill):
            with contextlib.suppress(ProcessLookupError):
                kill()
    kernel.wait()


def boot(memory: str, timeout: float, command: list[str], keep: Path | None = None) -> int:
    """Run a command under the other kernel; returns its status, or 124 when it did not end in time.

    What the command leaves in the folder that LAB_REPORT names there is copied to `keep`.
    """
    with tempfile.TemporaryDirectory() as folder:
        order = {"command": command, "directory": str(ROOT), "modules": MODULES}
        Path(folder, "order.json").write_text(json.dumps(order))
        reader, writer = os.pipe()
        printer = threading.Thread(target=show, args=(reader,))
        printer.start()
        kernel = subprocess.Popen(
            argv(Path(folder), memory),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            env=environment(Path(folder)),
        )
        os.close(writer)
        try:
            kernel.wait(timeout)
        except subprocess.TimeoutExpired:
            sys.stderr.write(f"run.py: the other kernel had not ended after {timeout:g} s\n")
        finally:
            end(kernel)
        printer.join(5)
        if keep:
            for left in (path for path in Path(folder).iterdir() if path.is_dir()):
                shutil.copytree(left, keep / left.name, dirs_exist_ok=True)
        status = Path(folder, "status")
        return int(status.read_text()) if status.exists() else 124


def main() -> int:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("--memory", default="768M")
    parser.add_argument("--timeout", type=float, default=900.0, help="s, for all of it")
    parser.add_argument("--keep", type=Path, help="where what the command reports is copied to")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="default: the tests of links")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if not shutil.which("linux.uml"):
        sys.stderr.write("run.py: no linux.uml on PATH; install Debian's package user-mode-linux\n")
        return 2
    return boot(asked.memory, asked.timeout, asked.command or [sys.executable, *TESTS], asked.keep)


if __name__ == "__main__":
    sys.exit(main())
