"""What is taken off a machine, and what stays."""

from __future__ import annotations

from lab.testbed import restore
from lab.testbed.survey import Survey


def test_folders_that_were_there_stay() -> None:
    lines = list(restore._new_files(Survey({"paths": "/usr/local/lib/lab\n/etc/docker\n", "files": ""})))
    assert "rm -rf /var/lib/lab" in lines
    assert "rm -rf /usr/local/lib/lab" not in lines
    assert "rm -rf /etc/docker" not in lines
