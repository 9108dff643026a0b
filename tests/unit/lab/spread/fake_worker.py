"""A worker of the lab whose machine has no lab: the real worker, with a process that only writes samples.

python -m tests.unit.lab.spread.fake_worker ADDRESS NAME FOLDER
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from lab.spread import machine, session
from lab.spread import worker as worker_module
from lab.spread.messages import Inquiry, WorkerMachine
from lab.spread.worker import LabWorker
from lab.util.version import version


async def describe(name: str, inquiry: Inquiry) -> WorkerMachine:
    """Describe a machine that fits, or one with other images, by the environment."""
    return WorkerMachine(
        name=name,
        lab=version(),
        kernel=f"kernel of {name}",
        arch="x86_64",
        cpus=2,
        cpu="made up",
        memory_mib=1024,
        versions={"lab/host": os.environ.get("LAB_TEST_IMAGE", "sha256:1")},
        missing=[word for word in [os.environ.get("LAB_TEST_MISSING", "")] if word],
    )


async def main(address: str, name: str, folder: str) -> None:
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    machine.describe = describe
    worker_module.EVERY = 0.05
    other = os.environ.get("LAB_TEST_SESSION")  # of a benchmark
    session.ARGV = (sys.executable, "-m", "tests.unit.lab.spread.fake_session")
    session.ARGV = (sys.executable, other, "pretend") if other else session.ARGV
    worker = await LabWorker(address, name=name, folder=folder, checked=False)
    await worker.finished()  # type: ignore[no-untyped-call]


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
