"""Frames of the page's picture: a thousand hosts with two thousand links, beside a hundred hosts.

    python benchmarks/page.py [ROUNDS]

Each frame has a new value for every link, and is drawn as a whole; both sizes take turns. Wanted: 30 frames a
second, so at most 33 ms of processor time a frame, of all processes of the browser together, without a GPU.
The frames that were really shown in a second are printed beside it: other work makes them fewer.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from lab import catalog
from lab.draw.geometry import HEIGHT, Layout
from lab.draw.layout import places
from lab.view.page import STATIC

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.integration import browser

FRAMES = 60
SIZES = {"1,000 hosts": (25, 40, 2000), "100 hosts": (10, 10, 200)}
PAGE = (
    b"<!doctype html><link rel=stylesheet href=/view.css><canvas style='width:1000px;height:600px'></canvas>"
)
DRAW = """(async topology => {
  const {Model} = await import('/model.js'), {Picture} = await import('/picture.js');
  const model = new Model(), nothing = () => {};
  model.apply({kind: 'lab', lab: 'big', state: 'up', topology, t: 0});
  const picture = new Picture(document.querySelector('canvas'), nothing, nothing);
  const lab = model.labs.get('big');
  const columns = ['link', 'dir', 'rate_mbit_s', 'rtt_ms', 'loss_percent', 'keeps'], marks = [];
  const rate = (n, frame) => 50 * Math.abs(Math.sin(n + frame / 5));
  const row = (n, way, frame) => [n, way, rate(n, frame), 10, 0, (n + frame) % 17 ? 1 : 0];
  for (let frame = 0; frame < FRAMES; frame++) {
    await new Promise(requestAnimationFrame);
    const rows = topology.links.flatMap((_, n) => [row(n, 0, frame), row(n, 1, frame)]);
    model.apply({kind: 'links', lab: 'big', columns, rows, why: {}, t: frame});
    picture.show({lab, layout: 'structure'});
    marks.push(performance.now());
  }
  return 1000 * (FRAMES - 1) / (marks.at(-1) - marks[0]);
})"""


def topology(rows: int, columns: int, links: int) -> dict[str, object]:
    """A grid as the feed has it, with links across until there are so many."""
    grid = catalog.topology("grid", rows=rows, columns=columns)
    at = places(grid, Layout.STRUCTURE)
    names = [host.name for host in grid.hosts]
    pairs = [(link.a, link.b) for link in grid.links]
    pairs += [(names[n], names[-3 * n - 1]) for n in range(1, 1 + links - len(pairs))]
    asked = {"delay_ms": 5, "rate_mbit_s": 50, "loss_percent": 0, "queue_packets": 100}
    hosts = [{"name": name, "at": {"structure": [at[name].x, HEIGHT - at[name].y]}} for name in names]
    return {
        "name": "grid",
        "hosts": hosts,
        "links": [{"id": str(n), "a": a, "b": b, "asked": asked} for n, (a, b) in enumerate(pairs)],
    }


class Files(SimpleHTTPRequestHandler):
    """The modules of the page, and a page with a canvas alone."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer with a file, or with the page."""
        if self.path != "/":
            super().do_GET()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)


def processor_ms(above: int = 0) -> float:
    """Processor time of all processes below one (0: this one) that have not ended (ms)."""
    above = above or os.getpid()
    found: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        found[int(path.parent.name)] = (int(words[1]), int(words[11]) + int(words[12]))

    def is_below(pid: int) -> bool:
        while pid in found and (pid := found[pid][0]) != above:
            pass
        return pid == above

    return sum(ticks for pid, (_, ticks) in found.items() if is_below(pid)) * 1000 / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Print the median time a frame of each size, and their ratio."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, directory=str(STATIC)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    times: dict[str, list[float]] = {name: [] for name in SIZES}
    shown: dict[str, list[float]] = {name: [] for name in SIZES}
    networks = {name: json.dumps(topology(*size)) for name, size in SIZES.items()}
    with browser.browser() as tab:
        for _ in range(rounds):
            for name, network in networks.items():
                tab.open(f"http://127.0.0.1:{server.server_port}/")
                before = processor_ms()
                shown[name].append(tab.value(f"{DRAW}({network})".replace("FRAMES", str(FRAMES))))
                times[name].append((processor_ms() - before) / FRAMES)
    for name in SIZES:
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        print(
            f"{name}: {median(times[name]):.1f} ms of processor time a frame (least {min(times[name]):.1f}), "
            f"{max(shown[name]):.0f} frames a second at best, {median(shown[name]):.0f} in the middle; "
            f"load a processor {load:.1f}"
        )
    ratio = median(times["1,000 hosts"]) / median(times["100 hosts"])
    print(f"ten times as many hosts take {ratio:.1f} times as long; {rounds} rounds of {FRAMES} frames each")


if __name__ == "__main__":
    main()
