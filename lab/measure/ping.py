"""ping: round trips while something else goes over the same links; a lost answer costs no other."""

from __future__ import annotations

import re

from lab.errors import MeasureError

NAME = "ping"
#: Time between two requests (s).
INTERVAL = 0.1


def argv(address: str, seconds: float) -> list[str]:
    """Echo requests for `seconds` (s), and a summary of their answers."""
    return [NAME, "-n", "-q", "-i", f"{INTERVAL:g}", "-W", "1", "-c", str(round(seconds / INTERVAL)), address]


def parse(raw: str) -> dict[str, float]:
    """Mean and greatest round trip (ms), and the share of requests without an answer (%).

    Raises:
        MeasureError: nobody answered, or the text is no summary.
    """
    lost = re.search(r"([\d.]+)% packet loss", raw)
    times = re.search(r"^rtt min/avg/max/mdev = [\d.]+/([\d.]+)/([\d.]+)/[\d.]+ ms", raw, re.MULTILINE)
    if lost and not times:
        raise MeasureError(NAME, "got not one answer", raw)
    if not lost or not times:
        said = (raw.strip() or "nothing").splitlines()[-1][:200]
        raise MeasureError(NAME, f"printed no summary; its last words: {said}", raw)
    return {"mean_ms": float(times[1]), "max_ms": float(times[2]), "lost_percent": float(lost[1])}
