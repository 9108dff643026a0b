"""A run whose blocks are measured on several machines: the client of `lab.spread.worker`.

Samples are on disk here as they come, in a file beside the block's folder. A block is added to the run when
the whole of it is here; what came of an attempt that was lost stays in that file, and is in no result.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.app import virtual
from lab.app.block_order import BlockOrder
from lab.app.blocks import BlockRun, folder_of, opened
from lab.app.request import RunPlan, RunRequest
from lab.app.run import begun_as_asked, seed_of
from lab.errors import RunError
from lab.events import Emit, Note, SampleDone, from_json
from lab.feed.recorder import Told
from lab.runs import run_folder
from lab.runs.manifest import MachineState, Manifest
from lab.runs.plan import Block
from lab.runs.run_folder import RunFolder, StoredRun, slug, try_to_write
from lab.runs.runner import Outcome
from lab.runs.sample import Sample
from lab.spread import tasks
from lab.spread.clusters import Where
from lab.spread.design import Design
from lab.spread.dispatcher import ANSWER, Dispatcher, Place, workers
from lab.spread.lab_news import MachineLabs
from lab.spread.messages import Done, Work, WorkerMachine, read, unpack_folder, unpack_sample
from lab.spread.surveys import Surveys, inquiry, most_common, unfit
from lab.util.files import make_folder
from lab.util.files import replace as write_whole

#: Of so many samples of a machine, more than this share limited by it: it gets no more blocks.
ENOUGH, TOO_MANY = 6, 0.5
#: The files beside a block's folder: who measures it, and what came of attempts.
CLAIM, STREAM = "claim.json", "samples.jsonl"
#: What the manifest has in place of one kernel and one machine.
SEVERAL = "of each machine"


async def emulate(request: RunRequest, plan: RunPlan, where: Where, emit: Emit) -> tuple[int, Path]:
    """Measure on several machines; returns the exit status and the run's folder.

    Raises:
        RunError: the scheduler or all machines are gone, or no machine fits; the run can be resumed.
    """
    if request.resume is None:
        try_to_write(request.results)
    async with where.client(emit) as (client, count):
        surveys = Surveys(client, inquiry(request, plan))
        machines = await surveys.first(count, emit)
        reference = most_common(machines)
        manifest = new_manifest(request, plan, reference)
        with opened(request, plan, manifest, emit) as (folder, told):
            await SpreadRun(request, plan, folder, told, surveys, reference).carry_out()
            failed = [] if folder.manifest.complete else ["blocks"]
            return Outcome(folder.manifest.overlays, failed).status, folder.path


def new_manifest(request: RunRequest, plan: RunPlan, reference: WorkerMachine) -> Manifest:
    """Return the manifest of a run that begins now, on machines like this one."""
    if request.clock == "virtual":  # whose samples do not depend on the machine
        return virtual.new_manifest(request, plan, reference.box, reference.box_kernel)
    before = request.resume and run_folder.read(request.resume).manifest
    return begun_as_asked(
        request,
        plan,
        shaper=before.shaper if before else request.shaper,  # each machine has its own
        seed=seed_of(request),
        on_fallback=request.on_fallback,
        environment={
            "kernel": SEVERAL,
            "versions": {**reference.versions, "lab": reference.lab},
            "daemons": plan.daemons,
        },
    )


class SpreadRun(BlockRun):
    """The blocks of one run, carried out on machines; see `lab.spread.dispatcher.Job`."""

    function = staticmethod(tasks.carry_out)

    def __init__(
        self,
        request: RunRequest,
        plan: RunPlan,
        folder: RunFolder,
        told: Told,
        surveys: Surveys,
        reference: WorkerMachine,
    ) -> None:
        super().__init__(request, plan, folder, told)
        self._labs = MachineLabs(told.show)
        self._surveys, self._reference = surveys, reference
        self._topic = f"lab-{folder.manifest.run}"
        self._current: dict[str, tuple[Block, str]] = {}
        self._streamed: Counter[Block] = Counter()
        self._given_up: set[Block] = set()
        #: Samples of each machine, and those that it limited.
        self._measured: Counter[str] = Counter()
        self._limited: Counter[str] = Counter()

    async def _carry_out(self, wanted: list[Block]) -> None:
        client = self._surveys.client
        make_folder(folder_of(self._blocks[0], self._folder.path).parent)
        names = await workers(client)
        seed = self._folder.manifest.seed or 0
        fit = [name for address, name in names.items() if not await self._reason(address)]
        dispatcher = Dispatcher(client, Design(wanted, fit, seed), self, self._emit)
        client.subscribe_topic(self._topic, self._message)
        try:
            await dispatcher.run(await self._under_way(wanted, names))
        finally:
            client.unsubscribe_topic(self._topic)
            self._note_refused(dispatcher.refused)

    async def _reason(self, address: str) -> str:
        try:
            machine = await self._surveys.of(address)
        except Exception as error:  # of the worker's, whatever it was
            return str(error)
        return "; ".join(unfit(self._reference, machine))

    async def admit(self, place: Place) -> str:
        """Check a machine, and note in the manifest what it is."""
        reason = await self._reason(place.address)
        with suppress(Exception):
            machine = await self._surveys.of(place.address)
            place.slots = machine.cpus if self._request.clock == "virtual" else 1
            known = self._folder.manifest.machines.get(place.name, MachineState())
            same = machine.model_dump(include=set(MachineState.model_fields) - {"state"})
            state = {"state": "refused" if reason else "ok", "reason": reason}
            self._folder.manifest.machines[place.name] = known.model_copy(update={**same, **state})
            self._folder.save()
        return reason

    def _note_refused(self, refused: Mapping[str, str]) -> None:
        for name, reason in refused.items():
            known = self._folder.manifest.machines.setdefault(name, MachineState(state="refused"))
            state = known.state if known.state == "refused" else "excluded"
            self._folder.manifest.machines[name] = known.model_copy(update={"state": state, "reason": reason})

    async def _under_way(
        self, wanted: Sequence[Block], there: Mapping[str, str]
    ) -> list[tuple[Block, str, str]]:
        """Return the blocks that machines still measure for this run, and cancel what else they do."""
        client, found = self._surveys.client, []
        names = {
            str(name) for name in await client.list_datasets() if str(name).startswith(f"{self._topic}-")
        }
        for block in wanted:
            claim = self._claim(block)
            if not claim:
                continue
            if claim["key"] in names and claim["address"] in there:
                names.discard(claim["key"])
                self._current[claim["key"]] = block, there[claim["address"]]
                self._emit(Note(f"machine {there[claim['address']]} still measures {block.name}"))
                found.append((block, claim["address"], claim["key"]))
            else:
                self._put_aside(block)
        for name in names:
            await self._cancel(name)
        return found

    async def _cancel(self, name: str) -> None:
        client = self._surveys.client
        with suppress(KeyError):
            async with asyncio.timeout(ANSWER):
                future = await client.get_dataset(name)
                await client.unpublish_dataset(name)
                await client.cancel([future])

    def _beside(self, block: Block, name: str) -> Path:
        folder = folder_of(block, self._folder.path)
        return folder.with_name(f"{folder.name}.{name}")

    def _claim(self, block: Block) -> dict[str, str]:
        try:
            stored = json.loads(self._beside(block, CLAIM).read_text())
            return {"key": str(stored["key"]), "address": str(stored["address"])}
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def work(self, block: Block, place: Place) -> tuple[str, str, float]:
        """Write down who measures a block, before anybody is asked to."""
        key = f"{self._topic}-{slug(block.overlay)}-{block.number}-{secrets.token_hex(4)}"
        claim = {"key": key, "address": place.address, "machine": place.name}
        write_whole(self._beside(block, CLAIM), json.dumps(claim), sync=True)
        self._current[key] = block, place.name
        order = BlockOrder.of(self._request, self._plan, block.overlay, block.seed)
        sent = Work(key=key, topic=self._topic, order=order, lab=self._reference.lab)
        self._emit(Note(f"{block.name} goes to machine {place.name}"))
        return key, sent.model_dump_json(), sent.share(place.slots)

    def store(self, block: Block, place: Place, result: Any) -> str:
        """Put a block's folder on disk, whole or not at all, and add its samples to the run."""
        done = read(Done, result, f"the result of machine {place.name}")
        folder = folder_of(block, self._folder.path)
        fresh = self._beside(block, "new")
        for old in (fresh, folder):
            shutil.rmtree(old, ignore_errors=True)
        unpack_folder(done.folder, fresh)
        fresh.rename(folder)
        self._current.pop(done.key, None)
        self._folder.manifest.placed[block.name] = place.name
        self._keep(block, done.seconds, done.last)
        for name in (CLAIM, STREAM):
            self._beside(block, name).unlink(missing_ok=True)
        self._collect()
        self._streamed.pop(block, None)
        return self._judge(place.name)

    def _learn(self, block: Block, run: StoredRun) -> None:
        manifest = self._folder.manifest
        if manifest.clock == "virtual":
            virtual.learn(manifest, run)
            return
        name = manifest.placed[block.name]
        self._measured[name] += len(run.samples)
        self._limited[name] += sum(s.verdict.state == "emulator-bound" for s in run.samples)
        seen = {"shaper": run.manifest.shaper, "calibration": run.manifest.calibration}
        known = manifest.machines.get(name, MachineState())
        manifest.machines[name] = known.model_copy(update=seen)
        manifest.shaper = ", ".join(sorted({m.shaper for m in manifest.machines.values() if m.shaper}))
        for of, noted in run.manifest.resources.items():
            others = [old for old in manifest.resources.get(of, []) if old.bring_up != block.number]
            fresh = [one.model_copy(update={"bring_up": block.number}) for one in noted]
            manifest.resources[of] = sorted([*others, *fresh], key=lambda one: one.bring_up)

    def _judge(self, name: str) -> str:
        """Return why a machine gets no more blocks: it limits most of what is measured on it; "" if not."""
        limited, measured = self._limited[name], self._measured[name]
        if measured < ENOUGH or limited <= TOO_MANY * measured:
            return ""
        return f"it limited {limited} of its {measured} samples (emulator-bound)"

    def _adopted(self, block: Block, sample: Sample, raw: str) -> Sample:
        adopted = super()._adopted(block, sample, raw)
        if self._folder.manifest.clock == "virtual":  # no factor of the sample
            return adopted
        name = self._folder.manifest.placed.get(block.name, "")
        return adopted.model_copy(update={"machine": {**adopted.machine, "name": name}})

    def lost(self, block: Block, place: Place, reason: str) -> None:
        """Keep apart what came of an attempt that was lost."""
        self._current = {key: one for key, one in self._current.items() if one[0] != block}
        self._done -= self._streamed.pop(block, 0)
        self._wall.pop(block, None)
        self._labs.gone(place.name)
        self._put_aside(block)

    def _put_aside(self, block: Block) -> None:
        stream = self._beside(block, STREAM)
        self._beside(block, CLAIM).unlink(missing_ok=True)
        if stream.exists():
            number = next(n for n in range(1, 10**6) if not self._beside(block, f"lost-{n}.jsonl").exists())
            stream.rename(self._beside(block, f"lost-{number}.jsonl"))

    def give_up(self, block: Block, reason: str) -> None:
        """Note that a block is not measured in this session."""
        self._given_up.add(block)
        self._emit(Note(f"{block.name} is given up: {reason}"))
        states = self._folder.manifest.overlays
        failed = {"state": "failed", "reason": reason}
        states[block.overlay] = states[block.overlay].model_copy(update=failed)
        self._folder.save()
        self._collect()

    def _settled(self, block: Block) -> bool:
        return block in self._given_up or super()._settled(block)

    def _where(self, block: Block) -> str:
        machine = next((name for one, name in self._current.values() if one == block), "")
        return f"machine {machine}"

    def _message(self, received: tuple[float, Any]) -> None:
        """Take a message of a worker: an event, news of its lab, or a sample, which is put on disk."""
        message = received[1]
        block, machine = self._current.get(message.get("key", ""), (None, ""))
        if block is None:
            return  # of an attempt that was given up
        if "sample" in message:
            self._write_down(block, bytes(message["sample"]))
        elif "lab" in message:
            self._show(machine, bytes(message["lab"]))
        elif event := from_json(str(message.get("event", ""))):
            self._streamed[block] += isinstance(event, SampleDone)
            self.heard(block, event)

    def _show(self, machine: str, data: bytes) -> None:
        try:
            self._labs.take(machine, data)
        except RunError as error:
            self._emit(Note(str(error)))

    def _write_down(self, block: Block, data: bytes) -> None:
        try:
            sample, raw = unpack_sample(data)
            with self._beside(block, STREAM).open("a") as file:
                file.write(json.dumps({"sample": sample.model_dump(mode="json"), "raw": raw}) + "\n")
                file.flush()
                os.fsync(file.fileno())
        except (OSError, RunError) as error:  # the block's result is what counts, and its own error is told
            self._emit(Note(f"{block.name}: a sample on its way could not be kept: {error}"))
