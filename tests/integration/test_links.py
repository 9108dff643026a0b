"""Links between plain namespaces: what they impose, how they change, how they fail, what they leave.

Every test runs on each shaper that this kernel has.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.emulation.links import icmp, netem_tables, netns
from lab.emulation.links.calibration import calibrate
from lab.emulation.links.control import Links
from lab.emulation.links.link import Wiring
from lab.emulation.links.replay import Replay
from lab.emulation.links.shaper import ABILITIES, Shaper
from lab.emulation.links.store import LinkStore
from lab.emulation.links.veth import Fabric
from lab.emulation.ownership import start_time
from lab.emulation.shaper_choice import SHAPERS, choose
from lab.emulation.wire import wire
from lab.errors import CommandError, ShaperError, UnknownName
from lab.hosts.command import run
from lab.topology import LinkSpec, schedule
from lab.topology.impairments import DISTRIBUTIONS

pytestmark = pytest.mark.timed

LAB, A, B, C = "lnkt", "lnkt-a", "lnkt-b", "lnkt-c"
OWN = {"PYTHONPATH": str(Path(__file__).resolve().parents[2])}
LINK = LinkSpec(
    "A-B",
    1,
    "A",
    "B",
    40.0,
    1500,
    "192.168.1.0/24",
    "192.168.1.1",
    "192.168.1.2",
    "eth1",
    "eth1",
    rate=50.0,
)
SECOND = replace(
    LINK,
    name="B-C",
    number=2,
    a="B",
    b="C",
    rtt=10.0,
    rate=None,
    subnet="192.168.2.0/24",
    address_a="192.168.2.2",
    address_b="192.168.2.3",
    interface_a="eth2",
)


def usable() -> dict[str, str | None]:
    """Each shaper, and why this kernel lacks it."""
    if os.geteuid() != 0:
        return {kind.name: "needs root" for kind in SHAPERS}
    return {kind.name: asyncio.run(kind.probe()) for kind in SHAPERS}


#: A kernel that runs as a process answers late by itself (ms), and one processor carries less than a rate.
IN_A_BOX = "User Mode Linux" in Path("/proc/cpuinfo").read_text()
OWN_RTT, LEAST = (0.8, 0.3) if IN_A_BOX else (0.0, 0.8)
#: How much longer everything takes there: a program's start, a change, a packet.
SLOWER = 5 if IN_A_BOX else 1

KINDS = {kind.name: kind for kind in SHAPERS}
REASONS = usable()


@pytest.fixture(
    params=[n if not why else pytest.param(n, marks=pytest.mark.skip(why)) for n, why in REASONS.items()]
)
def shaper(request: pytest.FixtureRequest, tmp_path: Path) -> Shaper:
    return KINDS[request.param](LAB, tmp_path)


@pytest.fixture
def wire_shaper(tmp_path: Path) -> wire.Wire:
    if REASONS["wire"]:
        pytest.skip(f"this kernel has no wire: {REASONS['wire']}")
    return wire.Wire(LAB, tmp_path)


@pytest.fixture
def hosts() -> Iterator[None]:
    """Three namespaces in place of hosts; what is in this machine's own namespace stays as it is."""
    before = root_links()
    for name in (A, B, C):
        subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run(["ip", "-n", name, "link", "set", "lo", "up"], check=True)
    yield
    for name in (A, B, C):
        subprocess.run(["ip", "netns", "del", name], check=True)
    assert root_links() == before


def root_links() -> set[str]:
    return {entry["ifname"] for entry in json.loads(subprocess.check_output(["ip", "-j", "link"]))}


@contextlib.asynccontextmanager
async def links(shaper: Shaper, *specs: LinkSpec) -> AsyncIterator[Fabric]:
    fabric = Fabric(LAB, shaper)
    try:
        await fabric.create()
        await fabric.add_links([wiring(spec) for spec in specs])
        yield fabric
    finally:
        await fabric.destroy()


def wiring(spec: LinkSpec) -> Wiring:
    return Wiring(spec, f"lnkt-{spec.a.lower()}", f"lnkt-{spec.b.lower()}")


async def ping(address: str = LINK.address_b, count: int = 60, spacing: float = 15.0) -> list[float | None]:
    """Round trips from host A, ms."""
    done = await run(icmp.command(A, address, count, spacing), env=OWN)
    return icmp.parse(done.stdout)


async def nearest(rtt: float) -> float:
    """The median round trip: other work on the machine can only make one worse, so of three the best."""
    medians = []
    for _ in range(3):
        medians.append(statistics.median(came(await ping(count=40))))
        if abs(medians[-1] - rtt) <= tolerance(rtt):
            break
    return min(medians, key=lambda median: abs(median - rtt))


def tolerance(rtt: float) -> float:
    """What the lab promises, ms."""
    return max(0.2, 0.01 * rtt)


def came(times: list[float | None]) -> list[float]:
    return [t for t in times if t is not None]


@contextlib.contextmanager
def iperf_server(end: str) -> Iterator[None]:
    if not shutil.which("iperf3"):
        pytest.skip("iperf3 is not on PATH")
    server = subprocess.Popen(netns.inside(end, ["iperf3", "-s", "-1", "-J"]), stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 10
        while ":1451 " not in Path(f"/proc/{server.pid}/net/tcp6").read_text():
            assert time.monotonic() < deadline, "iperf3 does not listen"
            time.sleep(0.01)
        yield
    finally:
        server.kill()
        server.wait()


async def tcp(seconds: int = 3, address: str = LINK.address_b) -> dict:
    """What an iperf3 client on host A reports, with its server's own report in it."""
    argv = ["iperf3", "-c", address, "-t", str(seconds), "-O", "1", "-J", "--get-server-output"]
    done = await run(netns.inside(A, argv), timeout=30)
    return json.loads(done.stdout)


async def test_one_shaper_at_least_works_here() -> None:
    """Without this, a broken shaper would only be skipped."""
    assert await choose("auto") in KINDS.values()


async def test_round_trip_is_what_was_asked(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, LINK):
        best = await nearest(LINK.rtt)
        assert -tolerance(LINK.rtt) <= best - LINK.rtt <= tolerance(LINK.rtt) + OWN_RTT


async def test_tcp_stays_below_the_rate_and_near_it(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, LINK):
        with iperf_server(B):
            report = await tcp()

        got = report["end"]["sum_received"]["bits_per_second"] / 1e6
        assert LEAST * LINK.rate < got <= LINK.rate
        counters = (await shaper.counters())["A-B"]["ab"]
        assert counters.packets > 1000
        assert counters.unexpected == 0


async def test_loss_is_per_packet_and_in_its_band(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, replace(LINK, rtt=2.0, rate=None, loss=10.0)):
        times = await ping(count=1000, spacing=2.0 * SLOWER)

        lost = times.count(None) / len(times)
        both_ways = 1 - 0.9**2
        assert abs(lost - both_ways) < 0.05  # four standard deviations


async def test_loss_hits_packets_not_trains_of_them(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, replace(LINK, rtt=1.0, rate=None)):
        assert await largest_packet() > 5_000, "without loss, packets of many segments pass whole"
        await shaper.change("A-B", loss=0.1)
        assert await largest_packet() <= LINK.mtu + 14
        await shaper.change("A-B", loss=0.0)
        assert await largest_packet() > 5_000


async def largest_packet() -> int:
    """The largest packet of a short TCP flow that reaches B, bytes."""
    watch = (
        "import socket; s=socket.socket(17,3,socket.htons(3)); s.bind(('eth1',0)); s.settimeout(20)\n"
        "l=socket.create_server(('',9001)); n=0; print('up',flush=True)\n"
        "try:\n while True:\n  n=max(n,s.recv_into(bytearray(70000)))\n  if n>500: s.settimeout(1)\n"
        "except TimeoutError: print(n)"
    )
    send = (
        "import socket; s=socket.create_connection(('192.168.1.2',9001)); s.settimeout(1)\n"
        "try:\n s.sendall(bytes(4000000))\nexcept TimeoutError: pass\nprint(0)"
    )
    return round(await crossing(watch, send))


async def test_jitter_has_the_spread_and_the_form_that_were_asked(shaper: Shaper, hosts: None) -> None:
    # in a box whose processor others use as well, the last tenth is theirs
    shares = (0.1, 0.3, 0.5, 0.7) if IN_A_BOX else (0.1, 0.3, 0.5, 0.7, 0.9)
    specs = {distribution: parallel(number) for number, distribution in enumerate(DISTRIBUTIONS, 1)}
    errors: dict[str, list[float]] = {distribution: [] for distribution in specs}

    async def look(distribution: str) -> None:
        times = sorted(came(await ping(specs[distribution].address_b, count=300, spacing=12.0)))
        asked = [40.0 + 3.0 * netem_tables.quantile(distribution, share) for share in shares]
        got = [times[round(share * len(times))] for share in shares]
        errors[distribution].append(max(abs(g - a) for g, a in zip(got, asked, strict=True)))

    async with links(shaper, *specs.values()):
        for distribution, spec in specs.items():
            how = {"jitter": 3.0, "distribution": distribution}
            await shaper.change(spec.name, directions=["ab"], **how)
        for _ in range(8):  # other work on the machine can only make a reading worse
            left = [name for name, found in errors.items() if not found or min(found) >= 0.8]
            for some in [[one] for one in left] if IN_A_BOX else [left]:
                await asyncio.gather(*map(look, some))

    # of 300 the share 0.9 of a normal distribution is known to 0.3 standard deviations, 0.9 ms
    assert max(map(min, errors.values())) < 1.0 + OWN_RTT, errors


def parallel(number: int) -> LinkSpec:
    """One of several links between A and B, without a rate."""
    name, subnet, device = f"A-B{number}", f"192.168.{number}", f"eth{number}"
    places = {"subnet": f"{subnet}.0/24", "address_a": f"{subnet}.1", "address_b": f"{subnet}.2"}
    return replace(
        LINK, name=name, number=number, rate=None, interface_a=device, interface_b=device, **places
    )


async def test_jitter_lets_no_packet_overtake_another(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, replace(LINK, rate=None)):
        await shaper.change("A-B", directions=["ab"], jitter=5.0)
        numbers = [number for number, _ in await train(500)]

    assert numbers == sorted(numbers)
    assert len(numbers) == 500


async def test_packets_that_go_ahead_overtake_the_others(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, replace(LINK, rate=None)):
        await shaper.change("A-B", directions=["ab"], reorder=20.0)
        came_by = await train(1000)

    early = [ms for _, ms in came_by if ms < 10]
    assert len(came_by) == 1000
    assert 140 < len(early) < 260  # 200 ± 12.6: nearly five standard deviations
    assert [number for number, _ in came_by] != sorted(number for number, _ in came_by)
    assert statistics.median(ms for _, ms in came_by) == pytest.approx(20.0, abs=1.0 + OWN_RTT)


async def test_losses_come_in_bursts(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, replace(LINK, rate=None, rtt=2.0)):
        await shaper.change("A-B", directions=["ab"], loss=10.0, burst=5.0)
        there = {number for number, _ in await train(8000, spacing=0.4)}

    gone = [number not in there for number in range(8000)]
    runs = [len(list(run)) for lost, run in itertools.groupby(gone) if lost]
    assert sum(gone) / 8000 == pytest.approx(0.10, abs=0.04)  # bursts make it vary: four deviations
    assert statistics.mean(runs) == pytest.approx(5.0, abs=1.7)


async def test_packets_come_twice_or_spoilt_where_the_kernel_can(shaper: Shaper, hosts: None) -> None:
    if "duplicate" not in ABILITIES[shaper.name]:
        pytest.skip(f"{shaper.name} cannot; it says so, another test has that")
    async with links(shaper, replace(LINK, rate=None)):
        await shaper.change("A-B", directions=["ab"], duplicate=20.0)
        numbers = [number for number, _ in await train(1000)]
        assert set(numbers) == set(range(1000))
        assert 140 < len(numbers) - 1000 < 260
        await shaper.change("A-B", directions=["ab"], duplicate=0.0, corrupt=20.0)
        # the checksum of a spoilt datagram is wrong, and its receiver drops it
        assert 740 < len(await train(1000)) < 870


async def train(count: int, spacing: float = 1.0) -> list[tuple[int, float]]:
    """Datagrams from A to B: the number of each that came, in that order, and how long it took (ms)."""
    listen = (
        "import socket,struct,json; s=socket.socket(2,2); s.setsockopt(1,33,1<<24); s.bind(('',9002))\n"
        "s.setsockopt(1,35,1); s.settimeout(20); print('up',flush=True); got=[]\n"
        "try:\n while True:\n  d,e,_,_=s.recvmsg(64,64); a,b=struct.unpack('=qq',e[0][2][:16])\n"
        f"  n,t=struct.unpack('=qq',d)\n  s.settimeout({0.5 * SLOWER})\n  got.append((n,(a*10**9+b-t)/1e6))\n"
        "except TimeoutError: print(json.dumps(got))"
    )
    send = (
        "import socket,struct,time; s=socket.socket(2,2); t=time.monotonic()\n"
        f"for n in range({count}):\n"
        f" while time.monotonic()<t+n*{spacing}e-3: pass\n"
        " s.sendto(struct.pack('=qq',n,time.time_ns()),('192.168.1.2',9002))"
    )
    receiver = await asyncio.create_subprocess_exec(
        *netns.inside(B, [sys.executable, "-c", listen]), stdout=subprocess.PIPE
    )
    assert receiver.stdout is not None
    await receiver.stdout.readline()
    await run(netns.inside(A, [sys.executable, "-c", send]))
    text, _ = await asyncio.wait_for(receiver.communicate(), 40)
    return [(number, ms) for number, ms in json.loads(text)]


async def test_each_change_leaves_all_others_as_they_were(shaper: Shaper, hosts: None) -> None:
    """netem's own `change` keeps what it is not told: cap, table of jitter, shares."""
    settings = {
        "rtt": 60.0,
        "rate": 20.0,
        "jitter": 1.5,
        "distribution": "uniform",
        "reorder": 1.0,
        "loss": 2.0,
        "burst": 3.0,
        "queue": 70_000,
        "duplicate": 1.0,
        "corrupt": 0.5,
    }
    able = {name: value for name, value in settings.items() if name in ABILITIES[shaper.name] | {"rtt"}}
    asked = {"delay": LINK.rtt / 2, "rate": LINK.rate}
    async with links(shaper, LINK):
        for name, value in able.items():
            await shaper.change("A-B", **{name: value})
            asked |= {"delay": value / 2} if name == "rtt" else {name: value}
            for got in (await shaper.read_back("A-B")).values():
                for known, wanted in asked.items():
                    if known == "loss" and "burst" not in asked:
                        continue
                    have = getattr(got, known)
                    assert have == (wanted if isinstance(wanted, str) else pytest.approx(wanted, rel=1e-3))
        for name, nothing in (("rate", None), ("reorder", 0.0), ("jitter", 0.0), ("loss", 0.0)):
            await shaper.change("A-B", **{name: nothing})
            assert {getattr(got, name) for got in (await shaper.read_back("A-B")).values()} == {nothing}
        await shaper.put(shaper.initial("A-B"))
        for got in (await shaper.read_back("A-B")).values():
            assert (got.delay, got.rate, got.loss) == (pytest.approx(20.0), 50.0, 0.0)


async def test_fast_rates_are_set_and_read_back(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, replace(LINK, rtt=1.0)):
        for rate in (1500.0, 10_000.0, 50_000.0):  # 50 Gbit/s is more bytes/s than 32 bits hold
            await shaper.change("A-B", rate=rate)
            for got in (await shaper.read_back("A-B")).values():
                assert got.rate == pytest.approx(rate, rel=1e-3)


async def test_a_cut_link_passes_nothing_and_is_joined_as_it_was(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, LINK):
        running = Links(f"lab-{LAB}", shaper, [LINK])
        assert None not in await ping(count=5)
        await running.set_down("A-B")
        assert await ping(count=5) == [None] * 5
        await running.check()
        await running.change("B-A", {"rtt": 10.0}, None)
        assert await ping(count=5) == [None] * 5
        await running.set_up("A-B")
        assert await nearest(10.0) == pytest.approx(10.0, abs=0.5 + OWN_RTT)
        await running.reset("A-B")
        assert (await shaper.read_back("A-B"))["ab"].delay == pytest.approx(20.0)


async def test_changes_of_two_commands_at_once_are_both_there_afterwards(
    shaper: Shaper, hosts: None, tmp_path: Path
) -> None:
    async with links(shaper, LINK, SECOND):
        other = KINDS[shaper.name](LAB, tmp_path)
        await asyncio.gather(
            *(shaper.change("A-B", delay=float(n)) for n in (5, 6, 7)),
            *(other.change("B-C", rate=float(n)) for n in (5, 6, 7)),
            *(other.check() for _ in range(3)),
        )

        await shaper.check()
        assert shaper.states["A-B"].ab.delay in (5.0, 6.0, 7.0)
        assert shaper.states["B-C"].ab.rate in (5.0, 6.0, 7.0)


async def test_a_schedule_changes_links_in_its_time(shaper: Shaper, hosts: None) -> None:
    changes = schedule.read(
        [
            {"at": f"{200 * SLOWER}ms", "link": "A-B", "rtt": 4.0},
            {"at": 0.8 * SLOWER, "link": "A-B", "down": True},
            {"at": 1.4 * SLOWER, "link": "A-B", "up": True},
        ]
    )
    async with links(shaper, replace(LINK, rate=None)):
        running = Links(f"lab-{LAB}", shaper, [LINK])
        train_of_pings = asyncio.create_task(ping(count=200, spacing=10.0 * SLOWER))
        async with Replay(running, changes) as replay:
            times = await train_of_pings
            deadline = time.monotonic() + 20
            while sum(one["took_s"] is not None for one in replay.record()) < 3:
                assert time.monotonic() < deadline, replay.record()
                await asyncio.sleep(0.01)
        assert replay.trouble == ""
        assert [one["what"] for one in replay.record()] == ["A-B: rtt 4", "A-B: down", "A-B: up"]
        assert max(came(times)) > 30
        assert min(came(times)) < 10
        if not IN_A_BOX:  # where a change takes seconds, and pings may be over before the cut
            assert times.count(None) > 20
        assert (await shaper.read_back("A-B"))["ab"].delay == pytest.approx(20.0), "as at first afterwards"


async def test_links_are_calibrated_and_one_that_is_off_is_told(
    shaper: Shaper, hosts: None, tmp_path: Path
) -> None:
    second = replace(SECOND, rate=20.0)
    async with links(shaper, LINK, second):
        rows, off = await calibrate([LINK, second], shaper, accept=IN_A_BOX)
        if not IN_A_BOX:  # whose one processor is not fast enough for what calibration sends
            assert off == []
            assert rows["A-B"]["median_ms"] == pytest.approx(40.0, abs=0.8)
            assert rows["A-B"]["ab_mbit"] == pytest.approx(50.0, rel=0.05)
            assert rows["B-C"]["ba_mbit"] == pytest.approx(20.0, rel=0.05)

        # what the link does is no longer what its lab thinks
        states = {**shaper.states, "B-C": shaper.states["B-C"].changed(("ab", "ba"), delay=2.0)}
        LinkStore(tmp_path).save(states)
        with pytest.raises(ShaperError, match=r"B-C was asked for 4 ms and has .*--ignore-calibration"):
            await calibrate([LINK, second], shaper)


async def test_change_keeps_a_running_flow_and_the_other_parameters(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, LINK):
        with iperf_server(B):
            flow = asyncio.create_task(tcp(6))
            await asyncio.sleep(2.5)
            await shaper.change("A-B", rate=10.0)
            await asyncio.sleep(1.5)
            await shaper.change("A-B", rtt=80.0)
            report = await flow

        # the receiver's view: a sender waits while its buffer is emptied
        intervals = report["server_output_json"]["intervals"]
        rates = [i["sum"]["bits_per_second"] / 1e6 for i in intervals if i["sum"]["seconds"] > 0.9]
        assert rates[0] > (12 if IN_A_BOX else 25)
        assert 5 < rates[-1] < 12, rates
        for got in (await shaper.read_back("A-B")).values():
            assert got.rate == pytest.approx(10.0)
            assert got.delay == pytest.approx(40.0, abs=1e-3)
        assert await nearest(80.0) == pytest.approx(80.0, abs=0.8 + OWN_RTT)


async def test_change_drops_nothing_that_is_under_way(wire_shaper: wire.Wire, hosts: None) -> None:
    async with links(wire_shaper, replace(LINK, rate=None)):
        train = asyncio.create_task(ping(count=400, spacing=3.0))
        for rtt in (4.0, 60.0, 1.0, 40.0):
            await asyncio.sleep(0.2)
            await wire_shaper.change("A-B", rtt=rtt)
        times = await train

        assert None not in times
        assert min(came(times)) < 10 < 55 < max(came(times))


async def test_one_direction_can_differ(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, LINK):
        await shaper.change("A-B", directions=["ba"], delay=5.0)

        got = await shaper.read_back("A-B")
        assert (got["ab"].delay, got["ba"].delay) == (pytest.approx(20.0), pytest.approx(5.0))
        assert await nearest(25.0) == pytest.approx(25.0, abs=0.4 + OWN_RTT)


async def test_change_of_what_is_not_there_is_refused(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, LINK):
        with pytest.raises(UnknownName, match="A-B"):
            await shaper.change("A-C", delay=1.0)
        with pytest.raises(UnknownName, match="delay"):
            await shaper.change("A-B", dealy=1.0)


@pytest.mark.parametrize(
    ("tamper", "field"),
    [
        ("tc class change dev 1b classid 1:2 htb rate 40mbit burst 12500", "rate was set to 50.0 Mbit/s"),
        ("tc qdisc change dev 1b parent 1:2 bfifo limit 9000", "queue was set"),
        ("tc qdisc del dev 1a root", "has no"),
        ("{delay}", "delay|packet filter"),
    ],
)
async def test_read_back_sees_what_was_tampered_with(
    shaper: Shaper, hosts: None, tamper: str, field: str
) -> None:
    delay = {
        "netem": "tc qdisc change dev 1b root netem delay 3ms limit 100000",
        "wire": "iptables-nft -t mangle -F FORWARD",
    }[shaper.name]
    async with links(shaper, LINK):
        await shaper.check()
        await run(netns.inside(f"lab-{LAB}", tamper.format(delay=delay).split()))

        with pytest.raises(ShaperError, match=field):
            await shaper.read_back("A-B")
        with pytest.raises(ShaperError, match=r"A-B|1b"):
            await shaper.check()


async def test_bridges_that_no_longer_filter_are_noticed(wire_shaper: wire.Wire, hosts: None) -> None:
    async with links(wire_shaper, LINK):
        knob = "/proc/sys/net/bridge/bridge-nf-call-iptables"
        await run(netns.inside(f"lab-{LAB}", ["tee", knob]), stdin=b"0\n")

        with pytest.raises(ShaperError, match="bridge-nf-call-iptables"):
            await wire_shaper.check()
        assert Path(knob).read_text() == "1\n", "the setting of this machine's own namespace is not touched"


async def test_a_killed_wire_passes_nothing(wire_shaper: wire.Wire, hosts: None) -> None:
    async with links(wire_shaper, LINK):
        assert None not in await ping(count=5)
        train = asyncio.create_task(ping(count=80, spacing=10.0))
        while (await wire_shaper.counters())["A-B"]["ab"].packets < 20:
            await asyncio.sleep(0.01)
        (process,) = wire_shaper.processes

        os.kill(process.pid, signal.SIGKILL)

        times = await train
        assert times[-20:] == [None] * 20, "held or later packets passed a dead wire"
        assert await ping(count=5) == [None] * 5
        with pytest.raises(ShaperError, match="does not answer"):
            await wire_shaper.check()
        with pytest.raises(ShaperError, match="drop every packet"):
            await wire_shaper.counters()


async def test_before_the_wire_holds_a_queue_nothing_passes(
    wire_shaper: wire.Wire, hosts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(wire_shaper, "_ask", nothing)
    monkeypatch.setattr(wire_shaper, "_compare", nothing)
    async with links(wire_shaper, LINK):
        assert await ping(count=5) == [None] * 5


async def test_a_wire_that_cannot_be_read_back_keeps_its_links_closed(
    wire_shaper: wire.Wire, hosts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric = Fabric(LAB, wire_shaper)
    try:
        await fabric.create()
        (process,) = wire_shaper.processes
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ShaperError):
            await fabric.add_links([wiring(LINK)])
        state = json.loads((await run(["ip", "-n", f"lab-{LAB}", "-j", "link", "show", "br1"])).stdout)
        assert "UP" not in state[0]["flags"]
    finally:
        await fabric.destroy()


async def test_an_overrun_wire_drops_and_counts(wire_shaper: wire.Wire, hosts: None) -> None:
    async with links(wire_shaper, replace(LINK, rate=None)):
        assert None not in await ping(count=3)
        (process,) = wire_shaper.processes
        os.kill(process.pid, signal.SIGSTOP)
        try:
            flood = (
                "import socket; s=socket.socket(2,2)\n"
                "for _ in range(160000): s.sendto(b'x',('192.168.1.2',9))"
            )
            await run(netns.inside(A, [sys.executable, "-c", flood]))
            assert await ping(count=2) == [None] * 2
        finally:
            os.kill(process.pid, signal.SIGCONT)

        counters = (await wire_shaper.counters())["A-B"]
        assert counters["ab"].unexpected > 30_000
        assert counters["ba"].unexpected == 0
        assert max(c.lateness["max"] for c in counters.values()) > 100


async def test_ipv6_waits_as_well(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, replace(LINK, rate=None)):
        for end, number in ((A, 1), (B, 2)):
            await run(["ip", "-n", end, "addr", "add", f"fd00::{number}/64", "dev", "eth1", "nodad"])

        assert 0.0195 < await udp6_crossing() < 0.030


async def test_tagged_frames_wait_as_well(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, replace(LINK, rate=None)):
        assert 0.0195 < await tagged_crossing() < 0.030


async def tagged_crossing() -> float:
    """How long (s) an IPv4 packet in a frame with a VLAN tag takes one way."""
    common = "import socket,struct,time; from lab.emulation.wire.probe import frame, MARK; "
    listen = common + (
        "s=socket.socket(17,3,socket.htons(3)); s.bind(('eth1',0)); s.setsockopt(1,35,1);"
        "print('up',flush=True)\n"
        "while True:\n d,e,_,_=s.recvmsg(256,64)\n if MARK in d: break\n"
        "a,b=struct.unpack('=qq',e[0][2][:16]); print(a+b/1e9)"
    )
    send = common + (
        "s=socket.socket(17,3,0); s.bind(('eth1',0)); f=frame(1); print(time.time());"
        "s.send(f[:12]+b'\\x81\\0\\0\\7'+f[12:])"
    )
    return await crossing(listen, send)


async def udp6_crossing() -> float:
    """How long (s) an IPv6 packet takes one way, after one that found the neighbour."""
    listen = (
        "import socket,struct; s=socket.socket(10,2); s.bind(('::',9000)); s.setsockopt(1,35,1);"
        "print('up',flush=True)\n"
        "for _ in range(2): d,e,_,_=s.recvmsg(64,64); a,b=struct.unpack('=qq',e[0][2][:16])\n"
        "print(a+b/1e9)"
    )
    send = (
        "import socket,time; s=socket.socket(10,2); s.sendto(b'1',('fd00::2',9000)); time.sleep(.3);"
        "print(time.time()); s.sendto(b'2',('fd00::2',9000))"
    )
    return await crossing(listen, send)


async def crossing(listen: str, send: str) -> float:
    """Run a program on B that prints when a packet came, and one on A that prints when it left."""
    receiver = await asyncio.create_subprocess_exec(
        *netns.inside(B, [sys.executable, "-c", listen]),
        stdout=subprocess.PIPE,
        env={**os.environ, **OWN},
    )
    assert receiver.stdout is not None
    await receiver.stdout.readline()
    left = await run(netns.inside(A, [sys.executable, "-c", send]), env=OWN)
    came, _ = await asyncio.wait_for(receiver.communicate(), 10)
    return float(came) - float(left.stdout)


async def test_links_come_and_go_while_others_run(shaper: Shaper, hosts: None) -> None:
    async with links(shaper, LINK) as fabric:
        train = asyncio.create_task(ping(count=80, spacing=10.0))
        await fabric.add_links([wiring(SECOND)])
        assert set(shaper.states) == {"A-B", "B-C"}
        await shaper.check()
        await fabric.clear_links([shaper.states["B-C"]])
        await shaper.check()

        assert None not in await train
        assert set(shaper.states) == {"A-B"}
        left = json.loads((await run(["ip", "-n", B, "-j", "link"])).stdout)
        assert {entry["ifname"] for entry in left if entry["ifname"].startswith("eth")} == {"eth1"}


async def test_what_a_shaper_cannot_do_is_refused_by_name(wire_shaper: wire.Wire, hosts: None) -> None:
    fabric = Fabric(LAB, wire_shaper)
    try:
        await fabric.create()
        with pytest.raises(
            ShaperError, match=r"A-B: wire cannot impose duplicate; netem can \(--shaper netem\)"
        ):
            await fabric.add_links([wiring(replace(LINK, duplicate=1.0))])
    finally:
        await fabric.destroy()


async def test_a_host_that_is_gone_is_an_error_that_names_the_command(shaper: Shaper, hosts: None) -> None:
    gone = await asyncio.create_subprocess_exec("true")
    await gone.wait()
    fabric = Fabric(LAB, shaper)
    try:
        await fabric.create()
        with pytest.raises(CommandError):
            await fabric.add_links([Wiring(LINK, A, gone.pid)])
    finally:
        await fabric.destroy()


async def test_another_process_takes_up_a_lab(shaper: Shaper, hosts: None, tmp_path: Path) -> None:
    async with links(shaper, LINK):
        again = KINDS[shaper.name](LAB, tmp_path)

        await again.check()
        await again.change("A-B", rtt=20.0)

        assert again.processes == shaper.processes
        assert await nearest(20.0) == pytest.approx(20.0, abs=0.4 + OWN_RTT)


async def test_a_wire_ends_with_its_namespace(wire_shaper: wire.Wire, hosts: None) -> None:
    async with links(wire_shaper, LINK):
        (process,) = wire_shaper.processes
        await run(["ip", "netns", "del", f"lab-{LAB}"])

        deadline = time.monotonic() + 5
        while start_time(process.pid) is not None:
            assert time.monotonic() < deadline, "the wire outlives its namespace"
            await asyncio.sleep(0.05)


async def test_nothing_is_left_behind(shaper: Shaper, hosts: None, tmp_path: Path) -> None:
    async with links(shaper, LINK, SECOND) as fabric:
        running = shaper.processes
        for process in running:
            environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            assert f"LAB_ID={LAB}".encode() in environment
        assert root_links().isdisjoint({"1a", "1b", "br1", "eth1"})
    await fabric.destroy()  # twice changes nothing

    assert f"lab-{LAB}" not in (await run(["ip", "netns", "list"])).stdout
    assert not any(process.alive() for process in running)
    deadline = time.monotonic() + 5
    while "eth1" in (await run(["ip", "-n", A, "link"])).stdout:  # the kernel takes a namespace apart later
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_two_labs_at_once(shaper: Shaper, hosts: None, tmp_path: Path) -> None:
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = Fabric(LAB + "2", KINDS[shaper.name](LAB + "2", other_folder))
    async with links(shaper, LINK):
        try:
            await other.create()
            await other.add_links([Wiring(replace(SECOND, number=1), B, C)])
        finally:
            await other.destroy()

        await shaper.check()
        assert None not in await ping(count=5)


def test_a_queue_of_another_process_is_refused() -> None:
    from lab.emulation.wire.nfqueue import Mailbox, Queue

    if REASONS["wire"]:
        pytest.skip(f"this kernel has no wire: {REASONS['wire']}")
    first = Queue(65000, 0, Mailbox())
    try:
        with pytest.raises(OSError, match="netfilter queue 65000"):
            Queue(65000, 0, Mailbox())
    finally:
        first.close()
