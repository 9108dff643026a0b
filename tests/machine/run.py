"""Boot a user's machine, do there what a user does with the lab, and say what became of it.

    python -m tests.machine.run [SYSTEM] [--only PART]... [--weaver FILE] [--hours N]

Needs root. Software emulates the processors where there is no KVM: then it takes an hour or more, and its
times say nothing. What it prints is what the guest prints. The report stays in build/machine/SYSTEM/report.
"""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kernels"))

import store
import vm

from tests.machine import given, here, system

#: How much longer than on a machine things may take that are waited for.
PATIENCE = {True: 1, False: 30}
#: What is tried; a rehearsal builds an image with packages of its own, and needs its archive.
PARTS = ("doctor", "by hand", "multihop", "killed", "containernet", "reloaded", "restarted", "settings")
OF_SYSTEMD = ("reloaded",)
#: Few samples where all is slow.
MULTIHOP = {
    True: "",
    False: "--topology linear:sites=AMS+PRG+BRA --overlay underlay --overlay tinc --repetitions 1 "
    "--bringups 1 --cells latency",
}
#: More room for the guest's images and stores.
ROOM = "6G"
FAILED, TIMED_OUT = 1, 124
#: systemd's own patience with services and devices.
TIMEOUTS = ("timeout_start", "device_timeout")


def argv(booted: system.System, folder: Path, disk: Path, memory: str, processors: int) -> list[str]:
    """The virtual machine's command: its disk is not changed, its network leads nowhere."""
    share = "security_model=none,multidevs=remap"
    words = "console=ttyS0 root=/dev/vda rw quiet panic=-1 mitigations=off systemd.show_status=0"
    return [
        "qemu-system-x86_64",
        *("-accel", "kvm" if vm.hardware() else "tcg,thread=multi", "-cpu", "max"),
        *("-smp", str(processors), "-m", memory, "-display", "none", "-serial", "stdio", "-monitor", "none"),
        *("-no-reboot", "-nodefaults", "-kernel", str(booted.kernel), "-initrd", str(booted.initrd)),
        *("-append", f"{words} {' '.join(f'systemd.default_{kind}_sec=3600' for kind in TIMEOUTS)}"),
        *("-drive", f"file={booted.disk},if=virtio,format=raw,snapshot=on"),
        *("-drive", f"file={disk},if=virtio,format=raw,snapshot=on"),
        *("-virtfs", f"local,path={folder / 'given'},mount_tag=given,readonly=on,{share}"),
        *("-virtfs", f"local,path={folder / 'report'},mount_tag=report,{share}"),
        *("-netdev", "user,id=net,restrict=on", "-device", "virtio-net-pci,netdev=net"),
    ]


def boot(command: list[str], log: Path, seconds: float) -> int:
    """Run the machine until it switches itself off; what it prints is shown and kept."""
    start = time.monotonic()
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    with log.open("wb") as kept, subprocess.Popen(command, **pipes) as box:  # type: ignore[call-overload]
        watch = subprocess.Popen(["sleep", str(seconds)])
        try:
            assert box.stdout
            for line in box.stdout:
                kept.write(line)
                kept.flush()
                words = line.decode(errors="replace").rstrip()
                sys.stdout.write(f"{time.monotonic() - start:6.0f} s  {words}\n")
                sys.stdout.flush()
                if watch.poll() is not None:
                    return TIMED_OUT
            return box.wait()
        finally:
            watch.kill()
            watch.wait()
            box.kill()


def told(report: Path) -> int:
    """Print the table of the parts; return 1 if one failed or the guest did not come to its end."""
    try:
        stored = json.loads((report / "report.json").read_text())
    except OSError:
        sys.stderr.write(f"run.py: the machine left no report; {report.parent / 'console.log'} tells more\n")
        return FAILED
    for name, value in stored["machine"].items():
        sys.stdout.write(f"{name:<16} {value}\n")
    for one in stored["parts"]:
        said = " ".join(one["said"][-160:].split())
        sys.stdout.write(f"{one['state']:<7} {one['seconds']:>8.1f} s  {one['part']:<13} {said}\n")
    ended = report / "done"
    return FAILED if not ended.exists() or ended.read_text() else 0


def main() -> int:
    shape = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=shape)
    parser.add_argument("system", nargs="?", default="debian13", choices=system.SYSTEMS)
    parser.add_argument("--only", action="append", default=[], help="parts; the set-up comes with them")
    parser.add_argument("--weaver", default="", help="Weave's router, for its fast datapath")
    parser.add_argument("--multihop", help="arguments of the experiment")
    parser.add_argument("--memory", default="5G")
    parser.add_argument("--processors", type=int, default=2)
    parser.add_argument("--here", action="store_true", help="on this kernel, in namespaces, without systemd")
    parser.add_argument("--hours", type=float, default=3.0, help="after which the machine is ended")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    booted = system.build(asked.system)
    folder, fast = booted.disk.parent, vm.hardware() or asked.here
    given.gather(booted, folder / "given", asked.weaver)
    words = asked.multihop or MULTIHOP[fast]
    parts = asked.only or [part for part in PARTS if not (asked.here and part in OF_SYSTEMD)]
    order = {"parts": parts, "patience": PATIENCE[fast], "multihop": words, "systemd": not asked.here}
    (folder / "given" / "order.json").write_text(json.dumps(order))
    shutil.rmtree(folder / "report", ignore_errors=True)
    (folder / "report").mkdir()
    (folder / "report").chmod(0o777)
    vm.BUILD.mkdir(parents=True, exist_ok=True)
    disk = store.disk(vm.BUILD)
    if asked.here:
        own = folder / "store.ext4"
        subprocess.run(["cp", "--sparse=always", disk, own], check=True)
        subprocess.run(["truncate", f"--size=+{ROOM}", own], check=True)
        subprocess.run(["resize2fs", own], check=True, capture_output=True)
        command = here.command(folder)
    else:
        command = argv(booted, folder, disk, asked.memory, asked.processors)
    status = boot(command, folder / "console.log", asked.hours * 3600)
    return told(folder / "report") or status


if __name__ == "__main__":
    sys.exit(main())
