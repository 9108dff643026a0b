"""The manifest of a run: what a resumed run must have in common with its beginning."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from lab.errors import RunError
from lab.report.captions import rate
from lab.runs.experiment import Profile
from lab.runs.manifest import FOUND, Manifest, check_same
from lab.runs.run_folder import read
from tests.unit.fakes import manifest, new_folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rate": 100.0}, r"rate was 20\.0, is 100\.0"),
        ({"shaper": "netem"}, "shaper was 'none', is 'netem'"),
        ({"environment": {"kernel": "6.1"}}, "kernel was None, is '6.1'"),
    ],
)
def test_a_run_is_not_resumed_under_other_conditions(change: dict[str, object], said: str) -> None:
    with pytest.raises(RunError, match=said):
        check_same(manifest(), manifest(**change))
    check_same(manifest(), manifest())


@pytest.mark.parametrize(
    ("why", "source", "said"),
    [
        (f"{FOUND}: at 40 Mbit/s weave/tcp is emulator-bound: no CPU was left", "capacity", f", {FOUND}"),
        ("set by --rate", "user", ""),
        ("as the studies' links", "profile", ""),
        ("", "profile", ""),
    ],
)
def test_a_run_that_tells_only_in_words_who_chose_its_rate_is_read_as_before(
    tmp_path: Path, why: str, source: str, said: str
) -> None:
    path = new_folder(tmp_path).path
    file = path / "manifest.json"
    stored = json.loads(file.read_text())
    stored["profile"]["why"] = why
    del stored["profile"]["rate_source"]
    file.write_text(json.dumps(stored))

    run = read(path)

    assert run.manifest.profile["rate_source"] == source
    assert rate(run) == f"links of 20 Mbit/s{said}"
    profile = Profile(**run.manifest.profile)
    # and it can be resumed
    check_same(run.manifest, manifest(profile=asdict(profile)))


def test_the_words_of_a_reason_mean_nothing_any_more() -> None:
    said = manifest(profile={"why": f"{FOUND}: not really", "rate_source": "user"})

    assert said.profile["rate_source"] == "user"
    assert Manifest(**said.model_dump()).profile == said.profile


def test_a_run_that_stored_versions_of_packages_no_longer_used_is_resumed() -> None:
    now = {"versions": {"numpy": "1.26", "Docker": "20.10"}}
    before = {"versions": {**now["versions"], "pyroute2": "0.7"}}
    check_same(manifest(environment=before), manifest(environment=now))
    with pytest.raises(RunError, match="versions was another"):
        check_same(manifest(environment={"versions": {"numpy": "1.26"}}), manifest(environment=now))
