"""Everything that the lab needs on a machine: system packages, a virtual environment, images.

    python3 scripts/setup.py [--only-venv | --for-tests | --for-kernels]

Says what it is about to install, skips what is there, asks nothing. Interrupted at any
moment, the next run goes on: a part counts as done only by the mark that is written last.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  # what this sentence is for
    sys.exit("the lab needs Python 3.11 or newer; name one: make PYTHON=/usr/bin/python3.11")

import step

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG, LOCK = ROOT / "build" / "setup.log", ROOT / "build" / "setup.lock"
#: Of what runs beside other steps.
APT_LOG = LOG.with_name("apt.log")
#: Folders with modules, which Python compiles as root when root uses them.
MODULES = ("lab", "overlays", "experiments", "topologies", "scripts", "tests/thirdparty")
#: Written last into the environment, with a hash of what went into it; and first, while it is made.
INSTALLED, INSTALLING = VENV / ".lab-installed", VENV / ".lab-installing"
INPUTS = ("requirements-build.lock", "requirements.lock", "pyproject.toml")
#: Packages that only the tests need, and users who want them.
TESTS_LOCK = "requirements-tests.lock"
#: Plug-ins as others write them, which the tests use, and the mark of their installation.
EXAMPLE, EXAMPLE_INSTALLED = ROOT / "tests" / "thirdparty", VENV / ".lab-example-installed"
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off")
#: Programs of this machine that the lab runs, and the package of each.
PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "ip": "iproute2",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "nsenter": "util-linux",
    "sysctl": "procps",
    "python": "python-is-python3",  # `sudo python -m lab`, as written
}
#: What only the tests run: an agent that holds a key, and the script of a report without its browser.
TESTED_WITH = {"ssh-agent": "openssh-client", "node": "nodejs"}
#: What only the tests run: a browser that opens the report. Other suites than these name it otherwise,
#: and there the tests that need it say so.
BROWSER, WITH_BROWSER = "chromium-headless-shell", ("bookworm", "trixie")
#: For the tests of its switches; the lab starts its programs itself and needs no service of theirs.
SWITCHES = {"ovs-vswitchd": "openvswitch-switch", "ethtool": "ethtool"}
#: What the tests on other kernels run, on Debian: in user-mode Linux, which needs a compiler on newer
#: processors, and in the machine that counts instructions.
BOXED = {
    "linux.uml": "user-mode-linux",
    "cc": "gcc",
    "iperf3": "iperf3",
    "qemu-system-x86_64": "qemu-system-x86",
}
#: What builds the kernel of virtual time, beside a compiler.
BUILDS_KERNELS = {"make": "make", "flex": "flex", "bison": "bison", "bc": "bc", "xz": "xz-utils"}
#: For hosts in a virtual machine, which have no image: etcd is the machine's.
VIRTUAL = {"etcd": "etcd-server", "etcdctl": "etcd-client"}
#: Where sudo looks for programs, whatever a user's PATH has.
SUDO_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Suites whose docker.io has the `docker` command in it; later ones have a package docker-cli.
WITH_CLIENT = ("bookworm", "jammy", "noble")


def main(arguments: list[str]) -> None:
    """Do all parts, or with ``--only-venv`` those that a linter needs; for tests more than all."""
    everything = "--only-venv" not in arguments
    os.chdir(ROOT)
    if everything and os.geteuid() != 0:
        step.fail("the set-up needs root, for Docker, network namespaces and apt: put sudo before make")
    kernels = "--for-kernels" in arguments
    packages = missing_packages(everything, kernels or "--for-tests" in arguments, kernels)
    environment = venv_is_current()
    if packages and os.geteuid() != 0:
        step.fail(f"the set-up needs root once, to install {' '.join(packages)}: sudo make setup")
    if everything or packages or not environment:
        announce(packages, environment, everything)
    example = bool(arguments)  # users do without it
    if packages or not environment or (example and not example_is_current()):
        install(packages, example)
    if everything:
        step.loud("images", [str(PYTHON), "-m", "lab", "images", "build"])


def install(packages: list[str], example: bool) -> None:
    """Install what lacks, alone in this folder."""
    keep = [step.hold_lock(LOCK)]
    apt = install_packages(packages, keep) if packages else None
    if apt and "python3-venv" in packages:
        apt = apt.wait()
    if not venv_is_current():
        install_venv(keep)
    if example and not example_is_current():
        install_example(keep)
    if apt:
        apt.wait()
    give_back()


def give_back() -> None:
    """Give what root made here to who called sudo: `.venv`, compiled modules, and the log."""
    sys.path.append(str(ROOT))
    from lab.util import invoker

    compiled = [path for name in MODULES for path in (ROOT / name).rglob("__pycache__")]
    for folder in (VENV, *ROOT.glob("*.egg-info"), *EXAMPLE.glob("*.egg-info"), *compiled):
        if folder.is_dir():
            invoker.give_folder(folder)
    for path in (LOG.parent, LOG, APT_LOG, LOCK):  # the folder has file systems of root's, too
        if path.exists():
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            invoker.give_file(handle, path.parent)
            os.close(handle)


def announce(packages: list[str], environment: bool, everything: bool) -> None:
    """Say what is about to be installed, and what is there."""
    step.say(f"Set-up of the lab in {ROOT}")
    step.say(f"  system packages (apt): {' '.join(packages) or 'all there'}")
    count = sum("==" in line for line in (ROOT / "requirements.lock").read_text().splitlines())
    step.say(
        "  Python packages: all there, in .venv"
        if environment
        else f"  Python packages: {count}, pinned in requirements.lock, into .venv ({sys.executable})"
    )
    if everything:
        step.say("  images: lab/host and lab/gtsperf, some 600 MiB, where they are missing or out of date")
    if not environment:
        step.say("  All of it takes some four minutes on two cores, and seconds the next time.")


def missing_packages(everything: bool, tests: bool = False, kernels: bool = False) -> list[str]:
    """The system packages that lack, in the order in which they are needed."""
    lacking = [package_of(p) for p in PROGRAMS if not shutil.which(p, path=SUDO_PATH)] if everything else []
    if not PYTHON.exists() and not has_venv():
        lacking.append("python3-venv")
    if tests:
        lacking += [name for program, name in TESTED_WITH.items() if not shutil.which(program)]
    if tests and codename() in WITH_BROWSER and not shutil.which(BROWSER):
        lacking.append(BROWSER)
    if tests and codename() in WITH_BROWSER:
        boxes = {**SWITCHES, **BOXED, **BUILDS_KERNELS, **(VIRTUAL if kernels else {})}
        lacking += [name for program, name in boxes.items() if not shutil.which(program, path=SUDO_PATH)]
    return list(dict.fromkeys(lacking))


def package_of(program: str) -> str:
    """The package of a program on this suite."""
    if program == "docker" and codename() not in WITH_CLIENT:
        return "docker-cli"
    return PROGRAMS[program]


def codename() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next((line.split("=")[1].strip('"') for line in lines if line.startswith("VERSION_CODENAME=")), "")


def has_venv() -> bool:
    """Return True when this interpreter can make environments with pip; Debian's own needs a package."""
    argv = [sys.executable, "-c", "import venv, ensurepip"]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def install_packages(packages: list[str], keep: list[int]) -> step.Beside:
    """`apt-get update`, then `install` without a question, beside what needs none of its packages."""
    if not shutil.which("apt-get"):
        step.fail(f"there is no apt-get here: install {' '.join(packages)} by hand, then run this again")
    quietly = {
        **os.environ,
        "DEBIAN_FRONTEND": "noninteractive",
        "NEEDRESTART_MODE": "l",
        "PATH": f"{os.environ['PATH']}:{SUDO_PATH}",
    }
    step.quiet("apt-get update", ["apt-get", "update", "-q"], LOG, quietly)
    # what a killed set-up left at work holds dpkg's lock
    argv = [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "install",
        "-q",
        "-y",
        "--no-install-recommends",
        *packages,
    ]
    return step.Beside(f"apt-get install {' '.join(packages)}", argv, APT_LOG, quietly, keep)


def venv_is_current() -> bool:
    """Return True when the environment was finished, for today's inputs."""
    try:
        return INSTALLED.read_text() == inputs_hash() and PYTHON.exists() and not INSTALLING.exists()
    except OSError:
        return False


def inputs_hash() -> str:
    digest = hashlib.sha256(str(ROOT).encode())
    for name in INPUTS:
        digest.update((ROOT / name).read_bytes())
    return digest.hexdigest()


def example_is_current() -> bool:
    """Return True when the plug-ins of the tests are installed, as they are registered today."""
    try:
        return EXAMPLE_INSTALLED.read_text() == example_hash()
    except OSError:
        return False


def example_hash() -> str:
    """Return a hash of what the installation depends on: the code itself is read from where it lies."""
    parts = ((EXAMPLE / "pyproject.toml").read_bytes(), (ROOT / TESTS_LOCK).read_bytes())
    return hashlib.sha256(inputs_hash().encode() + b"".join(parts)).hexdigest()


def install_example(keep: list[int]) -> None:
    """Install the plug-ins of the tests beside the lab, as their author would; first what else tests need."""
    pip("Python packages of the tests", [*PIP, "--require-hashes", "--no-deps", "-r", TESTS_LOCK], keep)
    argv = [*PIP, "--no-deps", "--no-build-isolation", "--editable", str(EXAMPLE)]
    pip("plug-ins of the tests", argv, keep)
    EXAMPLE_INSTALLED.write_text(example_hash())


def install_venv(keep: list[int]) -> None:
    """Make the environment, or bring it up to date; one that was never finished is made anew."""
    if INSTALLING.exists() or not runs():
        shutil.rmtree(VENV, ignore_errors=True)
        VENV.mkdir()
        INSTALLING.touch()
        step.quiet(".venv", [sys.executable, "-m", "venv", str(VENV)], LOG, keep=keep)
    INSTALLING.touch()
    INSTALLED.unlink(missing_ok=True)
    # mininet is served as source only: the tools that build it are pinned as well
    locked = [*PIP, "--require-hashes", "--no-build-isolation", "--use-pep517", "-r"]
    pip("Python packages: what builds others", [*locked, "requirements-build.lock"], keep)
    pip("Python packages", [*locked, "requirements.lock"], keep)
    pip("the lab itself", [*PIP, "--no-deps", "--no-build-isolation", "--editable", "."], keep)
    INSTALLED.with_suffix(".new").write_text(inputs_hash())
    INSTALLED.with_suffix(".new").rename(INSTALLED)
    INSTALLING.unlink()


def runs() -> bool:
    """Return True when the environment's interpreter is there, new enough, and has pip."""
    if not PYTHON.exists():
        return False
    argv = [str(PYTHON), "-c", "import sys, pip; sys.exit(sys.version_info < (3, 11))"]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def pip(name: str, arguments: list[str], keep: list[int]) -> None:
    step.quiet(name, [str(PYTHON), *arguments], LOG, keep=keep)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        step.fail("\ninterrupted: the same command goes on from here", 130)
