"""What `lab testbed check` finds, as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.app.testbed import Booked, prerequisites
from lab.errors import HostError
from lab.events import Emit, step
from lab.hosts.host import HostFacts
from lab.report.tables import Section, Table
from lab.testbed import provision, reservation
from lab.testbed.testbed import Testbed
from lab.util.concurrency import together


async def checked(
    book: Booked, overlays: Sequence[str], emit: Emit, *, accept_new: bool
) -> tuple[int, Table]:
    """Reach and survey all machines; returns the exit status and what to show."""
    bed = book.bed(emit, accept_new=accept_new)
    facts: dict[str, HostFacts] = {}
    try:
        with step(emit, "connections") as words:
            faults = await bed.reach()
            words.append(f"{len(bed.hosts)} of {len(faults)} hosts")
        troubles = [str(fault) for fault in faults if fault]
        with step(emit, "what is there"):
            troubles += await _look(bed, facts)
    finally:
        await bed.close()
    able = prerequisites(facts, overlays)
    sections = [
        Section("what each host has", [_row(bed, name) for name in bed.hosts if name in bed.surveys]),
        Section("what it lacks, and 'prepare' brings", list(_padded(_lacking(bed)))),
        Section("what stands in the way", list(_padded(troubles))),
        Section(
            "overlays that a host cannot run",
            list(_padded(f"{host}: {overlay} needs {words}" for host, overlay, words in able)),
        ),
    ]
    named = bool(overlays) and bool(able)
    columns = ["host", "system", "kernel", "CPUs", "Docker", "control", "ports", "free", "held by"]
    title = f"{len(bed.surveys)} of {len(faults)} hosts of {book.topology.name} answer"
    shown = [section for section in sections if section.rows]
    return int(bool(troubles) or named), Table(title, columns, shown, [])


async def _look(bed: Testbed, facts: dict[str, HostFacts]) -> list[str]:
    """Survey the hosts that were reached, each by itself; says what stands in the way."""
    from lab.testbed.survey import host_facts, survey

    troubles = []

    async def of(name: str) -> None:
        host = bed.hosts[name]
        try:
            bed.surveys[name] = await survey(host)
            bed.control_interfaces[name] = await bed.control_interface(name)
            facts[name] = await host_facts(host)
            bed.ports_of(name)
            provision.require_room(name, bed.surveys[name])
        except HostError as error:
            troubles.append(str(error))

    await together(of(name) for name in bed.hosts)
    return sorted(troubles)


def _row(bed: Testbed, name: str) -> list[str]:
    found = bed.surveys[name]
    facts = found.as_facts()
    return [
        name,
        str(facts["system"]),
        str(facts["kernel"]),
        str(facts["cpus"]),
        ".".join(map(str, found.docker)) or "none",
        bed.control_interfaces.get(name, "?"),
        " ".join(f"{p}={v}" for p, v in bed.inventory.hosts[name].ports.items()),
        f"{found.free_mib} MiB",
        _holder(found.answers.get("claim", "")),
    ]


def _holder(text: str) -> str:
    found = reservation.parse(text.strip())
    return f"{found.who} on {found.machine} since {found.since}" if found else "nobody"


def _lacking(bed: Testbed) -> Iterator[str]:
    wanted = provision.endpoint_id()
    for name in (name for name in bed.hosts if name in bed.surveys):
        found = bed.surveys[name]
        words = provision.missing_parts(found)
        words += ["the endpoint image"] if provision.lacks_image(found, wanted) else []
        words += [
            f"{link.address(name)}/{link.prefix} for {link.interface(name)}"
            for link in bed.topology.links_of(name)
            if not _has(bed, name, f"{link.address(name)}/{link.prefix}")
        ]
        if words:
            yield f"{name}: {', '.join(words)}"


def _has(bed: Testbed, name: str, address: str) -> bool:
    return any(address in one.addresses for one in bed.surveys[name].interfaces.values())


def _padded(lines: Iterator[str] | Sequence[str]) -> Iterator[list[str]]:
    for line in lines:
        yield [line, *[""] * 8]
