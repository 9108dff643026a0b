"""Every reader of documents, each as a function from bytes that a fuzzer or a test can call."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from zipfile import ZipFile

import networkx as nx

from lab import catalog, dsl
from lab.app import packing
from lab.draw import labels, summary
from lab.errors import LabError
from lab.formats import files, lab_yaml, node_link
from lab.report import captions
from lab.runs import pack, run_folder, run_folder_check
from lab.testbed import inventory
from lab.topology import Topology, schedule
from lab.util.documents import Unforeseen
from tests.paths import FIXTURES

DOCUMENT = (
    'x { host { id="a" location="AMS" port { id="p" } } host { id="b" location="PRG" port { id="q" } } '
)
DOCUMENT += (
    'link { id="l1" port { id="src" } port { id="dst" } } adjacency a.p, l1.src adjacency b.q, l1.dst }'
)
TRACED = (
    "name: x\nhosts: {a: AMS, b: PRG}\nlinks: [{between: [a, b]}]\nschedule: [{link: a-b, trace: t.csv}]\n"
)


def used(topology: Topology) -> None:
    """Do with a topology what the verbs do: write it, draw it, compare it."""
    hash(topology)
    summary.text(topology).encode()
    labels.dot(topology).encode()
    labels.mermaid(topology).encode()
    node_link.write(topology).encode()
    lab_yaml.write(topology).encode()
    Topology.from_dict(json.loads(json.dumps(topology.to_dict())))
    for host in topology.hosts[:5]:
        topology.routes(host.name)
    dsl.export(topology).encode()
    files.sidecar_text(topology, "x.dsl").encode()


def _file(name: str, data: bytes, folder: Path) -> None:
    (folder / name).write_bytes(data)
    used(catalog.topology(folder / name, switches=True))


def _zoo(name: str, data: bytes, folder: Path) -> None:
    (folder / name).write_bytes(data)
    used(catalog.topology(folder / name, switches=True, largest_component=True))


def _side(data: bytes, folder: Path) -> None:
    (folder / "x.lab.yaml").write_bytes(data)
    _file("x.dsl", DOCUMENT.encode(), folder)


def _trace(data: bytes, folder: Path) -> None:
    (folder / "t.csv").write_bytes(data)
    schedule.read_trace(folder / "t.csv")
    _file("x.yaml", TRACED.encode(), folder)


def _inventory(data: bytes, folder: Path) -> None:
    (folder / "inventory.yaml").write_bytes(data)
    found = inventory.read(folder / "inventory.yaml")
    inventory.check(found, catalog.topology("linear"), "inventory.yaml")


def _run(name: str, data: bytes, folder: Path) -> None:
    for other, text in RUN.items():
        (folder / other).write_bytes(text)
    (folder / name).write_bytes(data)
    found = run_folder.read(folder)
    captions.conditions(found)
    captions.repetitions(found)
    for sample in found.samples:
        run_folder_check.raw_fault(folder, sample)


def _pack(data: bytes, folder: Path) -> None:
    (folder / "x.pack.zip").write_bytes(data)
    with pack.opened(folder / "x.pack.zip") as whole:
        for run in whole.runs:
            captions.conditions(run)
        packing.verify(whole)


def _packed(name: str, data: bytes, folder: Path) -> None:
    """Read a pack whose checksums are right, with these data in the place of one of its files."""
    files = {f"runs/x/{other}": text for other, text in PACKED.items()} | {name: data}
    description = files.pop(pack.METADATA, None)
    pack.write(folder / "x.zip", files.items(), _described)
    if description is not None:
        with ZipFile(folder / "x.zip", "w") as archive:
            for other, text in {**files, pack.METADATA: description}.items():
                archive.writestr(other, text)
    _pack((folder / "x.zip").read_bytes(), folder)


def _described(files: Mapping[str, Mapping[str, str]]) -> dict[str, object]:
    root = {"@id": "./", "@type": "Dataset", "conformsTo": {"@id": f"{pack.PROFILE}{pack.VERSION}"}}
    return {"@graph": [root, *({"@id": name, "@type": "File", **facts} for name, facts in files.items())]}


def _made_pack() -> tuple[bytes, bytes]:
    """Return a small pack, and its description."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "x.zip"
        pack.write(file, [(f"runs/x/{name}", text) for name, text in PACKED.items()], _described)
        with ZipFile(file) as archive:
            return file.read_bytes(), archive.read(pack.METADATA)


def _fitting(manifest: bytes) -> bytes:
    """Return a manifest whose profile has the metrics of its experiment."""
    stored = json.loads(manifest)
    stored["profile"].update(
        {"repetitions": dict.fromkeys(METRICS, 1), "seconds": dict.fromkeys(METRICS, 1.0)}
    )
    return json.dumps(stored).encode()


def _profile() -> dict[str, object]:
    return {"name": "quick", "repetitions": {"x": 2}, "seconds": {"x": 1.0}, "warmup": {}, "why": "so"}


def _made_run() -> dict[str, bytes]:
    topology = catalog.topology("point_to_point").to_dict()
    manifest = {"run": "a", "experiment": "throughput", "created": "2030", "topology": topology}
    more = {"profile": _profile(), "overlays": {"underlay": {"state": "ok"}}, "environment": {"kernel": "6"}}
    sample = {"run": "a", "cell": "underlay/x", "overlay": "underlay", "metric": "x", "repetition": 1}
    done = {
        "started": "2030",
        "seconds": 1.0,
        "outcome": "ok",
        "values": {"mean_ms": 1.5},
        "raw": "raw/a.txt",
    }
    lines = json.dumps({**sample, **done, "machine": {"links_cpu": 0.5}}) + "\n"
    return {"manifest.json": json.dumps({**manifest, **more}).encode(), "samples.jsonl": (lines * 2).encode()}


RUN, METRICS = _made_run(), ("tcp", "udp", "udp1470")
ANSWER = {"id": "a", "text": "b", "source": "c", "verdict": "reproduced", "evidence": "d"}
PACKED = {**RUN, pack.CLAIMS: json.dumps({"answers": [ANSWER]}).encode()}


def _graphs() -> Mapping[str, bytes]:
    placed = nx.path_graph(3)
    for node in placed:
        placed.nodes[node].update(Latitude=50.0 + node, Longitude=4.5, label=f"Town {node}")
    nx.set_edge_attributes(placed, 1e9, "LinkSpeedRaw")
    ours = catalog.topology("grid", rows=2, columns=2)
    plain: nx.Graph[str] = nx.Graph()
    plain.add_nodes_from((host.name, {"site": host.site}) for host in ours.hosts)
    plain.add_edges_from((link.a, link.b, {"rtt": link.rtt}) for link in ours.links)
    return {
        "gml": "\n".join(nx.generate_gml(placed)).encode(),
        "graphml": "\n".join(nx.generate_graphml(plain)).encode(),
        "zoo": "\n".join(nx.generate_graphml(placed)).encode(),
        "json": node_link.write(ours).encode(),
        "yaml": lab_yaml.write(ours).encode(),
    }


def seeds() -> dict[str, list[bytes]]:
    """Return good documents of each kind, to begin with."""
    chain, graphs = catalog.topology("linear"), _graphs()
    changes = b"time,delay,rate,loss\n0,20,50,\n\n0.5,25,,1\n"
    documents = [file.read_bytes() for file in sorted((FIXTURES / "dsl").rglob("*.dsl"))]
    timed = b"schedule:\n- {at: 30s, link: a-b, loss: 5}\n- {at: 2min, link: a-b, from: a, rate: null}\n"
    side = (
        b"lab: 1\nname: y\nhosts: {a: {name: c, number: 2, cpus: 1}}\nlinks: {l1: {rtt: 5, from: {c: {}}}}\n"
    )
    return {
        "dsl": [DOCUMENT.encode(), dsl.export(chain).encode(), *documents],
        "yaml": [graphs["yaml"], TRACED.partition("schedule")[0].encode() + timed],
        "json": [graphs["json"]],
        "graphml": [graphs["graphml"]],
        "zoo": [graphs["zoo"]],
        "gml": [graphs["gml"]],
        "side": [side],
        "trace": [changes],
        "inventory": [
            inventory.template(chain, "linear").replace(inventory.TO_FILL_IN, "a.example").encode()
        ],
        "manifest": [RUN["manifest.json"]],
        "samples": [RUN["samples.jsonl"]],
        "pack": [_made_pack()[0]],
        "crate": [_made_pack()[1]],
        "packed": [_fitting(RUN["manifest.json"])],
        "answers": [PACKED[pack.CLAIMS]],
    }


READERS: Mapping[str, Callable[[bytes, Path], None]] = {
    "dsl": lambda data, folder: _file("x.dsl", data, folder),
    "yaml": lambda data, folder: _file("x.yaml", data, folder),
    "json": lambda data, folder: _file("x.json", data, folder),
    "graphml": lambda data, folder: _file("x.graphml", data, folder),
    "zoo": lambda data, folder: _zoo("x.graphml", data, folder),
    "gml": lambda data, folder: _zoo("x.gml", data, folder),
    "side": _side,
    "trace": _trace,
    "inventory": _inventory,
    "manifest": lambda data, folder: _run("manifest.json", data, folder),
    "samples": lambda data, folder: _run("samples.jsonl", data, folder),
    "pack": _pack,
    "crate": lambda data, folder: _packed(pack.METADATA, data, folder),
    "packed": lambda data, folder: _packed("runs/x/manifest.json", data, folder),
    "answers": lambda data, folder: _packed(f"runs/x/{pack.CLAIMS}", data, folder),
}


def surprise(kind: str, data: bytes) -> str:
    """Read a document of this kind, and use it; return the place of what nobody foresaw, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            READERS[kind](data, Path(folder))
        except LabError as error:
            return place(error.__cause__.__cause__) if isinstance(error.__cause__, Unforeseen) else ""
        except Exception as error:
            return place(error)
    return ""


def place(error: BaseException | None) -> str:
    """Return the kind of an error, and the last line of the lab's own that it went through."""
    where = error.__traceback__ if error else None
    last = ""
    while where is not None:
        code = where.tb_frame.f_code
        if "/lab/" in code.co_filename:
            last = f"{code.co_filename.rpartition('/lab/')[2]}:{where.tb_lineno}"
        where = where.tb_next
    return f"{type(error).__name__} {last}"
