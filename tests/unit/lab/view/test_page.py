"""The page as it is served and as one file: settings, recording, names that hold HTML, files of others."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re

import pytest

from lab.errors import LabError
from lab.view.page import STATIC, live, saved


def _data(page: str, name: str) -> dict[str, str]:
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)
    assert found
    data: dict[str, str] = json.loads(found[1])
    return data


@pytest.mark.parametrize("control", [False, True])
def test_a_served_page_has_its_settings_and_no_script_of_its_own(control: bool) -> None:
    page = live(control)
    assert _data(page, "page") == {"mode": "live", "control": control}
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert all("application/json" in head or not text for head, text in scripts)
    assert not re.search(r"\son\w+=", page), "no listeners in attributes"
    for name in re.findall(r'(?:src|href)="static/([^"]+)"', page):
        assert (STATIC / name).is_file()


def test_a_saved_page_holds_the_recording_and_asks_for_nothing() -> None:
    objects = [
        {"t": 1.0, "kind": "event", "text": "</script><script>alert(1)</script>"},
        {"t": 2.0, "kind": "lab"},
    ]
    page = saved(json.dumps(one).encode() + b"\n" for one in objects)
    packed = base64.b64decode(_data(page, "recording")["data"])
    assert [json.loads(line) for line in gzip.decompress(packed).splitlines()] == objects
    assert _data(page, "page")["mode"] == "recorded"
    assert "alert(1)" not in page
    assert 'src="static' not in page
    assert 'href="static' not in page
    assert not re.search(r"^(import|export) ", page, re.MULTILINE)


def test_the_policy_of_a_saved_page_allows_its_own_script_alone() -> None:
    page = saved([b'{"t": 1, "kind": "lab"}'])
    script = re.search(r'<script type="module">(.*?)</script>', page, re.DOTALL)
    assert script
    wanted = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{wanted}'" in page


def test_parts_of_a_saved_page_have_names_of_their_own() -> None:
    """They become one module, where a name that two have is an error of the browser."""
    names = [
        name
        for path in STATIC.glob("*.js")
        for name in re.findall(
            r"^(?:export )?(?:async )?(?:const|let|class|function) (\w+)", path.read_text(), re.MULTILINE
        )
    ]
    assert len(names) > 40
    assert {name for name in names if names.count(name) > 1} == set()


def test_no_part_writes_html() -> None:
    for path in STATIC.glob("*.js"):
        assert not re.search(
            r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", path.read_text()
        ), path


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(LabError, match="no objects"):
        saved([b"\n"])


def test_files_of_others_are_unchanged_and_their_licences_are_there() -> None:
    vendor = STATIC / "vendor"
    rows = re.findall(
        r"^\| `([^`]+)` \|.*\(`([^`]+)`\) \| `(\w{64})` \|$", (vendor / "README.md").read_text(), re.MULTILINE
    )
    assert len(rows) == 3
    for name, licence, digest in rows:
        assert hashlib.sha256((vendor / name).read_bytes()).hexdigest() == digest, name
        assert "Permission is hereby granted" in (vendor / licence).read_text()
    code = {path.name for path in vendor.iterdir() if path.suffix in (".js", ".css")}
    assert code == {name for name, _, _ in rows}
