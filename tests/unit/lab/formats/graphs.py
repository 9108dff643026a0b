"""Topologies as text that tests of file formats share."""

from __future__ import annotations

from pathlib import Path

YAML = """\
name: three
description: two sites of the testbed and one more
sites:
  OSL: [59.91, 10.75]
hosts:
  a: AMS
  b: {site: bra, cpus: 2, image: debian:12}
  c: OSL
links:
  - {between: [a, b]}
  - {between: [b, c], rtt: 20, rate: 100, jitter: 0.5, loss: 0.1, mtu: 1400, name: north}
"""


def written(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file
