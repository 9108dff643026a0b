"""A real run over two workers that meets every trouble, compared to the byte with a run in one process.

    sudo .venv/bin/python benchmarks/spread_trouble.py [--bringups 5] [--seed 7]

The clock is virtual, so both runs must be equal. Scheduler, workers and client use TLS. One worker is on this
machine, the other in a network namespace of its own, whose link is cut. In this order: a worker is killed and
started again; the network of the other goes, and comes back; a third has a full disk; the client is
killed, and the run resumed; the scheduler is killed, and started again, and the run resumed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lab.runs import run_folder

ROOT = Path(__file__).resolve().parents[1]
SPACE, HERE, THERE, PORT = "lab-spread-far", "10.99.22.1", "10.99.22.2", 18786
ADDRESS = f"tls://{HERE}:{PORT}"
#: How long one step may take (s).
PATIENCE = 600.0


def sh(*argv: str) -> None:
    """Run a command."""
    subprocess.run(argv, check=True)


class Bench:
    """The programs of the run, with their outputs in one folder."""

    def __init__(self, folder: Path, asked: argparse.Namespace) -> None:
        self.folder, self._asked = folder, asked
        self.certificates = folder / "certificates"
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *argv: str, space: str = "") -> None:
        """Start a program, in a network namespace if one is named."""
        before = ["nsenter", f"--net=/run/netns/{space}"] if space else []
        with (self.folder / f"{name}.out").open("ab") as out:
            environment = {**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "20s"}
            self.running[name] = subprocess.Popen(
                [*before, sys.executable, *argv], cwd=ROOT, stdout=out, stderr=out, env=environment
            )

    def scheduler(self) -> None:
        code = "import sys; from distributed.cli.dask_scheduler import main; main(sys.argv[1:])"
        certificate, key = self.certificates / "lab.pem", self.certificates / "lab.key"
        tls = ["--tls-ca-file", certificate, "--tls-cert", certificate, "--tls-key", key]
        where = ["--host", HERE, "--port", PORT, "--protocol", "tls", "--no-dashboard"]
        self.start("scheduler", "-c", code, *map(str, [*where, *tls]))

    def worker(self, name: str, folder: Path, space: str = "") -> None:
        words = ["worker", ADDRESS, "--certificates", str(self.certificates), "--name", name]
        self.start(name, "-m", "lab", *words, "--share-machine", "--folder", str(folder), space=space)

    def words(self, results: Path) -> list[str]:
        """Return the words of the run."""
        of = ["emulate", "multihop", "--topology", "point_to_point", "--overlay", "underlay"]
        of += ["--clock", "virtual", "--cells", "latency", "--repetitions", "2", "--duration", "1"]
        amount = ["--bringups", str(self._asked.bringups), "--seed", str(self._asked.seed)]
        return ["-m", "lab", *of, *amount, "--results", str(results)]

    def client(self, *more: str) -> None:
        on = ["--on", ADDRESS, "--certificates", str(self.certificates)]
        self.start("client", *self.words(self.folder / "spread"), *on, *more)

    def said(self, name: str) -> str:
        file = self.folder / f"{name}.out"
        return file.read_text(errors="replace") if file.exists() else ""

    def until(self, name: str, pattern: str, times: int = 1) -> None:
        """Wait until a program has printed something so many times."""
        wait(lambda: len(re.findall(pattern, self.said(name))) >= times, f"{pattern!r} of {name}")

    def kill(self, name: str) -> None:
        self.running[name].send_signal(signal.SIGKILL)
        self.running[name].wait()

    def close(self) -> None:
        for process in reversed(self.running.values()):
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(60)
                except subprocess.TimeoutExpired:
                    process.kill()
        subprocess.run(["ip", "netns", "del", SPACE], check=False)
        subprocess.run(["umount", str(self.folder / "small")], check=False, stderr=subprocess.DEVNULL)


def wait(true: Callable[[], Any], what: str) -> None:
    """Poll until something is true."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            raise SystemExit(f"no {what} within {PATIENCE:g} s")
        time.sleep(0.2)


def tell(words: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {words}", flush=True)


def network() -> None:
    """Make the namespace of the far worker, with a cable to it."""
    sh("ip", "netns", "add", SPACE)
    sh("ip", "link", "add", "lab-near", "type", "veth", "peer", "name", "lab-far", "netns", SPACE)
    sh("ip", "addr", "add", f"{HERE}/30", "dev", "lab-near")
    sh("ip", "link", "set", "lab-near", "up")
    sh("ip", "-n", SPACE, "addr", "add", f"{THERE}/30", "dev", "lab-far")
    sh("ip", "-n", SPACE, "link", "set", "lab-far", "up")
    sh("ip", "-n", SPACE, "link", "set", "lo", "up")


def trouble(bench: Bench) -> Path:
    """Carry the run out, and return its folder."""
    bench.scheduler()
    bench.worker("near", bench.folder / "of-near")
    bench.worker("far", bench.folder / "of-far", SPACE)
    small = bench.folder / "small"
    small.mkdir()
    sh("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small))
    bench.worker("full", small)
    for name in ("near", "far", "full"):
        bench.until(name, "waits for blocks")
    tell("scheduler and two workers are there, and one without room")
    bench.client()
    bench.until("client", r"underlay #\d: links|underlay #\d: multihop", 2)
    bench.kill("near")
    tell("worker near was killed while it measured")
    bench.until("client", "machine near is gone")
    bench.worker("near", bench.folder / "of-near")
    bench.until("client", "machine near measures", 2)
    tell("worker near is back, and measures")
    sh("ip", "link", "set", "lab-near", "down")
    tell("the network of worker far is gone")
    bench.until("client", "machine far is gone|scheduler does not answer")
    sh("ip", "link", "set", "lab-near", "up")
    bench.until("far", "waits for blocks", 2)
    tell("worker far came back by itself")
    bench.until("client", r"on machine full: .*it is measured again")
    tell("worker full had no room, and its blocks went elsewhere")
    bench.kill("client")
    tell("the client was killed")
    path = next((bench.folder / "spread").iterdir())
    bench.client("--resume", str(path))
    bench.until("client", "still measures")
    tell("a new client found what workers still measured")
    bench.kill("scheduler")
    bench.running["client"].wait()
    bench.until("client", "the scheduler does not answer")
    tell("the scheduler was killed, and the client ended")
    bench.kill("full")
    bench.scheduler()
    bench.until("near", "waits for blocks", 3)
    bench.until("far", "waits for blocks", 3)
    bench.client("--resume", str(path))
    bench.running["client"].wait()
    tell(f"the run was resumed, and ended with status {bench.running['client'].returncode}")
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bringups", type=int, default=6)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="lab-spread-"))
    folder.mkdir(exist_ok=True)
    bench = Bench(folder, asked)
    sh(sys.executable, "-m", "lab", "worker", "--make-certificates", str(bench.certificates))
    try:
        network()
        path = trouble(bench)
    finally:
        bench.close()
    sh(sys.executable, *bench.words(folder / "alone"))
    alone = next((folder / "alone").iterdir())
    sums = [hashlib.sha256((one / "samples.jsonl").read_bytes()).hexdigest() for one in (path, alone)]
    run = run_folder.read(path)
    lost = sorted(one.name for one in (path / "blocks").glob("*.lost-*"))
    print(f"samples: {len(run.samples)}, complete: {run.manifest.complete}; parts of lost attempts: {lost}")
    print(f"blocks by machine: {dict(Counter(run.manifest.placed.values()))}")
    for name, one in run.manifest.machines.items():
        print(f"machine {name}: {one.state} {one.reason}")
    print(f"sha256 of samples.jsonl: {sums[0][:16]} over machines, {sums[1][:16]} in one process")
    return int(sums[0] != sums[1])


if __name__ == "__main__":
    sys.exit(main())
