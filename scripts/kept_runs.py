"""The runs in ``docs/data``: the archives of which pages of the documentation are made."""

from __future__ import annotations

import io
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.app.request import load_experiment
from lab.runs import run_folder
from lab.runs.run_folder import MANIFEST, SAMPLES, StoredRun

ROOT = Path(__file__).resolve().parents[1]
DATA, FIGURES = ROOT / "docs/data", ROOT / "docs/figures"


def keep(folder: Path, name: str, data: Path = DATA) -> Path:
    """Make an archive of the manifest and samples of a run; the same run gives the same bytes."""
    run = run_folder.read(folder)
    data.mkdir(parents=True, exist_ok=True)
    target = data / f"{name}.tar.xz"

    plain = run.manifest.model_copy(update={"sessions": []})  # commands have the paths of one machine
    files = {MANIFEST: plain.model_dump_json(indent=1).encode(), SAMPLES: (folder / SAMPLES).read_bytes()}
    with tarfile.open(target, "w:xz") as archive:
        for file, content in files.items():
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target


def stored(name: str, data: Path = DATA) -> StoredRun:
    """Read a run that is kept."""
    with tempfile.TemporaryDirectory() as folder, tarfile.open(data / f"{name}.tar.xz") as archive:
        for file in (MANIFEST, SAMPLES):
            content = archive.extractfile(file)
            assert content is not None, f"{file} in {name} is no file"
            (Path(folder) / file).write_bytes(content.read())
        return run_folder.read(Path(folder))


def draw(run: StoredRun, wanted: Mapping[str, str], target: Path) -> list[Path]:
    """Draw the figures of a run's experiment that are `wanted`, by their names there; returns the files."""
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for file in load_experiment(run.manifest.experiment).figures(run, Path(folder)):
            if file.suffix == ".svg" and file.stem in wanted:
                made.append(target / f"{wanted[file.stem]}.svg")
                made[-1].write_bytes(file.read_bytes())
    return made


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
