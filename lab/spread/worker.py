"""The worker: Dask's own, restricted to blocks of the lab, on a machine that was checked and cleaned before.

It has one lab at a time. Dask knows that by a resource, `LAB`: a block in real time needs all of it, a block
in a box a processor's share. The worker checks it again, and refuses a second block beside one that runs.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from distributed import Worker
from distributed.comm.addressing import get_local_address_for

from lab.app import in_box, virtual
from lab.errors import MachineError, RunError
from lab.events import Event, SampleDone, from_json, to_json
from lab.runs.run_folder import SAMPLES, slug
from lab.spread import machine, session
from lab.spread.lab_news import EVERY, LabNews
from lab.spread.messages import Done, Inquiry, Work, pack_folder, pack_sample, read
from lab.spread.restricted import REFUSED, restrict
from lab.util import paths

#: The resource of a worker that blocks take.
LAB = "lab"
#: How often a worker looks whether the client still wants a block (s), and how long a lab may take to go (s).
LOOK, LEAVE = 0.5, 60.0
#: A line of a session's output is shorter than this (bytes).
LINE = 2**20


class LabWorker(Worker):
    """A worker of Dask that measures blocks of the lab, and does nothing else.

    It listens at the address from which it reaches the scheduler, also where there is no way to the internet.

    Args:
        address: of the scheduler.
        folder: where blocks lie until the client has them; below the lab's own folder by default.
        checked: False leaves out the check of this machine, which a caller did already.
    """

    def __init__(self, address: str, *, folder: str = "", checked: bool = True, **more: Any) -> None:
        restrict()
        cpus = len(os.sched_getaffinity(0))
        fixed = {"nthreads": cpus + 2, "resources": {LAB: 1}, "dashboard": False}
        facing = get_local_address_for(address).rpartition("/")[2].strip("[]")
        more = {"dashboard_address": "127.0.0.1:0", "host": facing, **more}
        super().__init__(address, **{"name": machine.default_name(), **more, **fixed})
        for name in REFUSED:
            self.handlers.pop(name, None)
        self._home = Path(folder) if folder else paths.STATE / "workers" / slug(str(self.name))
        self._to_check = checked
        self._taken: dict[str, float] = {}
        self._free_cpus = sorted(os.sched_getaffinity(0))
        self._session: _Process | None = None

    async def start_unsafe(self) -> LabWorker:
        """Check and clean this machine, then join the scheduler.

        Raises:
            MachineError: this machine lacks something for labs, or cannot be cleaned.
        """
        if self._to_check:
            await prepare()
        shutil.rmtree(self._home, ignore_errors=True)
        self._home.mkdir(parents=True, exist_ok=True)
        await super().start_unsafe()  # type: ignore[no-untyped-call]
        return self

    async def close(self, *args: Any, **kwargs: Any) -> str:  # type: ignore[override]
        """Leave the scheduler, and remove the lab."""
        if self._session is not None:
            await self._session.leave()
        return str(await super().close(*args, **kwargs))

    async def survey(self, inquiry: str) -> dict[str, Any]:
        """Describe this machine for the blocks of an `Inquiry`."""
        asked = read(Inquiry, inquiry, "the question of a client")
        return (await machine.describe(str(self.name), asked)).model_dump()

    async def carry_out(self, work: str) -> dict[str, Any]:
        """Measure one block.

        Raises:
            RunError: it has to be measured elsewhere; says why.
        """
        asked = read(Work, work, "the order for a block")
        with self._busy(asked) as cpu:
            self._refuse_other_versions(asked)
            self._forget_others()
            folder = virtual.new_folder(self._home / slug(asked.key))
            (folder / in_box.PLAN).write_text(asked.order.model_dump_json())
            ended = await self._measure(asked, session.Call(folder, cpu))
        if ended.error:
            raise RunError(ended.error)
        packed = await asyncio.to_thread(pack_folder, folder)
        return Done(
            key=asked.key, seconds=dict(ended.seconds or {}), last=ended.last, folder=packed
        ).model_dump()

    @contextmanager
    def _busy(self, asked: Work) -> Iterator[int]:
        """Take the share of this machine that a block needs, and one of its processors."""
        part = asked.share(len(os.sched_getaffinity(0)))
        if sum(self._taken.values()) + part > 1 or asked.key in self._taken:
            raise RunError(f"{self.name} measures {', '.join(self._taken)}; a second block would disturb it")
        self._taken[asked.key] = part
        cpu = self._free_cpus.pop(0)
        try:
            yield cpu
        finally:
            self._free_cpus.append(cpu)
            del self._taken[asked.key]

    def _refuse_other_versions(self, asked: Work) -> None:
        """Refuse a block of a client with another lab: the machine may have changed since it was asked."""
        from lab.util.version import version

        if (here := version()) != asked.lab:
            raise RunError(f"the lab of {self.name} is {here}, and the client's is {asked.lab}")

    def _forget_others(self) -> None:
        """Remove the folders of blocks that the scheduler forgot, because the client has their results."""
        kept = {slug(str(key)) for key in self.state.tasks}
        for folder in self._home.iterdir():
            if folder.is_dir() and folder.name not in kept:
                shutil.rmtree(folder, ignore_errors=True)

    async def _measure(self, asked: Work, call: session.Call) -> session.BlockEnd:
        """Let a session carry a block out, and tell the client of it; end it if the client lets it go."""
        boxed = asked.order.clock == "virtual"
        process = _Process(self._home) if boxed else self._session or _Process(self._home)
        self._session = self._session if boxed else process
        seen = _Samples(call.folder)

        def tell(event: Event) -> None:
            if isinstance(event, SampleDone):
                for packed in seen.more():
                    self.log_event(asked.topic, {"key": asked.key, "sample": packed})
            self.log_event(asked.topic, {"key": asked.key, "event": to_json(event)})

        wanted = asyncio.ensure_future(self._while_wanted(asked.key))
        work = asyncio.ensure_future(process.carry_out(call, tell))
        news = LabNews(call.folder)
        telling = asyncio.ensure_future(self._tell_of_lab(asked, news))
        stays = False
        try:
            await asyncio.wait([wanted, work], return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                return session.BlockEnd("the client wants it no more")
            ended = work.result()
            telling.cancel()
            await asyncio.wait([telling])
            self._tell_news(asked, news)
            stays = not boxed and not ended.error
            return ended
        finally:
            for task in (wanted, work, telling):
                task.cancel()
            await asyncio.gather(wanted, work, telling, return_exceptions=True)
            if not stays:
                await process.leave()
                self._session = None if self._session is process else self._session

    async def _tell_of_lab(self, asked: Work, news: LabNews) -> None:
        """Tell the client of the lab every few seconds, and sooner as long as there is none."""
        told = False
        while True:
            await asyncio.sleep(EVERY if told else LOOK)
            told = self._tell_news(asked, news)

    def _tell_news(self, asked: Work, news: LabNews) -> bool:
        """Tell the client what is new in the lab; trouble with that does not concern samples."""
        with suppress(OSError, RunError):
            if packed := news.more():
                self.log_event(asked.topic, {"key": asked.key, "lab": packed})
                return True
        return False

    async def _while_wanted(self, key: str) -> None:
        """Return when the scheduler has forgotten a task, because its client let it go."""
        while True:
            await asyncio.sleep(LOOK)
            task = self.state.tasks.get(key)
            if task is None or task.state == "cancelled":
                return


async def prepare() -> None:
    """Check this machine for labs, and remove what killed ones left on it.

    Raises:
        MachineError: it lacks something, or cannot be cleaned.
    """
    if missing := await machine.examine():
        raise MachineError(f"no lab can be built on this machine: {'; '.join(missing)}")
    if done := await machine.clean():
        logging.getLogger("distributed.worker").info("lab cleanup: %s", "; ".join(done.splitlines()))


class _Samples:
    """The samples that a block's run folder has, as they come."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._read = folder, 0

    def more(self) -> Iterator[bytes]:
        """Yield the samples since the last call, with their raw output, packed."""
        for file in (self._folder / in_box.RUNS).glob(f"*/{SAMPLES}"):
            with file.open("rb") as opened:
                opened.seek(self._read)
                lines = opened.read()
            whole = lines.rfind(b"\n") + 1
            self._read += whole
            for line in lines[:whole].decode().splitlines():
                name = re.search(r'"raw":"([^"]+)"', line)
                raw = file.parent / name[1] if name else None
                yield pack_sample(line, raw.read_text() if raw and raw.is_file() else "")


class _Process:
    """A process of `lab.spread.session`."""

    def __init__(self, home: Path) -> None:
        self._log = home / "session.log"
        self._process: asyncio.subprocess.Process | None = None

    async def carry_out(self, call: session.Call, tell: Any) -> session.BlockEnd:
        """Let it measure a block; `tell` is called with its events."""
        try:
            while True:
                old = self._process is not None
                process = await self._running()
                ended, silent = await self._one(process, call, tell)
                if ended is not None:
                    return ended
                if not (old and silent):
                    return session.BlockEnd(f"the process of the lab ended: {self._last_words()}")
                await process.wait()  # it had waited long enough, and just then the block came
        except (OSError, ValueError) as error:
            return session.BlockEnd(f"the process of the lab cannot be used: {error}")

    async def _one(
        self, process: asyncio.subprocess.Process, call: session.Call, tell: Any
    ) -> tuple[session.BlockEnd | None, bool]:
        """Return the end of a block, None if the process ended, and if it said nothing at all."""
        assert process.stdin is not None
        assert process.stdout is not None
        silent = True
        with suppress(ConnectionError):
            process.stdin.write(f"{call.line()}\n".encode())
            await process.stdin.drain()
        while line := await process.stdout.readline():
            text, silent = line.decode(errors="replace"), False
            if ended := session.BlockEnd.read(text):
                return ended, silent
            if event := from_json(text):
                tell(event)
        return None, silent

    def _last_words(self) -> str:
        with suppress(OSError):
            if lines := self._log.read_text(errors="replace").split("\n"):
                return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
        return "it said nothing"

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is None or self._process.returncode is not None:
            with self._log.open("wb") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *session.ARGV,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    limit=LINE,
                    start_new_session=True,
                )
        return self._process

    async def leave(self) -> None:
        """End it by the end of its input, and wait until its lab is removed."""
        process, self._process = self._process, None
        if process is None or process.stdin is None:
            return
        process.stdin.close()
        start = monotonic()
        while process.returncode is None and monotonic() - start < LEAVE:
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), LOOK)
        if process.returncode is None:
            process.kill()
            await process.wait()
