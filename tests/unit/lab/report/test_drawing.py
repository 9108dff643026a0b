"""Drawing: the files of a figure, their caption, and text that can be read at 7 inches."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib as mpl
import pytest

from lab.errors import RunError
from lab.report import drawing
from lab.report.panels import Figure, Mean, Panel, PanelSeries


def figure(panels: int = 1, words: bool = False, log: bool = False) -> Figure:
    """Two series at three places."""
    means = [Mean(5.0, 4.0, 6.0, [4.5, 5.5]), None, Mean(7.0, invalid=[7.0], doubtful=True)]
    series = [PanelSeries("TCP", means, [6.0, None, None], [8.0] * 3), PanelSeries("UDP", means)]
    places = ["AMS–PRG", "AMS–BRA", "AMS–MIL"] if words else [1.0, 2.0, 4.0]
    return Figure(
        "Throughput & more",
        [Panel(f"overlay {n}", series, places, "hops", "Mbit/s", log=log) for n in range(panels)],
        "links of 10 Mbit/s; run 5ynth1",
    )


@pytest.mark.parametrize("words", [False, True])
def test_a_figure_is_written_in_three_forms_with_its_caption(tmp_path: Path, words: bool) -> None:
    svg, pdf, png, text = drawing.draw(figure(words=words), tmp_path / "f")
    assert [file.name for file in (svg, pdf, png, text)] == ["f.svg", "f.pdf", "f.png", "f.txt"]
    assert pdf.read_bytes().startswith(b"%PDF")
    assert png.read_bytes().startswith(b"\x89PNG")
    said = text.read_text().splitlines()
    assert said[0] == "Throughput & more"
    assert said[-1] == "Conditions: links of 10 Mbit/s; run 5ynth1."
    assert "Hollow: no sample counts." in said


def test_conditions_are_in_the_metadata_and_not_in_the_picture(tmp_path: Path) -> None:
    from PIL import Image

    svg, pdf, png, _ = drawing.draw(figure(), tmp_path / "f")
    about, drawn = svg.read_text().split("</metadata>")
    assert "run 5ynth1" in about
    assert "run 5ynth1" not in drawn
    assert "Throughput &amp; more" not in drawn
    assert b"run 5ynth1" in pdf.read_bytes()
    assert "run 5ynth1" in Image.open(png).info["Description"]


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("panels", [1, 2, 5, 9])
def test_text_has_nine_points_at_seven_inches_and_lies_within_the_figure(
    tmp_path: Path, panels: int, words: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.text import Text

    seen = []
    monkeypatch.setattr(drawing, "_saved", lambda sheet, form, caption: seen.append(sheet) or b"")
    drawing.draw(figure(panels, words), tmp_path / "f")
    sheet = seen[0]
    assert sheet.get_figwidth() == 7
    texts = [t for t in sheet.findobj(Text) if t.get_text().strip() and t.get_visible()]
    assert {t.get_fontsize() for t in texts} == {9}
    columns = {round(ax.get_position().x0, 2) for ax in sheet.axes}
    assert len(columns) == min(panels, 2)
    renderer = sheet._get_renderer()
    for ax in sheet.axes:
        box = ax.get_tightbbox(renderer)
        assert box is None or (box.x0 >= -1 and box.x1 <= sheet.bbox.width + 1), ax.get_title()
    (legend,) = sheet.legends or [ax.get_legend() for ax in sheet.axes if ax.get_legend()]
    assert legend.get_window_extent(renderer).x1 <= sheet.bbox.width + 1


def test_the_same_figure_gives_the_same_bytes_whatever_style_a_user_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [file.read_bytes() for file in drawing.draw(figure(words=True), tmp_path / "a")]
    monkeypatch.setitem(mpl.rcParams, "font.size", 20.0)
    again = [file.read_bytes() for file in drawing.draw(figure(words=True), tmp_path / "b")]
    assert first == again
    assert mpl.rcParams["font.size"] == 20


def test_every_series_and_every_mark_is_in_the_legend(tmp_path: Path) -> None:
    svg = drawing.draw(figure(), tmp_path / "f")[0].read_text()
    for words in ("TCP", "UDP", "sample", "sample that is not valid", "no valid sample", "limit of the link"):
        assert f">{words}</text>" in svg
    assert ">published 2016</text>" in svg


def test_on_a_logarithmic_scale_there_are_marks_and_no_bars(tmp_path: Path) -> None:
    bars, marks = (
        drawing.draw(figure(words=True, log=log), tmp_path / str(log))[0].read_text() for log in (False, True)
    )
    assert "url(#h" in bars, "a hatch"
    assert "url(#h" not in marks
    assert re.search(r">[4-8]</text>", marks), "numbers along the axis"


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "figures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is a link"):
        drawing.draw(figure(), tmp_path / "figures" / "f")
