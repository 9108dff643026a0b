"""lab validate, as typed."""

from __future__ import annotations

from pathlib import Path

from tests.paths import FIXTURES
from tests.unit.command_line import Lab

FIXTURES = FIXTURES / "dsl"


def test_validate_says_what_is_in_a_document(lab: Lab) -> None:
    file = FIXTURES / "switches.dsl"

    status, out, err = lab("validate", file)

    assert status == 0
    assert out == (
        f"{file}: Switched: 1 baremetalserver, 1 host, 1 ofx, 1 vsi, 3 links, at 3 sites; no faults\n"
    )
    assert "warning: bandwidth: link 'l2' has a bandwidth" in err


def test_validate_tells_every_fault_with_its_place(lab: Lab) -> None:
    file = FIXTURES / "full_of_faults.dsl"
    faults = (FIXTURES / "full_of_faults.txt").read_text().splitlines()

    status, out, err = lab("validate", file)

    assert (status, out) == (1, "")
    assert err.splitlines() == [
        *(f"{file}:{fault}" for fault in faults),
        f"lab: {file} has {len(faults)} faults",
    ]


def test_validate_learns_of_further_sites(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "osl.dsl"
    file.write_text('x { host { id="a" location="OSL" } }')

    assert lab("validate", file)[0] == 1
    assert lab("validate", file, "--site", "OSL=59.91,10.75")[0] == 0
    assert lab("validate", file, "--site", "OSL")[2].startswith("lab: 'OSL' is no site; write NAME=LAT,LON")


def test_limits_of_the_service_are_told_of_its_documents_and_of_others_if_asked(
    lab: Lab, tmp_path: Path
) -> None:
    file = tmp_path / "net.yaml"
    file.write_text("name: net\nhosts: {a: AMS, b: BRA}\nlinks: [{between: [a, b], rate: 50}]\n")

    assert lab("validate", file) == (0, f"{file}: net: 2 hosts, 1 link, at 2 sites; no faults\n", "")
    status, _, err = lab("validate", file, "--strict")
    assert status == 1
    assert "capacity: link" in err
