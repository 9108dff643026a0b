"""Making machines ready: programs, endpoint image, data plane; doing it twice changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.errors import HostError
from lab.events import step
from lab.hosts.facts import MARK
from lab.measure.echoes import round_trip
from lab.testbed import cabling_check, dataplane, provision, reservation, restore
from lab.testbed import clock_offsets as clocks
from lab.testbed.inventory import AUTO
from lab.testbed.port_mapping import LinkEnd, Ports
from lab.testbed.testbed import Testbed
from lab.topology import Topology
from lab.util.concurrency import both, together


@dataclass(frozen=True)
class Plane:
    """The data plane as it was found to be: the topology on the machines' own interfaces, and figures."""

    topology: Topology
    ends: Sequence[LinkEnd]
    clocks: Mapping[str, Mapping[str, float]]
    rtts: Mapping[str, Mapping[str, float]]


async def prepare(bed: Testbed, *, persist: bool = False) -> list[str]:
    """Make every machine ready; says what was done, in words.

    Raises:
        HostsLocked: somebody else uses the hosts.
        HostError: a machine lacks something that cannot be installed, or a port leads elsewhere.
    """
    with step(bed.emit, "what is there"):
        await bed.look()
        await bed.find_controls()
    await bed.find_ports(look_for=False)
    await bed.claim()
    # before anything is changed: `restore` goes by it
    await together(
        restore.remember(host, bed.surveys[name], stored(bed, name)) for name, host in bed.hosts.items()
    )
    done = await together(_equip(bed, name) for name in bed.hosts)
    done.append(await _send_image(bed))
    done.append(await lay(bed, persist=persist))
    return [words for words in done if words]


def stored(bed: Testbed, name: str) -> str:
    """A survey as the text that `survey.parse` reads again."""
    said = bed.surveys[name].said
    return "".join(f"{MARK} {question}\n{answer}" for question, answer in said.items())


async def _equip(bed: Testbed, name: str) -> str:
    found = bed.surveys[name]
    if not (lacking := provision.lacking(found)):
        return ""
    provision.refuse_full(name, found)
    with step(bed.emit, f"{name}: installing") as words:
        words.append(", ".join(lacking))
        await provision.provision(bed.hosts[name], found)
    return f"{name}: installed {', '.join(lacking)}"


async def _send_image(bed: Testbed) -> str:
    wanted = provision.endpoint_id()
    lacks = [name for name, found in bed.surveys.items() if provision.lacks_image(found, wanted)]
    if not lacks:
        return ""
    for name in lacks:
        provision.refuse_full(name, bed.surveys[name])
    with step(bed.emit, "endpoint image") as words, provision.packed_image() as packed:
        await together(bed.feed(name, ["docker", "load", "-q"], packed, provision.SEND) for name in lacks)
        words.append(f"sent to {', '.join(lacks)}")
    return f"endpoint image sent to {', '.join(lacks)}"


async def lay(bed: Testbed, *, persist: bool = False) -> str:
    """Give the ports their addresses, and prove that every link is where it should be."""
    found = await bed.find_ports(look_for=True)
    by_host: dict[str, list[LinkEnd]] = defaultdict(list)
    for end in bed.ends(found):
        by_host[end.host].append(end)
    with step(bed.emit, "data plane") as words:
        changed = await together(_lay(bed, name, own, persist=persist) for name, own in by_host.items())
        words.append(f"{len(bed.topology.links)} links")
        if any(changed):
            await bed.look()
        await prove(bed, found)
    names = [name for name, new in zip(by_host, changed, strict=True) if new]
    return f"data plane set up on {', '.join(names)}" if names else ""


async def _lay(bed: Testbed, name: str, own: Sequence[LinkEnd], *, persist: bool) -> bool:
    host, text = bed.hosts[name], dataplane.text(own)
    interfaces = bed.surveys[name].interfaces
    ready = all(
        end.with_length in interfaces[end.interface].addresses
        and interfaces[end.interface].up
        and interfaces[end.interface].mtu == end.link.mtu
        for end in own
    )
    if ready and not persist:
        # what is not an address may be gone all the same: Docker's rules, forwarding
        await host.run(["sh"], stdin=text.encode())
        return False
    await restore.note(host, restore.TOUCHED, [end.interface for end in own])
    await host.put(text.encode(), dataplane.SCRIPT, mode=0o755)
    await host.run([dataplane.SCRIPT])
    if persist:
        await _persist(bed, name)
    return not ready


async def _persist(bed: Testbed, name: str) -> None:
    host = bed.hosts[name]
    if (await host.run(["test", "-d", "/run/systemd/system"], check=False)).status:
        raise HostError(
            f"{name}: --persist needs systemd there; without it run {dataplane.SCRIPT} after each reboot"
        )
    await host.put(dataplane.unit().encode(), dataplane.UNIT)
    await host.run(["systemctl", "enable", "lab-data-plane.service"])


async def prove(bed: Testbed, found: Ports) -> None:
    """Return when every link leads where the topology says.

    Raises:
        HostError: a sentence for every one that does not, with the cable to look at.
    """
    ends = bed.ends(found)
    if not (dead := await cabling_check.silent(bed.hosts, ends)):
        return
    asked: dict[str, list[str]] = defaultdict(list)
    for end in dead:
        asked[end.host].append(end.interface)
        asked[end.peer].append(found[end.peer][end.link.interface(end.peer)])
    really = await bed.behind({name: sorted(set(own)) for name, own in asked.items()})
    known = {name: one.interfaces for name, one in bed.surveys.items()}
    cabling_check.refuse(cabling_check.complaints(dead, really, known, found))


async def stand(bed: Testbed) -> Plane:
    """Return the data plane of machines that are ready; anything that is not is an error.

    Raises:
        HostError: names the host, and what it lacks.
    """
    with step(bed.emit, "what is there"):
        await bed.look()
        await bed.find_controls()
    wanted = provision.endpoint_id()
    lacks = {
        name: [
            *provision.lacking(found),
            *(["the endpoint image"] if provision.lacks_image(found, wanted) else []),
        ]
        for name, found in bed.surveys.items()
    }
    cabling_check.refuse(
        [
            f"{name} is not prepared: it lacks {', '.join(words)}; run 'lab testbed prepare' first"
            for name, words in lacks.items()
            if words
        ]
    )
    await bed.claim()
    await together(
        restore.remember(host, bed.surveys[name], stored(bed, name)) for name, host in bed.hosts.items()
    )
    await lay(bed)
    found = await bed.find_ports(look_for=False)
    ends = bed.ends(found)
    with step(bed.emit, "MTU, clocks and round trips"):
        cabling_check.refuse(await cabling_check.narrow(bed.hosts, ends))
        offsets, rtts = await both(clocks.offsets(bed.hosts), _round_trips(bed))
    return Plane(bed.topology.with_interfaces(found), ends, offsets, rtts)


async def _round_trips(bed: Testbed) -> Mapping[str, Mapping[str, float]]:
    links = bed.topology.links
    rows = await together(round_trip(link, bed.hosts[link.a]) for link in links)
    return {link.name: row for link, row in zip(links, rows, strict=True)}


def steps(bed: Testbed, *, persist: bool = False) -> dict[str, list[str]]:
    """What `prepare` would run as root on every machine, by host, after a survey; nothing is done."""
    return {name: list(_steps(bed, name, persist)) for name in bed.hosts}


def _steps(bed: Testbed, name: str, persist: bool) -> Any:
    found = bed.surveys[name]
    yield f"write {reservation.CLAIM}, {reservation.BUSY}, {restore.BEFORE}, {restore.TOUCHED}"
    if lacking := provision.lacking(found):
        yield f"sh images/provision.sh host   # for {', '.join(lacking)}"
    if provision.lacks_image(found, provision.endpoint_id()):
        yield "docker load   # the endpoint image"
    yield f"write and run {dataplane.SCRIPT}:"
    for link in bed.topology.links_of(name):
        port = link.interface(name)
        given = bed.inventory.hosts[name].ports[port]
        end = LinkEnd(name, port, port if given == AUTO else given, link)
        yield from (f"    {line}" for line in dataplane.text([end]).splitlines()[-1:])
    if persist:
        yield f"write {dataplane.UNIT} and enable it"
