"""Runs as one archive for others, with all that one must know to believe them or to measure them again."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.app.request import load_experiment
from lab.errors import LabError, PackError, PluginError, UnknownName
from lab.formats import lab_yaml
from lab.report.cell_stats import COLUMNS, rows
from lab.report.claims import scorecard
from lab.report.limits import topology_of
from lab.report.presentation import PresentedExperiment
from lab.runs import pack, run_folder_check
from lab.runs.environment import PACKAGES_FILE
from lab.runs.pack import CLAIMS, PROFILE, RUNS, Pack
from lab.runs.run_folder import MANIFEST, READ_BACK, SAMPLES, StoredRun, read, slug
from lab.util.documents import Bounds, content

#: Files of a run folder that are packed where they are there; samples and their raw outputs always are.
OWN = (READ_BACK, PACKAGES_FILE)
TOPOLOGY, TABLES, CELLS, REGISTERED = "topology.yaml", "tables.json", "cells.csv", "claims"
#: What is in a pack by the end of a file's name, in words.
MEANING = {
    MANIFEST: "conditions of the run: kernel, machine, versions, images' digests, calibration of links",
    SAMPLES: "samples, one in a line",
    READ_BACK: "settings of the links, as the kernel reported them before the first sample",
    PACKAGES_FILE: "Python packages of the run, with their versions",
    TOPOLOGY: "the topology, as 'lab --topology' takes it",
    TABLES: "tables: the data of the figures",
    CELLS: "statistics of each cell: the data of the figures",
    CLAIMS: "answers to the registered claims when the run was packed",
}
TYPES = {
    ".json": "application/json",
    ".jsonl": "application/jsonl",
    ".csv": "text/csv",
    ".yaml": "application/yaml",
}
Describe = Callable[[Mapping[str, Mapping[str, str]]], dict[str, Any]]
FILE = Bounds("file of a run", size=pack.OTHERS)


@dataclass(frozen=True)
class Packed:
    """A pack that was written, and sentences about what its runs lack."""

    file: Path
    id: str
    notes: Sequence[str]


def write(folders: Sequence[Path], file: Path, *, terms: str = "", force: bool = False) -> Packed:
    """Pack the runs of these folders into one archive.

    `terms` is the address of the licence under which the data are given to others.

    A run that is not complete is packed, with a sentence; one whose files are not what was written is not.

    Raises:
        RunError: a folder is no run folder.
        PackError: a line or a raw output is not as it was written; or two runs have one name.
        UnknownName: the experiment of a run is not installed.
        FileError: the archive is there and `force` is not set, or the disk refuses.
    """
    runs = [read(folder) for folder in folders]
    names = Counter(slug(run.path.resolve().name) for run in runs)
    if twice := [name for name, count in names.items() if count > 1]:
        raise PackError(f"two run folders are named {twice[0]}: rename one of them")
    experiments = {run.path: load_experiment(run.manifest.experiment) for run in runs}
    notes = [f"{run.path}: {fault}" for run in runs for fault in _faults(run, experiments[run.path])]
    members = (one for run in runs for one in _members(run, experiments[run.path]))
    registered = {
        f"{REGISTERED}/{path.name}": path for found in experiments.values() for path in found.claims_files
    }
    own = ((name, _content(path, path.parent)) for name, path in sorted(registered.items()))
    pack.write(file, (one for group in (members, own) for one in group), _describer(runs, terms), force=force)
    with pack.opened(file) as whole:
        return Packed(file, whole.id, notes)


def _faults(run: StoredRun, experiment: PresentedExperiment) -> list[str]:
    """Return what a run lacks.

    Raises:
        PackError: something of it is not as it was written.
    """
    torn = [
        *run.faults,
        *filter(None, (run_folder_check.raw_fault(run.path, s) for s in run.samples if s.raw)),
    ]
    if torn:
        raise PackError(f"{run.path} is not packed: {torn[0]}; make it whole with --resume")
    return run_folder_check.faults(run, experiment)


def _content(path: Path, beneath: Path) -> bytes:
    limit = pack.MOST_BYTES.get(path.name, FILE.size)
    return content(path, PackError, Bounds(FILE.what, size=limit), beneath=beneath)


def _members(run: StoredRun, experiment: PresentedExperiment) -> Iterator[tuple[str, bytes]]:
    """Yield the name and the content of each file that a run has in a pack."""
    place = f"{RUNS}/{slug(run.path.resolve().name)}"
    yield f"{place}/{MANIFEST}", _manifest(run).encode()
    there = [name for name in (*OWN, SAMPLES) if (run.path / name).exists()]
    raws = sorted({sample.raw for sample in run.samples if sample.raw})
    for name in (*there, *raws):
        yield f"{place}/{name}", _content(run.path / name, run.path)
    for name, text in _made(run, experiment):
        yield f"{place}/{name}", text.encode()


def _manifest(run: StoredRun) -> str:
    """Return a run's manifest without the folders of its machine in commands, and without its boots."""
    sessions = [
        one.model_copy(update={"command": [_without_folder(word) for word in one.command], "boot": ""})
        for one in run.manifest.sessions
    ]
    return run.manifest.model_copy(update={"sessions": sessions}).model_dump_json(indent=2) + "\n"


def _without_folder(word: str) -> str:
    """Return a word of a command; the lab's own program is ``lab`` wherever it lies."""
    path = Path(word)
    if not path.is_absolute():
        return word
    return "lab" if path.parts[-2:] == ("lab", "__main__.py") else path.name


def _made(run: StoredRun, experiment: PresentedExperiment) -> Iterator[tuple[str, str]]:
    """Yield what is made of a run's samples for readers without the lab."""
    if topology := topology_of(run):
        yield TOPOLOGY, lab_yaml.write(topology)
    yield CLAIMS, _json({"answers": answers(run, experiment)})
    yield TABLES, _json([asdict(table) for table in (experiment.tables(run) if run.samples else ())])
    held = io.StringIO(newline="")
    csv.writer(held).writerows([COLUMNS, *rows(run)])
    yield CELLS, held.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"


def answers(run: StoredRun, experiment: PresentedExperiment) -> list[dict[str, str]]:
    """Return the answers to the claims about a run, as a pack has them."""
    found = scorecard({experiment.name: experiment.claims}, [run]) if run.samples else []
    return [
        {
            "id": row.claim.id or row.claim.text,
            "text": row.claim.text,
            "source": row.claim.source,
            "verdict": row.answer.verdict,
            "evidence": row.evidence,
        }
        for row in found
    ]


def _describer(runs: Sequence[StoredRun], terms: str) -> Describe:
    """Return a function that describes the files of a pack as an RO-Crate."""
    from rocrate.model.contextentity import ContextEntity
    from rocrate.rocrate import ROCrate

    def describe(files: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        # what the library fills in by itself, e.g. today's date, is given: the same run has the same pack
        crate = ROCrate(gen_preview=False, version="1.1")
        crate.metadata.extra_terms["sha256"] = "https://w3id.org/ro/terms/workflow-run#sha256"
        names = ", ".join(dict.fromkeys(run.manifest.experiment for run in runs))
        crate.name = f"{len(runs)} run{'s' * (len(runs) > 1)} of {names}"
        crate.description = "Measurements of overlay networks on emulated or real wide-area networks."
        crate.datePublished = max(run.manifest.created for run in runs)
        if terms:
            crate.license = terms
        profile = f"{PROFILE}{pack.VERSION}"
        words = {"@type": ["CreativeWork", "Profile"], "name": f"pack of runs, version {pack.VERSION}"}
        crate.root_dataset["conformsTo"] = crate.add(ContextEntity(crate, profile, properties=words))
        entities = {
            name: crate.add_file(dest_path=name, properties=_facts(name, f)) for name, f in files.items()
        }
        for run in runs:
            _describe_run(crate, run, entities)
        found: dict[str, Any] = crate.metadata.generate()
        return found

    return describe


def _facts(name: str, facts: Mapping[str, str]) -> dict[str, str]:
    path = Path(name)
    known = {"encodingFormat": TYPES.get(path.suffix, "text/plain"), **facts}
    meaning = MEANING.get(
        path.name, "output of a measuring tool" if name.startswith(RUNS) else "claims, registered"
    )
    return {**known, "description": meaning}


def _describe_run(crate: Any, run: StoredRun, entities: Mapping[str, Any]) -> None:
    from rocrate.model.contextentity import ContextEntity

    manifest, place = run.manifest, f"{RUNS}/{slug(run.path.resolve().name)}/"
    folder = crate.add_dataset(
        dest_path=place, properties={"name": f"run {manifest.run} of {manifest.experiment}"}
    )
    folder["hasPart"] = [entity for name, entity in entities.items() if name.startswith(place)]
    used = str(manifest.environment.get("versions", {}).get("overlay-lab", "of an unknown version"))
    tool = {"@type": "SoftwareApplication", "name": "overlay-lab", "softwareVersion": used}
    action = {
        "@type": "CreateAction",
        "name": f"measurement of {manifest.experiment}",
        "startTime": manifest.created,
        "instrument": crate.add(ContextEntity(crate, f"#overlay-lab-{used}", properties=tool)),
        "result": folder,
    }
    made = crate.add(ContextEntity(crate, f"#run-{manifest.run}", properties=action))
    crate.root_dataset.append_to("mentions", made)


@dataclass(frozen=True)
class Verification:
    """The contents of a pack in words, and everything that is not as it should be."""

    contents: Sequence[str]
    notes: Sequence[str]
    faults: Sequence[str]


def verify(whole: Pack) -> Verification:
    """Check the runs of a pack whose checksums are right already: raw outputs, cells, answers to claims."""
    contents, notes, faults = [], [], []
    for run in whole.runs:
        manifest = run.manifest
        counting = sum(sample.valid for sample in run.samples)
        contents.append(
            f"run {manifest.run} of {manifest.experiment}, {manifest.created}: "
            f"{len(run.samples)} samples, {counting} of them count"
        )
        faults += [f"run {manifest.run}: {fault}" for fault in run.faults]
        try:
            experiment = load_experiment(manifest.experiment)
        except (UnknownName, PluginError) as error:
            notes.append(f"run {manifest.run}: its cells and claims are not checked: {error}")
            continue
        torn = run_folder_check.faults(run, experiment)
        (faults if manifest.complete else notes).extend(f"run {manifest.run}: {fault}" for fault in torn)
        notes += _changed(run, experiment, whole)
    return Verification(contents, notes, faults)


def _changed(run: StoredRun, experiment: PresentedExperiment, whole: Pack) -> Iterator[str]:
    """Yield a sentence for each claim that has another answer here than in its pack."""
    try:
        here = {one["id"]: one["verdict"] for one in answers(run, experiment)}
    except LabError as error:
        yield f"run {run.manifest.run}: its claims are not answered here: {error}"
        return
    for packed in whole.answers.get(run.manifest.run, ()):
        now = here.get(packed.id, "no claim of this version")
        if now != packed.verdict:
            yield f"run {run.manifest.run}: {packed.text}: {packed.verdict} when it was packed, here {now}"
