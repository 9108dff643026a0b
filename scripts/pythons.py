"""The tests that need no root, on other Pythons than that of .venv.

    python -m scripts.pythons PYTHON... [-- PYTEST-ARGUMENT...]

Each gets an environment of its own in build/pythons, from the locked packages.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "build" / "pythons"
PIP = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet")
LOCKED = (*PIP, "--require-hashes", "--no-deps", "--no-build-isolation", "--use-pep517")
TESTS = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "auto")


def installed(interpreter: str) -> Path:
    """Make an environment with the locked packages, the lab and the tests' plug-ins; return its Python."""
    asked = [interpreter, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    version = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    python = PLACE / version / "bin" / "python"
    subprocess.run([interpreter, "-m", "venv", PLACE / version], check=True)
    for lock in ("requirements-build.lock", "requirements.lock", "requirements-tests.lock"):
        subprocess.run([python, *LOCKED, "-r", lock], cwd=ROOT, check=True)
    for place in (".", "tests/thirdparty"):
        editable = [python, *PIP, "--no-deps", "--no-build-isolation", "--editable", place]
        subprocess.run(editable, cwd=ROOT, check=True)
    return python


def main(arguments: list[str]) -> int:
    """Run the tests on each Python; return 1 if they fail on one."""
    cut = arguments.index("--") if "--" in arguments else len(arguments)
    interpreters, more = arguments[:cut], arguments[cut + 1 :] or ["tests/unit", "tests/property"]
    failed = []
    for interpreter in interpreters:
        print(f"==> {interpreter}", flush=True)
        done = subprocess.run([installed(interpreter), *TESTS, *more], cwd=ROOT, check=False)
        failed += [interpreter] if done.returncode else []
    if failed:
        print(f"failed on {', '.join(failed)}", file=sys.stderr)
    return 1 if failed or not interpreters else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
