"""Which machines fit a run: each describes itself, and must be like the others in what decides samples."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.app.block_order import BlockOrder
from lab.app.request import RunPlan, RunRequest
from lab.errors import RunError
from lab.events import Emit, Note
from lab.spread import tasks
from lab.spread.clusters import JOIN
from lab.spread.dispatcher import POLL, result_of, workers
from lab.spread.machine import differences
from lab.spread.messages import Inquiry, WorkerMachine, read
from lab.util.version import version

if TYPE_CHECKING:
    from distributed import Client


def inquiry(request: RunRequest, plan: RunPlan) -> Inquiry:
    """Return the question that machines are asked before they get a block."""
    first = next(iter(plan.overlays))
    names = list(plan.measurable_cells(request.only))
    return Inquiry(order=BlockOrder.of(request, plan, first, request.seed or 0), overlays=names)


def most_common(machines: Mapping[str, WorkerMachine]) -> WorkerMachine:
    """Return the machine that the others must be like: one of the largest group of equal ones.

    Raises:
        RunError: no machine fits.
    """
    fit = {name: one for name, one in sorted(machines.items()) if not one.missing and one.lab == version()}
    if not fit:
        why = "; ".join(f"{name}: {', '.join(unfit(one, one))}" for name, one in sorted(machines.items()))
        raise RunError(f"no machine fits ({why}); mend one, or start 'lab worker' on another")
    return max(fit.values(), key=lambda one: sum(not differences(one, other) for other in fit.values()))


def unfit(reference: WorkerMachine, machine: WorkerMachine) -> list[str]:
    """Return in words why a machine gets no blocks of a run with this reference."""
    found = [*machine.missing, *differences(reference, machine)]
    if machine.lab != version():
        found.append(f"the lab is {machine.lab}, the client's {version()}")
    return list(dict.fromkeys(found))


class Surveys:
    """Descriptions of workers' machines, each asked for once per address."""

    def __init__(self, client: Client, inquiry: Inquiry) -> None:
        self.client, self._inquiry = client, inquiry
        self._known: dict[str, WorkerMachine] = {}

    async def of(self, address: str) -> WorkerMachine:
        """Return the description of the machine at an address.

        Raises:
            RunError: the worker is none of the lab's, or its answer is none.
        """
        if address not in self._known:
            task = self.client.submit(
                tasks.survey,
                self._inquiry.model_dump_json(),
                key=f"lab-survey-{secrets.token_hex(8)}",
                workers=[address],
                pure=False,
            )
            try:
                async with asyncio.timeout(JOIN):
                    answer = await result_of(self.client, task)
            except TimeoutError:
                raise RunError(
                    f"the worker {address} did not describe its machine within {JOIN:g} s"
                ) from None
            if error := tasks.error_of(answer):
                raise RunError(error)
            self._known[address] = read(WorkerMachine, answer, f"the answer of {address}")
        return self._known[address]

    async def first(self, count: int, emit: Emit) -> dict[str, WorkerMachine]:
        """Wait for so many machines, for some time, and return the descriptions of those that are there.

        Raises:
            RunError: there is none, or none describes itself.
        """
        deadline = asyncio.get_running_loop().time() + JOIN
        while len(there := await workers(self.client)) < count:
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(POLL / 4)
        found, faults = {}, []
        for address, name in sorted(there.items(), key=lambda item: item[1]):
            try:
                found[name] = await self.of(address)
            except Exception as error:  # of the worker's, whatever it was
                faults.append(f"{name}: {error}")
        if not found:
            words = "; ".join(faults) or "the scheduler has no workers"
            raise RunError(f"no machine can measure ({words}); start 'lab worker' on one")
        emit(Note(f"machines: {', '.join(found)}"))
        return found
