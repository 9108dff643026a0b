"""What a machine lacks, and room for it."""

from __future__ import annotations

import pytest

from lab.errors import HostError
from lab.testbed import provision, survey
from lab.testbed.survey import Survey
from tests.unit.lab.testbed.machines import ANSWERS


def test_what_a_machine_lacks_is_named() -> None:
    lacking = provision.missing_parts(Survey(ANSWERS))
    assert lacking[0].startswith("packages ca-certificates, ")
    assert survey.DAEMON_SCRIPT in lacking
    with pytest.raises(HostError, match="AMS: its disk is full: 4 MiB are free"):
        provision.require_room("AMS", Survey(ANSWERS))
