"""The check that finds swapped and dead ports, and says which cable to look at.

Every interface asks for some address (ARP), and every interface listens. The hardware address of who
asked says at whose other end one is, whatever addresses and filters the machines have.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from lab.errors import HostError
from lab.hosts.host import CommandRunner
from lab.testbed.port_mapping import LinkEnd, MachinePort, Ports, Wiring
from lab.testbed.survey import Interface
from lab.util.concurrency import together

#: How often, and how long (s), an answer is waited for.
TRIES, PATIENCE = 3, 2
#: How long it is listened (s), and every second asked: machines do not begin at the same moment.
LISTEN = 4
#: An address that nobody answers for: the last of those that are valid on one link only (RFC 3927).
NOBODY = "169.254.255.254"
#: A line of tcpdump's with the sender's hardware address (``-e``).
ARP_REQUEST = re.compile(r"heard (\S+) \S+ ((?:[0-9a-f]{2}:){5}[0-9a-f]{2}) >")
#: Bytes of the headers of an echo: IPv4 and ICMP.
HEADERS = 28


def ping_script(questions: Iterable[tuple[str, str]]) -> str:
    """Shell lines that ping addresses over interfaces, all at once, and say who answered."""
    lines = []
    for interface, address in questions:
        ping = f"ping -n -q -i 0.2 -W {PATIENCE} -I {interface} {address} >/dev/null 2>&1 -c"
        lines.append(f"{{ {{ {ping} 1 || {ping} {TRIES}; }} && echo 'ok {interface} {address}'; }} &")
    return "\n".join([*lines, "wait"])


def parse_answered(text: str) -> set[tuple[str, str]]:
    """Return who answered, as (interface, address)."""
    words = (line.split() for line in text.splitlines() if line.startswith("ok "))
    return {(w[1], w[2]) for w in words}


def arp_script(interfaces: Sequence[str]) -> str:
    """Shell lines that bring interfaces up, ask over each of them, and show the other machines that ask
    there.
    """
    lines = [f"ip link set {name} up" for name in interfaces]
    for name in interfaces:
        dump = f"timeout {LISTEN} tcpdump -Z root -i {name} -Q in -nn -e -l arp 2>/dev/null"
        lines.append(f"{dump} | sed 's/^/heard {name} /' &")
        lines.append(f"ping -n -q -c {LISTEN} -W 1 -I {name} {NOBODY} >/dev/null 2>&1 &")
    return "\n".join([*lines, "wait"])


def parse_arp(text: str) -> dict[str, set[str]]:
    """Return by interface the hardware addresses of those who asked there."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in text.splitlines():
        if request := ARP_REQUEST.match(line):
            found[request[1]].add(request[2])
    return found


async def unanswered_ends(hosts: Mapping[str, CommandRunner], ends: Sequence[LinkEnd]) -> list[LinkEnd]:
    """Return the ends from which the other end of their link does not answer."""
    by_host: dict[str, list[LinkEnd]] = defaultdict(list)
    for end in ends:
        by_host[end.host].append(end)

    async def of(name: str) -> list[LinkEnd]:
        questions = {(end.interface, end.link.address(end.peer)): end for end in by_host[name]}
        done = await hosts[name].run(["sh"], stdin=ping_script(questions).encode(), check=False)
        answered = parse_answered(done.stdout)
        return [end for question, end in questions.items() if question not in answered]

    return [end for row in await together(of(name) for name in by_host) for end in row]


async def find_wiring(
    hosts: Mapping[str, CommandRunner],
    interfaces: Mapping[str, Sequence[str]],
    known: Mapping[str, Mapping[str, Interface]],
) -> dict[MachinePort, MachinePort]:
    """Find what really is behind interfaces of hosts, which are brought up.

    Args:
        hosts: by name.
        interfaces: those to be looked at, by host.
        known: all interfaces by host, for their hardware addresses.
    """
    places = {one.mac: (host, one.name) for host, all_ in known.items() for one in all_.values()}

    async def of(name: str) -> dict[MachinePort, MachinePort]:
        script = arp_script(interfaces[name]).encode()
        done = await hosts[name].run(["sh"], stdin=script, check=False, timeout=LISTEN + 30)
        heard = parse_arp(done.stdout)
        return {(name, i): places[mac] for i, macs in heard.items() for mac in macs if mac in places}

    rows = await together(of(name) for name, own in interfaces.items() if own)
    return {here: there for row in rows for here, there in row.items()}


def cabling_faults(
    dead: Sequence[LinkEnd], found: Wiring, known: Mapping[str, Mapping[str, Interface]], ports: Ports
) -> list[str]:
    """Return a sentence for every link with a silent end: the fault, and the cable to check."""
    firsts = {end.link.name: end for end in reversed(dead)}.values()
    return [_fault(end, ports[end.peer][end.link.interface(end.peer)], found, known) for end in firsts]


def _fault(end: LinkEnd, far: str, found: Wiring, known: Mapping[str, Mapping[str, Interface]]) -> str:
    link = f"link {end.link.name} ({end.host} {end.interface} to {end.peer} {far})"
    near_port, far_port = (end.host, end.interface), (end.peer, far)
    for host, interface in (near_port, far_port):
        if not known[host][interface].carrier:
            return f"{link} is dead: {host} {interface} has no carrier; look at the cable and the port there"
    for here, there in ((near_port, far_port), (far_port, near_port)):
        if (really := found.get(here, there)) != there:
            return (
                f"{link} is swapped: behind {here[0]} {here[1]} is {really[0]} {really[1]}; move that cable, "
                "or name the right interface in the inventory"
            )
    if near_port in found or far_port in found:
        return f"{link}: its ends see each other and pass no packets; look for a filter (iptables) on either"
    return f"{link} is dead: no answer from either end; check both cables, and the link between them"


async def mtu_faults(hosts: Mapping[str, CommandRunner], ends: Sequence[LinkEnd]) -> list[str]:
    """Return a sentence for every link that does not pass packets of its MTU whole, with what it passes."""
    firsts = [end for end in ends if end.host == end.link.a]
    passed = await together(_widest(hosts[end.host], end) for end in firsts)
    return [
        f"link {end.link.name} passes packets of {most or 'no'} bytes, not of {end.link.mtu}; raise the MTU "
        "of what lies between, or write the smaller one into the topology"
        for end, most in zip(firsts, passed, strict=True)
        if most != end.link.mtu
    ]


async def _widest(host: CommandRunner, end: LinkEnd) -> int:
    """Return the largest packet that passes a link whole (bytes), by halving; 0 when none does."""

    async def passes(size: int) -> bool:
        argv = ["ping", "-n", "-q", "-M", "do", "-c", "2", "-i", "0.2", "-W", str(PATIENCE)]
        argv += ["-s", str(size - HEADERS), "-I", end.interface, end.link.address(end.peer)]
        return (await host.run(argv, check=False)).status == 0

    if await passes(end.link.mtu):
        return end.link.mtu
    least, most = 68, end.link.mtu
    if not await passes(least):
        return 0
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (middle, most) if await passes(middle) else (least, middle)
    return least


def raise_faults(sentences: Sequence[str]) -> None:
    """Raise a `HostError` with all sentences, if there is one."""
    if sentences:
        raise HostError("; ".join(sentences))
