"""Fixtures of the links' tests: one link between two hosts, as its lab sees it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.emulation.links.control import Links
from tests.unit.lab.emulation.links.fakes import SPEC, Kernel, StoredShaper

LOSSLESS = replace(SPEC, loss=0.0)


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def shaper(tmp_path: Path) -> StoredShaper:
    return StoredShaper(tmp_path, LOSSLESS)


@pytest.fixture
def links(kernel: Kernel, shaper: StoredShaper) -> Links:
    return Links("lab-x", shaper, [LOSSLESS], kernel)  # type: ignore[arg-type]
