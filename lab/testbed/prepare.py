"""Making machines ready: programs, endpoint image, data plane; doing it twice changes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lab.errors import HostError
from lab.events import step
from lab.measure.ping import round_trip
from lab.testbed import cabling_check, clock_offsets, dataplane, provision, reservation, restore, undo_record
from lab.testbed.inventory import AUTO
from lab.testbed.port_mapping import LinkEnd, Ports
from lab.testbed.testbed import Testbed
from lab.topology import Topology
from lab.util.concurrency import both, together


@dataclass(frozen=True)
class DataPlane:
    """The data plane as it was found: the topology on the machines' own interfaces, and figures (ms)."""

    topology: Topology
    ends: Sequence[LinkEnd]
    clocks: Mapping[str, Mapping[str, float]]
    rtts: Mapping[str, Mapping[str, float]]


async def prepare(testbed: Testbed, *, persist: bool = False) -> list[str]:
    """Make every machine ready, and say what was done, in words.

    Raises:
        HostsLocked: somebody else uses the hosts.
        HostError: a machine lacks something that cannot be installed, or a port leads elsewhere.
    """
    await _survey(testbed)
    await testbed.find_ports(discover=False)
    await _claim(testbed)
    done = await together(_install(testbed, name) for name in testbed.hosts)
    done.append(await _send_image(testbed))
    done.append(await set_up_data_plane(testbed, persist=persist))
    return [words for words in done if words]


async def _survey(testbed: Testbed) -> None:
    with step(testbed.emit, "what is there"):
        await testbed.survey()
        await testbed.find_control_interfaces()


async def _claim(testbed: Testbed) -> None:
    """Take the hosts, and keep on each what was there before anything is changed: `restore` goes by it."""
    await testbed.claim()
    await together(
        restore.keep_first_survey(host, testbed.surveys[name]) for name, host in testbed.hosts.items()
    )


async def _install(testbed: Testbed, name: str) -> str:
    found = testbed.surveys[name]
    if not (missing := provision.missing_parts(found)):
        return ""
    provision.require_room(name, found)
    with step(testbed.emit, f"{name}: installing") as words:
        words.append(", ".join(missing))
        await provision.provision(testbed.hosts[name], found)
    return f"{name}: installed {', '.join(missing)}"


async def _send_image(testbed: Testbed) -> str:
    wanted = provision.endpoint_id()
    lacks = [name for name, found in testbed.surveys.items() if provision.lacks_image(found, wanted)]
    if not lacks:
        return ""
    for name in lacks:
        provision.require_room(name, testbed.surveys[name])
    with step(testbed.emit, "endpoint image") as words, provision.packed_image() as packed:
        load = ["docker", "load", "-q"]
        await together(undo_record.note_image(testbed.hosts[name]) for name in lacks)
        await together(testbed.run_with_input(name, load, packed, provision.SEND) for name in lacks)
        words.append(f"sent to {', '.join(lacks)}")
    return f"endpoint image sent to {', '.join(lacks)}"


async def set_up_data_plane(testbed: Testbed, *, persist: bool = False) -> str:
    """Give the ports their addresses, and prove that every link is where it should be."""
    found = await testbed.find_ports(discover=True)
    by_host: dict[str, list[LinkEnd]] = defaultdict(list)
    for end in testbed.ends(found):
        by_host[end.host].append(end)
    with step(testbed.emit, "data plane") as words:
        changed = await together(_set_up(testbed, name, own, persist) for name, own in by_host.items())
        words.append(f"{len(testbed.topology.links)} links")
        if any(changed):
            await testbed.survey()
        await verify_links(testbed, found)
    names = [name for name, new in zip(by_host, changed, strict=True) if new]
    return f"data plane set up on {', '.join(names)}" if names else ""


async def _set_up(testbed: Testbed, name: str, own: Sequence[LinkEnd], persist: bool) -> bool:
    """Set up the data plane of one machine; False where it was there already."""
    host, script = testbed.hosts[name], dataplane.setup_script(own).encode()
    interfaces = testbed.surveys[name].interfaces
    ready = all(
        end.with_length in interfaces[end.interface].addresses
        and interfaces[end.interface].up
        and interfaces[end.interface].mtu == end.link.mtu
        for end in own
    )
    if ready and not persist:
        # what is not an address may be gone all the same: Docker's rules, forwarding
        await host.run(["sh"], stdin=script)
        return False
    await restore.append_names(host, restore.TOUCHED, [end.interface for end in own])
    await undo_record.note_files(host, [dataplane.SCRIPT, *([dataplane.UNIT] if persist else [])])
    await host.put(script, dataplane.SCRIPT, mode=0o755)
    await host.run([dataplane.SCRIPT])
    if persist:
        if (await host.run(["test", "-d", "/run/systemd/system"], check=False)).status:
            raise HostError(
                f"{name}: --persist needs systemd there; without it run {dataplane.SCRIPT} after each reboot"
            )
        await host.put(dataplane.UNIT_TEXT.encode(), dataplane.UNIT)
        await host.run(["systemctl", "enable", "lab-data-plane.service"])
    return not ready


async def verify_links(testbed: Testbed, ports: Ports) -> None:
    """Check that every link leads where the topology says.

    Raises:
        HostError: a sentence for every one that does not, with the cable to look at.
    """
    if not (dead := await cabling_check.unanswered_ends(testbed.hosts, testbed.ends(ports))):
        return
    suspects: dict[str, set[str]] = defaultdict(set)
    for end in dead:
        suspects[end.host].add(end.interface)
        suspects[end.peer].add(ports[end.peer][end.link.interface(end.peer)])
    found = await testbed.find_wiring({name: sorted(interfaces) for name, interfaces in suspects.items()})
    known = {name: one.interfaces for name, one in testbed.surveys.items()}
    cabling_check.raise_faults(cabling_check.cabling_faults(dead, found, known, ports))


async def ready_data_plane(testbed: Testbed) -> DataPlane:
    """Return the data plane of machines that are ready; anything that is not is an error.

    Raises:
        HostError: names the host, and what it lacks.
    """
    await _survey(testbed)
    wanted = provision.endpoint_id()
    faults = []
    for name, found in testbed.surveys.items():
        missing = provision.missing_parts(found)
        missing += ["the endpoint image"] if provision.lacks_image(found, wanted) else []
        if missing:
            lacks = f"it lacks {', '.join(missing)}; run 'lab testbed prepare' first"
            faults.append(f"{name} is not prepared: {lacks}")
    cabling_check.raise_faults(faults)
    await _claim(testbed)
    await set_up_data_plane(testbed)
    ports = await testbed.find_ports(discover=False)
    ends, links = testbed.ends(ports), testbed.topology.links
    with step(testbed.emit, "MTU, clocks and round trips"):
        cabling_check.raise_faults(await cabling_check.mtu_faults(testbed.hosts, ends))
        clocks, rtts = await both(
            clock_offsets.offsets(testbed.hosts),
            together(round_trip(link, testbed.hosts[link.a]) for link in links),
        )
    by_link = {link.name: rtt for link, rtt in zip(links, rtts, strict=True)}
    return DataPlane(testbed.topology.with_interfaces(ports), ends, clocks, by_link)


def planned_steps(testbed: Testbed, *, persist: bool = False) -> dict[str, list[str]]:
    """Return what `prepare` would run as root on every machine, by host, after a survey; nothing is done."""
    return {name: list(_planned(testbed, name, persist)) for name in testbed.hosts}


def _planned(testbed: Testbed, name: str, persist: bool) -> Iterator[str]:
    found = testbed.surveys[name]
    notes = (restore.BEFORE, undo_record.RECORD, restore.TOUCHED)
    yield f"write {', '.join((reservation.CLAIM, reservation.BUSY, *notes))}"
    if missing := provision.missing_parts(found):
        yield f"sh images/provision.sh host   # for {', '.join(missing)}"
    if provision.lacks_image(found, provision.endpoint_id()):
        yield "docker load   # the endpoint image"
    yield f"write and run {dataplane.SCRIPT}:"
    for link in testbed.topology.links_of(name):
        port = link.interface(name)
        given = testbed.inventory.hosts[name].ports[port]
        yield f"    {dataplane.port_line(LinkEnd(name, port, port if given == AUTO else given, link))}"
    if persist:
        yield f"write {dataplane.UNIT} and enable it"
