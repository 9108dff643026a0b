"""Properties have no deadline here either: how long an example takes says how busy the machine is.

And no unit test asks a registry for an image with an overlay's program.
"""

from __future__ import annotations

import pytest
from hypothesis import settings

from overlays.common import binaries


@pytest.fixture(autouse=True)
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "_pull", lambda image: False)


settings.register_profile("unit", deadline=None)
settings.load_profile("unit")
