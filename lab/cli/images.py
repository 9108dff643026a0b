"""lab images: build the images of hosts and endpoints, and say which are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.process import need_root
from lab.events import Emit, silent

if TYPE_CHECKING:
    from docker import DockerClient

    from lab.images import BuiltImage
    from lab.virtual.kernel import Kernel

app = typer.Typer(
    name="images", no_args_is_help=True, add_completion=False, help="The images of hosts and endpoints."
)


@app.command()
def build(
    force: Annotated[bool, typer.Option("--force", help="Also what is up to date.")] = False,
    virtual: Annotated[bool, typer.Option("--virtual", help="Instead: the kernel of virtual time.")] = False,
) -> None:
    """Build the images lab/host and lab/gtsperf, and the image store that hosts start from. Needs root.

    From a public base image where a registry can be reached, else from this machine's own
    apt sources. What is up to date is left alone. The kernel of virtual time is built from Debian's
    source, once, in some minutes.

    Example: sudo python -m lab images build
    """
    from lab import images
    from lab.cli.console import progress
    from lab.emulation.docker.image_store import endpoint_store

    need_root("images build", "")
    if virtual:
        with progress() as emit:
            _build_kernel(emit, force)
        return
    with progress() as emit, _docker(emit) as docker:
        built = images.ensure(docker, emit, force=force)
        endpoint_store(emit)
    for image in built:
        typer.echo(_describe(image))


@app.command(name="list")
def list_() -> None:
    """Say which images are there, of what, and whether they are up to date. Needs root.

    Example: sudo python -m lab images list
    """
    from lab import images
    from lab.virtual import kernel

    need_root("images list", "")
    with _docker() as docker:
        for image in images.IMAGES:
            found = images.find(docker, image)
            missing = f"{image.tag}: not built; sudo python -m lab images build"
            typer.echo(_describe(found) if found else missing)
    typer.echo(_describe_kernel(kernel.find()))


@app.command()
def remove() -> None:
    """Remove the images, what was made from them, and the kernel of virtual time. Needs root.

    Refused while a lab is on this machine.

    Example: sudo python -m lab images remove
    """
    from lab import images
    from lab.emulation.docker.image_store import forget_all
    from lab.virtual import kernel

    need_root("images remove", "")
    with _docker() as docker:
        forget_all()
        for tag in images.remove(docker):
            typer.echo(f"removed {tag}")
    for source in kernel.remove():
        typer.echo(f"removed the kernel of virtual time, {source}")


def _build_kernel(emit: Emit, force: bool) -> None:
    from lab.virtual import kernel

    if force:
        kernel.remove(emit)
    typer.echo(_describe_kernel(kernel.ensure(emit)))


@contextmanager
def _docker(emit: Emit = silent) -> Iterator[DockerClient]:
    """Yield a client of this machine's Docker daemon, which is started for it where it does not run."""
    from lab.emulation.docker.daemon import Daemon, client

    daemon = Daemon(emit)
    daemon.ensure()
    try:
        yield client()
    finally:
        daemon.release()


def _describe(image: BuiltImage) -> str:
    state = "up to date" if image.fresh else "out of date: run 'lab images build'"
    return f"{image.tag}: {state}, {image.size / 2**20:.0f} MiB, {image.suite} by {image.method}"


def _describe_kernel(kernel: Kernel | None) -> str:
    if kernel is None:
        return "kernel of virtual time: not built; sudo python -m lab images build --virtual"
    return f"kernel of virtual time: {kernel.source}, {kernel.size / 2**20:.0f} MiB, {kernel.program}"
