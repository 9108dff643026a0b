"""The verbs export-dsl, check and show, as typed."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lab import catalog, plugins
from lab.cli.main import run
from lab.errors import FileError
from tests.paths import FIXTURES

FIXTURES = FIXTURES / "dsl"
Lab = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Lab:
    """Runs a command line and gives its status, output and errors."""

    def ran(*argv: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["lab", *map(str, argv)])
        try:
            run()
            status = 0
        except SystemExit as end:
            status = int(end.code or 0)
        return status, *capsys.readouterr()

    return ran


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


def test_files_are_there_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lab.util import files

    with pytest.raises(FileError, match="cannot be written: No such file or directory"):
        files.write({tmp_path / "a": b"1", tmp_path / "gone" / "b": b"2"})
    assert list(tmp_path.iterdir()) == []

    # somebody makes the file between the look and the write
    monkeypatch.setattr(files.os.path, "lexists", lambda _: False)
    (tmp_path / "a").write_text("theirs")
    with pytest.raises(FileError, match="exists; --force overwrites"):
        files.write({tmp_path / "a": b"1"})
    assert (tmp_path / "a").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


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


def test_check_says_what_is_in_a_document(lab: Lab) -> None:
    file = FIXTURES / "switches.dsl"

    status, out, err = lab("check", file)

    assert status == 0
    assert out == (
        f"{file}: Switched: 1 baremetalserver, 1 host, 1 ofx, 1 vsi, 3 links, at 3 sites; no faults\n"
    )
    assert "warning: bandwidth: link 'l2' has a bandwidth" in err


def test_check_tells_every_fault_with_its_place(lab: Lab) -> None:
    file = FIXTURES / "full_of_faults.dsl"
    faults = (FIXTURES / "full_of_faults.txt").read_text().splitlines()

    status, out, err = lab("check", file)

    assert (status, out) == (1, "")
    assert err.splitlines() == [
        *(f"{file}:{fault}" for fault in faults),
        f"lab: {file} has {len(faults)} faults",
    ]


def test_what_is_for_documents_holds_in_an_emulation_too(lab: Lab, tmp_path: Path) -> None:
    """Before anything is built: switches are refused, further sites are taken, bare metal is a host."""
    file = tmp_path / "net.dsl"
    ends = 'host {id="a" location="OSL" port {id="p"}} baremetalserver {id="b" location="AMS" port {id="p"}}'
    file.write_text(f'x {{ {ends} link {{ id="l" port {{ id="src" }} port {{ id="dst" }} }} }}')
    emulate = ("emulate", "multihop", "--dry-run", "--overlay", "underlay", "--topology")

    assert lab(*emulate, FIXTURES / "switches.dsl")[2].startswith(
        "lab: topology 'Switched' has OpenFlow switches (ofxAMS, vsi_PRG), which the lab does not emulate;"
    )
    assert "'l': the link has no end" in lab(*emulate, file, "--site", "OSL=59.91,10.75")[2]
    file.write_text(file.read_text()[:-1] + "adjacency a.p, l.src adjacency b.p, l.dst }")
    assert "unknown location" in lab(*emulate, file)[2]
    status, out, _ = lab(*emulate, file, "--site", "OSL=59.91,10.75")
    assert (status, out.splitlines()[0]) == (0, "underlay/latency/from=a/hops=1/to=b  5 × 1 s")
    file.write_text('x { host { id="a" location="AMS" } host { id="b" location="AMS" } }')
    assert lab(*emulate, file)[2] == "lab: topology 'x' has no links, so there is nothing to measure on it\n"


def test_check_learns_of_further_sites(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "osl.dsl"
    file.write_text('x { host { id="a" location="OSL" } }')

    assert lab("check", file)[0] == 1
    assert lab("check", file, "--site", "OSL=59.91,10.75")[0] == 0
    assert lab("check", file, "--site", "OSL")[2].startswith("lab: 'OSL' is no site; write NAME=LAT,LON")


def test_show_prints_a_table(lab: Lab) -> None:
    status, out, _ = lab("show", "full_mesh")

    assert status == 0
    assert "Hosts\nno  name" in out
    assert "59.23" in out


@pytest.mark.parametrize("form", ["svg", "png", "dot", "mmd", "json", "yaml"])
def test_show_draws_every_form(lab: Lab, tmp_path: Path, form: str) -> None:
    file = tmp_path / f"chain.{form}"

    assert lab("show", "linear", "-o", file) == (0, "", "")
    assert file.stat().st_size > 100
    assert lab("show", "linear", "-o", file)[2] == f"lab: {file} exists; --force overwrites\n"
    if form in ("json", "yaml"):
        assert catalog.topology(file).links == catalog.topology("linear").links


def test_show_refuses_forms_it_does_not_know(lab: Lab) -> None:
    status, _, err = lab("show", "linear", "-o", "chain.bmp")

    assert status == 1
    assert err == "lab: chain.bmp: a picture's file ends in .svg, .png, .dot, .mmd, .json, .yaml\n"


@pytest.mark.parametrize("verb", ["export-dsl", "check", "show"])
def test_mistyped_names_get_one_line(lab: Lab, verb: str) -> None:
    assert lab(verb, "lineer") == (1, "", "lab: unknown topology 'lineer'; did you mean 'linear'?\n")
    assert lab(verb, "gone.dsl") == (1, "", "lab: gone.dsl cannot be read: No such file or directory\n")


@pytest.mark.parametrize("verb", ["export-dsl", "check", "show"])
def test_help_has_an_example(lab: Lab, verb: str) -> None:
    status, out, _ = lab(verb, "--help")

    assert status == 0
    assert "Example: python -m lab" in " ".join(out.split())


def test_an_unknown_dialect_has_the_nearest_one(lab: Lab) -> None:
    assert lab("export-dsl", "--dialect", "type")[2] == "lab: unknown dialect 'type'; did you mean 'typed'?\n"


def test_what_is_no_file_is_not_overwritten_by_force_either(lab: Lab, tmp_path: Path) -> None:
    """A device was once replaced by a document, for everybody on the machine."""
    os.mkfifo(tmp_path / "pipe.svg")

    status, _, err = lab("show", "linear", "-o", tmp_path / "pipe.svg", "--force")

    assert status == 1
    assert err == f"lab: {tmp_path}/pipe.svg: no file but something else is there; name another\n"
    assert stat.S_ISFIFO((tmp_path / "pipe.svg").stat().st_mode)


def test_a_verb_that_is_not_there_has_the_nearest_one(lab: Lab) -> None:
    status, out, err = lab("shwo", "linear")

    assert (status, out) == (1, "")
    assert err == "lab: unknown verb 'shwo'; did you mean 'show'?\n"
