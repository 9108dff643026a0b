"""The process on a worker's machine that has the lab: it builds one, and measures block after block on it.

    python -m lab.spread.session

It reads one line of JSON per block from its input: the block's folder, and a processor for a box. It prints
events, a line each, and then `BlockEnd`. The lab stays up between blocks of one run, as in a run on one
machine. It is removed when a block needs another lab, when nothing comes for `IDLE`, and when the input ends:
so it is removed as well when the worker is killed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.app import boxes, in_box, virtual
from lab.app.block_order import BlockOrder
from lab.app.blocks import inner_run
from lab.app.request import RunPlan, RunRequest
from lab.app.run import PreparedLab, measure_on, prepare_emulated, timed
from lab.emulation.emulation import Emulation
from lab.errors import LabError
from lab.events import Event, Note, to_json
from lab.util.signals import cancel_on_signal
from lab.virtual import beats

#: The command that starts it.
ARGV = (sys.executable, "-m", "lab.spread.session")
#: How long a lab waits for the next block (s): a client that has more sends one at once.
IDLE = 60.0


@dataclass(frozen=True)
class BlockEnd:
    """The end of a block: `error` is empty if it was measured; times are in s."""

    error: str = ""
    seconds: Mapping[str, float] | None = None
    last: str = ""

    def line(self) -> str:
        """Write it as a line of JSON."""
        return json.dumps({"ended": asdict(self)})

    @classmethod
    def read(cls, line: str) -> BlockEnd | None:
        """Read a line that `line` wrote; None for any other."""
        try:
            return cls(**json.loads(line)["ended"])
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True)
class Call:
    """A block to be carried out: its folder, with its order in it, and a processor for a box."""

    folder: Path
    cpu: int = 0

    @classmethod
    def read(cls, line: str) -> Call:
        """Read a line of the worker's."""
        stored = json.loads(line)
        return cls(Path(stored["folder"]), int(stored["cpu"]))

    def line(self) -> str:
        """Write it as a line of JSON."""
        return json.dumps({"folder": str(self.folder), "cpu": self.cpu})

    @property
    def order(self) -> BlockOrder:
        """The order for the block."""
        return BlockOrder.read((self.folder / in_box.PLAN).read_bytes())


def say(event: Event) -> None:
    """Print an event for the worker."""
    beats.say(to_json(event))


def end(ended: BlockEnd) -> None:
    """Print the end of a block for the worker."""
    beats.say(ended.line())


class LabSession:
    """Blocks one after the other, with a lab that stays up between them."""

    def __init__(self, calls: asyncio.Queue[Call | None]) -> None:
        self._calls = calls

    async def run(self) -> None:
        """Carry out blocks until there are no more."""
        call = await self._next()
        while call is not None:
            try:
                call = await self._virtual(call) if call.order.clock == "virtual" else await self._real(call)
            except LabError as error:
                end(BlockEnd(str(error)))
                return

    async def _next(self) -> Call | None:
        try:
            return await asyncio.wait_for(self._calls.get(), IDLE)
        except TimeoutError:
            return None

    async def _virtual(self, call: Call) -> Call | None:
        order = call.order
        _, plan = order.plan(call.folder / in_box.RUNS)
        made = await asyncio.to_thread(boxes.prepare, list(plan.overlays.values()), say)
        ears = virtual.Ears(say)
        ended = await virtual.boot(made, order, call.folder, call.cpu, ears.hear)
        end(BlockEnd(_torn(call.folder, ears.last), virtual.times_of(ended), ears.last))
        return await self._next()

    async def _real(self, call: Call | None) -> Call | None:
        """Build a lab and measure on it; returns the first block that needs another one."""
        assert call is not None
        of = _lab_of(call.order)
        request, plan = call.order.plan(call.folder / in_box.RUNS)
        timing: dict[str, float] = {}
        async with _lab(request, plan, timing) as prepared:
            while call is not None and _lab_of(call.order) == of:
                await _measure(call, prepared, timing)
                call = await self._next()
        return call


@asynccontextmanager
async def _lab(request: RunRequest, plan: RunPlan, timing: dict[str, float]) -> AsyncIterator[PreparedLab]:
    told = timed(say, timing)
    made = Emulation(plan.topology, shaper=request.shaper, emit=told, daemons=plan.daemons)
    async with made as emulation:
        yield await prepare_emulated(emulation, request, plan, told)


async def _measure(call: Call, prepared: PreparedLab, timing: dict[str, float]) -> None:
    loop = asyncio.get_running_loop()
    start, last = loop.time(), ""

    def tell(event: Event) -> None:
        nonlocal last
        last = event.text if isinstance(event, Note) else last
        say(event)

    request, plan = call.order.plan(call.folder / in_box.RUNS)
    await measure_on(prepared, request, plan, dict(timing), tell)
    end(BlockEnd("", {"wall": round(loop.time() - start, 2)}, last))


def _torn(folder: Path, last: str) -> str:
    """Return why another machine must measure a block: its box ended early, as on a full disk; "" if not."""
    run = inner_run(folder)
    states = {} if run is None else run.manifest.overlays
    failed = any(one.state in ("failed", "not obtainable") for one in states.values())
    if failed or (run is not None and run.manifest.complete):
        return ""
    return f"the box ended before its block was measured: {last or 'it said nothing'}"


def _lab_of(order: BlockOrder) -> Any:
    """Return what decides whether two blocks can be measured on one lab."""
    return order.topology, order.daemons, order.shaper, order.experiment, order.clock


async def serve() -> None:
    """Carry out what comes in, and remove the lab when the input ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    calls: asyncio.Queue[Call | None] = asyncio.Queue()
    work = asyncio.ensure_future(LabSession(calls).run())

    async def listen() -> None:
        while line := await lines.readline():
            calls.put_nowait(Call.read(line.decode()))

    heard = asyncio.ensure_future(listen())
    try:
        await asyncio.wait([work, heard], return_when=asyncio.FIRST_COMPLETED)
    finally:
        heard.cancel()
        work.cancel()
        await asyncio.wait([work])
    if not work.cancelled():
        work.result()


if __name__ == "__main__":
    asyncio.run(cancel_on_signal(serve()))
