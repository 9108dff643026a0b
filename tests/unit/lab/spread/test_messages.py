"""Messages are data, and both sides check them."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest

from lab.app.block_order import BlockOrder
from lab.app.request import RunRequest, plan_run
from lab.errors import RunError
from lab.spread import messages
from lab.spread.messages import Work, pack_folder, read, unpack_folder, unpack_sample


def work() -> dict[str, object]:
    asked = RunRequest("multihop", overlays=("tinc",), daemons="none", seed=4)
    order = BlockOrder.of(asked, plan_run(asked), "tinc", 4)
    return json.loads(Work(key="k-1", topic="lab-1", order=order, lab="1").model_dump_json())


def test_an_order_is_the_same_on_the_other_side(tmp_path: Path) -> None:
    asked = read(Work, json.dumps(work()), "the order")
    request, plan = asked.order.plan(tmp_path)
    assert (request.seed, request.daemons, list(plan.overlays)) == (4, "none", ["tinc"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "../x y"}, "key: String should match pattern"),
        ({"function": "os.system"}, "function: Extra inputs are not permitted"),
        ({"order": {}}, "order.experiment: Field required"),
    ],
)
def test_what_is_no_order_is_refused_with_its_place(change: dict[str, object], words: str) -> None:
    with pytest.raises(RunError, match=f"the order cannot be read: {words}"):
        read(Work, json.dumps({**work(), **change}), "the order")


@pytest.mark.parametrize(
    ("field", "value"),
    [("seed", -1), ("clock", "none"), ("costs", {"x": -1.0}), ("profile", {"bring_ups": 0}), ("code", "x")],
)
def test_a_block_with_a_value_that_is_none_is_refused(field: str, value: object) -> None:
    order = {**work()["order"], field: value}  # type: ignore[dict-item]
    with pytest.raises(RunError, match=f"order for a block cannot be read: {field}"):
        BlockOrder.read(json.dumps(order))


def test_a_folder_arrives_as_it_was_and_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_bytes(b"\0x")
    unpack_folder(pack_folder(tmp_path / "a"), tmp_path / "z")
    assert (tmp_path / "z/b/c").read_bytes() == b"\0x"

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../out", "x")
    unpack_folder(packed.getvalue(), tmp_path / "y")
    assert not (tmp_path / "out").exists()
    assert not (tmp_path.parent / "out").exists()


def test_a_folder_that_is_none_or_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RunError, match="cannot be read"):
        unpack_folder(b"no archive", tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "a/f").write_bytes(b"0" * 100)
    monkeypatch.setattr(messages, "MOST_BYTES", 99)
    with pytest.raises(RunError, match="larger than a block can be"):
        unpack_folder(pack_folder(tmp_path / "a"), tmp_path / "b")


def test_a_sample_that_is_none_is_refused() -> None:
    with pytest.raises(RunError, match="a sample from a worker cannot be read"):
        unpack_sample(b"no sample")
