"""Removing a daemon's own rules from netfilter's tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lab.hosts.host import Host


def removal(saved: str, ours: re.Pattern[str]) -> str:
    """Return the input for ``iptables-restore --noflush`` that deletes the rules and chains matching `ours`.

    Args:
        saved: the output of ``iptables-save``.
        ours: found in every line that is to go, a rule (``-A …``) or a chain (``:NAME …``).
    """
    return "".join(_tables(saved, ours))


def _tables(saved: str, ours: re.Pattern[str]) -> Iterator[str]:
    table, rules, chains = "", list[str](), list[str]()
    for line in saved.splitlines():
        if line.startswith("*"):
            table, rules, chains = line, [], []
        elif line.startswith(":") and line.split()[1] == "-" and ours.search(line):
            chains.append(line[1:].split()[0])
        elif line.startswith("-A") and ours.search(line):
            rules.append("-D" + line[2:])
        elif line == "COMMIT" and (rules or chains):
            emptied = [f"-F {chain}" for chain in chains] + [f"-X {chain}" for chain in chains]
            own = tuple(f"-D {chain} " for chain in chains)
            kept = [rule for rule in rules if not rule.startswith(own)]
            yield "\n".join([table, *kept, *emptied, "COMMIT", ""])


async def remove(host: Host, ours: re.Pattern[str]) -> None:
    """Delete an overlay's rules and chains on a host."""
    saved = (await host.run(["iptables-save"])).stdout
    if lines := removal(saved, ours):
        await host.run(["iptables-restore", "--noflush"], stdin=lines.encode())
