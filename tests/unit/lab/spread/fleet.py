"""A scheduler, workers and clients in processes of their own, for tests that kill them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.paths import ROOT

#: How long anything here may take (s).
PATIENCE = 150.0
MODULE = "tests.unit.lab.spread."


class Fleet:
    """Processes by name; all are killed at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.address = ""
        self.trouble = folder / "trouble"

    def scheduler(self, port: int = 0) -> str:
        """Start a scheduler, and return its address."""
        code = "import sys; from distributed.cli.dask_scheduler import main; main(sys.argv[1:])"
        words = ["--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        self._start("scheduler", [sys.executable, "-c", code, *words])
        self.address = self.wait_for("scheduler", r"Scheduler at:\s+(tcp://\S+)")
        return self.address

    def worker(self, name: str, address: str = "", **environment: str) -> int:
        """Start a worker, and return the number of its process."""
        words = [address or self.address, name, str(self.folder / name)]
        argv = [sys.executable, "-m", f"{MODULE}fake_worker", *words]
        return self._start(name, argv, LAB_TEST_TROUBLE=str(self.trouble), **environment)

    def joined(self, *names: str) -> None:
        """Wait until the scheduler has these workers."""
        for name in names:
            self.wait_for("scheduler", rf"Register worker addr: \S+ name: {name}\b")

    def client(self, bring_ups: int, resume: Path | None = None, name: str = "client") -> int:
        """Start a client, and return the number of its process."""
        words = [self.address, str(self.folder / "results"), str(bring_ups)]
        words += [str(resume)] if resume else []
        return self._start(name, [sys.executable, "-m", f"{MODULE}fake_client", *words])

    def _start(self, name: str, argv: list[str], **environment: str) -> int:
        self._processes.pop(name, None)
        with (self.folder / f"{name}.out").open("ab") as out:
            process = subprocess.Popen(
                argv,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes[name] = process
        return process.pid

    def output(self, name: str) -> str:
        """Return what a process has printed so far."""
        return (self.folder / f"{name}.out").read_text()

    def wait_for(self, name: str, pattern: str) -> str:
        """Wait until a process has printed something, and return the first group of it."""

        def found() -> Any:
            match = re.search(pattern, self.output(name))
            return match and (match[1] if match.groups() else match[0])

        return str(self.until(found, f"{pattern!r}", lambda: self.output(name)[-1500:]))

    def until(self, true: Callable[[], Any], what: str, said: Callable[[], str] = str) -> Any:
        """Poll until something is true, and return it."""
        deadline = time.monotonic() + PATIENCE
        while not (found := true()):
            assert time.monotonic() < deadline, f"no {what} in {said()}"
            time.sleep(0.02)
        return found

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Kill a process, and wait for its end."""
        process = self._processes[name]
        process.send_signal(how)
        if how == signal.SIGKILL:
            process.wait(PATIENCE)

    def status(self, name: str = "client") -> int:
        """Wait for the end of a process, and return its status."""
        return self._processes[name].wait(PATIENCE)

    def run(self) -> Path:
        """Wait for a run's folder, and return it."""
        return Path(
            self.until(lambda: next((self.folder / "results").glob("multihop-*"), None), "run folder")
        )

    def pid(self, name: str) -> int:
        """Return the number of a process."""
        return self._processes[name].pid

    def alive(self, name: str) -> bool:
        """Tell if a process runs."""
        return self._processes[name].poll() is None

    def close(self) -> None:
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE)
