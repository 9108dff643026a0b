"""Plug-ins by name: the lab's own, those of others by their entry points, and what is wrong with one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab import plugins
from lab.cli.main import app
from lab.errors import LabError, PluginError, UnknownName
from overlays.underlay import Underlay


def distribution(folder: Path, monkeypatch: pytest.MonkeyPatch, code: str, points: str) -> None:
    """A distribution as an installer leaves it: a module ``theirs``, and what it registers."""
    (folder / "theirs.py").write_text(code)
    info = folder / "theirs_net-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs-net\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "theirs", raising=False)


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_the_lab_s_own_are_modules_and_packages_and_no_helper_is_among_them(kind: str) -> None:
    own = plugins.own_names(kind)
    assert set(own) <= set(plugins.names(kind))
    assert not {"base", "common", "registry"} & set(own)
    assert not [name for name in own if name.startswith("_")]
    assert all(plugins.summary(plugins.load(kind, name)) for name in own)


def test_an_unknown_name_has_the_word_of_its_kind() -> None:
    with pytest.raises(UnknownName, match="unknown experiment 'multihopp'; did you mean 'multihop'"):
        plugins.load("experiments", "multihopp")


def test_the_lab_s_own_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, monkeypatch, "underlay = None\n", "[lab.overlays]\nunderlay = theirs:underlay\n")
    assert plugins.load("overlays", "underlay") is Underlay
    assert plugins.names("overlays").count("underlay") == 1


@pytest.mark.parametrize(
    ("kind", "code", "words"),
    [
        ("overlays", "raise ValueError('no luck')", "cannot be loaded: ValueError: no luck"),
        ("overlays", "import not_there_at_all", "cannot be loaded: ModuleNotFoundError"),
        ("overlays", "", "cannot be loaded: AttributeError"),
        ("overlays", "mine = dict", "is no subclass of overlays.base.Overlay"),
        ("experiments", "mine = 7", "is no subclass of lab.report.presentation.PresentedExperiment"),
        ("experiments", "from overlays.underlay import Underlay as mine", "is no subclass of lab.report"),
        ("topologies", "mine = 'a string'", "is no function: 'a string'"),
        ("topologies", "mine = dict", "is no function"),
    ],
)
def test_one_that_cannot_be_used_is_an_error_that_names_its_distribution(
    kind: str, code: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, monkeypatch, code, f"[lab.{kind}]\nbroken = theirs:mine\n")
    with pytest.raises(PluginError) as caught:
        plugins.load(kind, "broken")
    assert isinstance(caught.value, LabError)
    assert f"'broken' of distribution theirs-net {words}" in str(caught.value)


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_a_broken_one_hides_no_other_in_the_list(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, monkeypatch, "raise OSError('gone')", f"[lab.{kind}]\nbroken = theirs:mine\n")
    listed = CliRunner().invoke(app, ["list", kind])
    assert listed.exit_code == 0
    assert "distribution theirs-net cannot be loaded: OSError: gone" in listed.output
    assert all(name in listed.output for name in plugins.own_names(kind))
