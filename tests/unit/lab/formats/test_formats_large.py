"""Documents that took seconds and a gigabyte: each is refused now in little time and memory."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.paths import ROOT

#: Processor time (s) and memory (MiB) of a document at most, on any machine.
TIME, MEMORY = 4.0, 512


def many(before: str, item: str, number: int, after: str = "") -> str:
    """A document of so many items; ``{}`` in an item is its number."""
    return before + "".join(item.replace("{}", str(n)) for n in range(number)) + after


HOST, ADJACENCY = 'host { id="h{}" location="AMS" port { id="p" } }\n', "adjacency z{}.p, y{}.src\n"
#: Name of the file, its text, and what is said of it.
DOCUMENTS: Mapping[str, tuple[Callable[[], str], str]] = {
    # the time grew with the square of the size: 14 s
    "comments.dsl": (lambda: "A {\n" + "/* " * 20_000, "a comment without an end"),
    # 14 s
    "attributes.dsl": (lambda: many('A { host { id="a" ', "x=1 ", 500_000, "} }"), "at most 450,000"),
    # 5 s
    "hosts.dsl": (lambda: many("A { ", HOST, 20_000) + many("", ADJACENCY, 150, "}"), "is not there"),
    # 9 s
    "list.yaml": (lambda: "- a\n" * (1 << 19), "more than 250,000 items"),
    # 15 s and 1.2 GiB
    "large.json": (lambda: many('{"nodes": [', '{"id": "h{}"},', 800_000, "]}"), "more than 8 MiB"),
    "items.json": (lambda: many('{"nodes": [', '{"a":1},', 400_000, "]}"), "more than 500,000 items"),
    # 20 s and 1.5 GiB
    "large.graphml": (
        lambda: many("<graphml><graph>", '<node id="h{}"/>', 600_000, "</graph></graphml>"),
        "more than 8 MiB",
    ),
    "items.graphml": (
        lambda: many("<graphml><graph>", '<node id="{}"/>', 300_000, "</graph></graphml>"),
        "more than 500,000 items",
    ),
    "items.gml": (lambda: many("graph [\n", "node [ id {} ]\n", 120_000, "]\n"), "more than 500,000 items"),
}
READ = """
import json, sys
from pathlib import Path
from time import process_time
from lab import catalog
from lab.errors import LabError

for name in sys.argv[1:]:
    said, began = "it was read", process_time()
    try:
        catalog.topology(name, switches=True)
    except LabError as error:
        said = str(error)
    print(json.dumps([said, process_time() - began]))
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
"""


def test_large_documents_are_refused_in_little_time_and_memory(tmp_path: Path) -> None:
    for name, (make, _) in DOCUMENTS.items():
        (tmp_path / name).write_text(make())
    argv = [sys.executable, "-c", READ, *(str(tmp_path / name) for name in DOCUMENTS)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    *lines, memory = done.stdout.splitlines()
    for (name, (_, wanted)), line in zip(DOCUMENTS.items(), lines, strict=True):
        said, seconds = json.loads(line)
        assert (wanted in said, seconds < TIME) == (True, True), f"{name}: {seconds:.1f} s, {said[:200]}"
    assert int(memory) >> 10 < MEMORY
