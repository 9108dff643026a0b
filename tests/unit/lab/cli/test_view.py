"""lab view and lab events: words of the command line; the server has tests of its own."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema

from lab.feed.objects import schema
from tests.unit.command_line import Lab
from tests.unit.synthetic import throughput_run


def test_a_run_becomes_one_page(lab: Lab, tmp_path: Path) -> None:
    run, page = throughput_run(tmp_path, 40.0).path, tmp_path / "run.html"
    assert lab("view", str(run), "-o", str(page))[0] == 0
    html = page.read_text()
    assert "<title>" in html
    assert 'id="recording"' in html
    status, _, said = lab("view", str(run), "-o", str(page))
    assert status == 1
    assert "run.html" in said
    assert lab("view", str(run), "-o", str(page), "--force")[0] == 0


def test_only_a_run_can_be_written_as_a_page(lab: Lab, tmp_path: Path) -> None:
    status, _, said = lab("view", "class", "-o", str(tmp_path / "x.html"))
    assert status == 2
    assert "--output is for a run" in said


def test_a_run_is_printed_as_objects_of_the_schema(lab: Lab, tmp_path: Path) -> None:
    run = throughput_run(tmp_path, 40.0)
    status, printed, _ = lab("events", str(run.path), "--json", "--interval", "0.2")
    assert status == 0
    objects = [json.loads(line) for line in printed.splitlines()]
    assert len(objects) == 2 + len(run.samples)
    check = jsonschema.Draft202012Validator(json.loads(schema()))
    for one in objects:
        check.validate(one)


def test_the_schema_is_printed(lab: Lab) -> None:
    assert lab("events", "--schema")[1] == schema()


def test_events_ask_for_a_form(lab: Lab) -> None:
    status, _, said = lab("events", "class")
    assert status == 2
    assert "--json" in said


def test_an_address_that_is_none_is_named(lab: Lab, tmp_path: Path) -> None:
    run = throughput_run(tmp_path, 40.0)
    status, _, said = lab("events", str(run.path), "--prometheus", "nowhere")
    assert status == 2
    assert "HOST:PORT" in said


def test_a_folder_that_is_no_run_is_named(lab: Lab, tmp_path: Path) -> None:
    status, _, said = lab("events", str(tmp_path), "--json")
    assert status == 1
    assert "no run folder" in said
