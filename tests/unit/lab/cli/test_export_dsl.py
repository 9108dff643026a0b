"""lab export-dsl, as typed."""

from __future__ import annotations

import stat
from pathlib import Path

from lab import catalog, plugins
from tests.unit.command_line import Lab


def test_export_without_arguments_is_the_chain(lab: Lab) -> None:
    status, out, err = lab("export-dsl")

    assert status == 0
    assert out.startswith("WeaveHop {\n")
    assert out.endswith("}\n")
    assert err == (
        "not in the document: name of 6 hosts, rtt of 5 links, the topology's name; "
        "-o FILE keeps it beside the document\n"
    )


def test_export_to_a_file_reads_back_as_it_was(lab: Lab, tmp_path: Path) -> None:
    for name in plugins.names("topologies"):
        for dialect in ("v2", "typed"):
            file = tmp_path / f"{name}-{dialect}.dsl"
            status, out, err = lab("export-dsl", name, "--dialect", dialect, "-o", file)
            assert (status, out) == (0, "")
            assert f"it is in {tmp_path / name}-{dialect}.lab.yaml" in err
            assert catalog.topology(file) == catalog.topology(name)


def test_nothing_is_overwritten_without_force(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "chain.dsl"
    file.write_text("mine")

    status, _, err = lab("export-dsl", "-o", file)
    assert status == 1
    assert err.splitlines()[-1] == f"lab: {file} exists; --force overwrites"
    assert file.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["chain.dsl"]

    assert lab("export-dsl", "-o", file, "--force")[0] == 0
    assert file.read_text().startswith("WeaveHop {")
    assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chain.dsl", "chain.lab.yaml"]


def test_limits_of_the_service_are_warnings_or_errors(lab: Lab) -> None:
    status, out, err = lab("export-dsl", "star")
    assert (status, out[:4]) == (0, "star")
    assert (
        "warning: capacity: link 'l1' asks for 10 Mbit/s; the service was seen not to enforce it (and 2 more)"
        in err
    )

    status, out, err = lab("export-dsl", "star", "--strict")
    assert (status, out) == (1, "")
    assert (
        err.splitlines()[-1] == "lab: star runs into 3 limits of the service (capacity) and --strict is set"
    )


def test_an_unknown_dialect_has_the_nearest_one(lab: Lab) -> None:
    assert lab("export-dsl", "--dialect", "type")[2] == "lab: unknown dialect 'type'; did you mean 'typed'?\n"
