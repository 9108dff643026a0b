"""Verdicts: a pure function of what was recorded judges if the emulator itself limited a sample.

A sample that is not valid is kept, marked and shown as such; it is neither dropped nor hidden.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lab.runs.sample import State, Verdict

#: Share of all CPU time in use above which the machine, not the network, sets the pace. The
#: counters tick at 100 Hz and a sample lasts a second or more, so 5 % is above their noise. On two
#: processors samples of one second at 100 Mbit/s were 0.19 to 0.74 busy by themselves, 0.99 to 1 beside
#: four busy programs (benchmarks/validity.py).
BUSY = 0.95
#: Share of a sample in which no CPU was idle, even if its mean is below `BUSY`. The start of a tool in
#: two containers fills one or two windows of a tenth of a second; a fifth of the sample is more than that.
#: Undisturbed samples had 0 to 0.17, those with busy programs during their middle half 0.2 to 1.
FULL = 0.2
#: Steal: a neighbour on the same physical machine took CPU that no record here shows.
STEAL = 0.05
#: Share of the time in which some task waited for a CPU while most of the CPUs were in use.
#: Pressure alone proves little: two tasks that wake together wait for each other for a moment,
#: even on a machine with idle CPUs.
PRESSURE, PRESSURE_BUSY = 0.5, 0.85
#: Share of the time in which some task waited for memory to be freed. A lab with enough memory never
#: waits: 0 in all of 80 samples, disturbed ones too.
MEMORY = 0.1
#: Packets dropped between two interfaces because no CPU took them up in time, as a share of those
#: that links carried: a smaller share is too small to show in a result. 0 in all of 80 samples.
DROPPED = 0.001
#: Share of the sample in which a host's own quota held it back.
THROTTLED = 0.05
#: How late (ms) a link may release the slowest hundredth of its packets. The studies' shortest
#: segment has an RTT of 4.7 ms; later than this, its figures would be the emulator's. The wire alone keeps
#: within 0.15 to 0.3 ms; when it could not run for a tenth of a second, it was 100 ms late.
LATE_MS = 1.0
#: How late (ms) a link may release its packets on average; a mean round trip has this twice. If one of a
#: few packets is held for a tenth of a second, the slowest hundredth does not show it. Of 350 undisturbed
#: samples over up to five links half had less than 0.07, 99 of 100 less than 0.16; one of 115 packets
#: held for 0.1 s makes 0.9. The limit is the same for all traffic, also for such that waits for no answer:
#: the links' delay is what was asked for, and a link that keeps it by less is another link.
LATE_MEAN_MS = 0.3
#: A link's lateness counts if it carried at least this share of the packets of the busiest link: others,
#: with only a daemon's keep-alives, took no part in the sample.
PART_OF_IT = 0.1
#: How far (ms) the wall clock may be set against the monotonic one, or how long sleep may stop the latter.
#: Two readings agree to 0.003 ms even without a free processor; a tool's round trip is wrong by all of it.
CLOCK_MS = 1.0
#: Share by which time may be bent: a quarter of that by which a link's delay may be off. NTP corrects an
#: ordinary clock by less than 0.0005; only a clock that was far off is bent more.
BENT = 0.005

#: From worst to best: a sample takes the worst state that a reason gives it.
ORDER: tuple[State, ...] = ("broken", "emulator-bound", "host-bound", "valid")


def verdict(
    seconds: float,
    machine: Mapping[str, Any],
    links: Mapping[str, Mapping[str, Any]],
    trouble: Sequence[str] = (),
    remarks: Sequence[str] = (),
) -> Verdict:
    """Judge one sample that took `seconds` (s).

    Args:
        seconds: wall time of the sample.
        machine: what `lab.measure.machine` recorded.
        links: per link and direction, what its shaper counted during the sample: `unasked` packets
            dropped that nobody asked it to drop, `late_p99_ms` and `late_mean_ms`.
        trouble: sentences from elsewhere that break a sample, e.g. a lost peer, a link that does not
            read back as it was set, or what `changes` says.
        remarks: sentences for the reader that are no fault of the sample; they follow the reasons.
    """
    reasons: list[tuple[State, str]] = [("broken", text) for text in trouble]
    reasons += [
        *_clock(machine.get("clock", {})),
        *_unexpected_drops(links),
        *_late(links),
        *_machine(machine),
        *_backlog_drops(machine, links),
        *_hosts(seconds, machine.get("hosts", {})),
    ]
    states = {state for state, _ in reasons}
    state = next((state for state in ORDER if state in states), ORDER[-1])
    return Verdict(state=state, reasons=[*(text for _, text in reasons), *remarks])


def changes(first: Mapping[str, str], before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return a sentence for each part of a mode that changed during a sample, or differs from the first one.

    Without the second check, a silent fall-back would break one sample only. Those that follow it
    would count as if they had been measured in the mode that was asked for.
    """
    during = [
        f"{key} went from {old} to {new} during the sample" for key, old, new in _differing(before, after)
    ]
    return during + [f"{key} was {now}, no longer {old}" for key, old, now in _differing(first, before)]


def _differing(a: Mapping[str, str], b: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for key in sorted(a.keys() | b.keys()):
        if a.get(key) != b.get(key):
            yield key, a.get(key, "absent"), b.get(key, "absent")


Reasons = Iterator[tuple[State, str]]


def _clock(clock: Mapping[str, float]) -> Reasons:
    if abs(moved := clock.get("set_ms", 0.0)) > CLOCK_MS:
        yield "broken", f"this machine's clock was set {moved:+.0f} ms during the sample"
    if (slept := clock.get("slept_ms", 0.0)) > CLOCK_MS:
        yield "broken", f"this machine slept for {slept:.0f} ms during the sample"
    if abs(bent := clock.get("bent", 0.0)) > BENT:
        yield "broken", f"this machine's clock ran {abs(bent):.1%} too {'fast' if bent > 0 else 'slow'}"


def _unexpected_drops(links: Mapping[str, Mapping[str, Any]]) -> Reasons:
    for name, count in links.items():
        if lost := count.get("unasked", 0):
            yield "emulator-bound", f"link {name} dropped {lost:.0f} packets that it was not told to drop"


def _late(links: Mapping[str, Mapping[str, Any]]) -> Reasons:
    """Links whose packets went late on average, or a few of them far too late."""
    for name, count in _busy(links):
        slowest = count.get("late_p99_ms", 0.0)
        if slowest is None or slowest > LATE_MS:
            yield "emulator-bound", f"link {name} let 1 % of its packets go more than {LATE_MS:g} ms late"
        elif (mean := count.get("late_mean_ms", 0.0)) > LATE_MEAN_MS:
            yield "emulator-bound", f"link {name} let its packets go {mean:.2g} ms late on average"


def _busy(links: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    least = PART_OF_IT * max((count.get("packets", 0) for count in links.values()), default=0)
    return ((name, count) for name, count in links.items() if count.get("packets", 0) >= least)


def _machine(machine: Mapping[str, Any]) -> Reasons:
    busy, pressure = machine.get("busy", 0.0), machine.get("pressure") or 0.0
    if busy > BUSY:
        # programs of low priority do not always wait: control groups get equal shares
        nice = machine.get("nice", 0.0)
        which = f", {nice:.0%} with programs of low priority" if nice > STEAL else ""
        yield "emulator-bound", f"the machine's CPUs were {busy:.0%} busy{which}"
    elif (full := machine.get("full", 0.0)) > FULL:
        yield "emulator-bound", f"the machine had no CPU left for {full:.0%} of the sample"
    elif pressure > PRESSURE and busy > PRESSURE_BUSY:
        yield "emulator-bound", f"tasks waited for a CPU {pressure:.0%} of the time at {busy:.0%} busy"
    if (memory := machine.get("pressure_memory", 0.0)) > MEMORY:
        yield "emulator-bound", f"tasks waited for memory {memory:.0%} of the time"
    if (steal := machine.get("steal", 0.0)) > STEAL:
        yield "emulator-bound", f"{steal:.0%} of the CPU time was taken by neighbours of this machine"


def _backlog_drops(machine: Mapping[str, Any], links: Mapping[str, Mapping[str, Any]]) -> Reasons:
    dropped, carried = machine.get("dropped", 0), sum(count.get("packets", 0) for count in links.values())
    if dropped > DROPPED * carried:
        yield "emulator-bound", f"the machine dropped {dropped} packets because no CPU was free in time"


def _hosts(seconds: float, hosts: Mapping[str, Mapping[str, float]]) -> Reasons:
    for name, cpu in hosts.items():
        share = cpu.get("throttled_s", 0.0) / seconds if seconds > 0 else 0.0
        if share > THROTTLED:
            yield "host-bound", f"{name} was held at its CPU quota {min(share, 1):.0%} of the time"
        # the CPUs of a host that is a real machine are part of what is measured; its neighbours are not
        if (busy := cpu.get("busy", 0.0)) > BUSY:
            yield "host-bound", f"the CPUs of {name} were {busy:.0%} busy"
        if (steal := cpu.get("steal", 0.0)) > STEAL:
            what = f"{steal:.0%} of the CPU time of {name} was taken by its machine's neighbours"
            yield "emulator-bound", what
