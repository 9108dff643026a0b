"""lab images: build the images of hosts and endpoints, and say which are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.cli.former import Verb
from lab.cli.process import need_root

if TYPE_CHECKING:
    from lab.events import Emit
    from lab.images import BuiltImage
    from lab.virtual.kernel import Kernel

app = typer.Typer(
    name="images",
    no_args_is_help=True,
    add_completion=False,
    help="Build, list and remove the images of hosts and endpoints.",
)


@app.command(cls=Verb)
def build(
    force: Annotated[bool, typer.Option("--force", help="Build it again, even if it is up to date.")] = False,
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Build the kernel of virtual time instead.")
    ] = False,
) -> None:
    """Build the images lab/host and lab/gtsperf, and the files from which hosts start.

    Needs root. It uses a public base image if it can reach a registry, and this machine's own apt
    sources if not. It does not build again what is up to date. --virtual builds the kernel of virtual
    time instead, from Debian's source.

    Example: sudo lab images build
    """
    from lab import images
    from lab.cli.console import progress
    from lab.emulation.docker.daemon import serving
    from lab.emulation.docker.image_store import endpoint_store
    from lab.emulation.light.hosts import image_roots
    from lab.emulation.ownership import labs
    from lab.images import roots

    need_root("images build", "")
    if virtual:
        with progress() as emit:
            _build_kernel(emit, force)
        return
    with progress() as emit, serving(emit) as docker:
        built = images.ensure(docker, emit, force=force)
        endpoint_store(emit)
        if force and not labs():
            roots.remove()
        image_roots(emit)
    for image in built:
        typer.echo(_describe(image))
    typer.echo(_describe_roots())


@app.command(name="list", cls=Verb)
def list_() -> None:
    """List the images, with their state, size and source.

    Needs root.

    Example: sudo lab images list
    """
    from lab import images
    from lab.emulation.docker.daemon import serving
    from lab.virtual import kernel

    need_root("images list", "")
    with serving() as docker:
        for image in images.IMAGES:
            found = images.find(docker, image)
            missing = f"{image.tag}: not built; sudo lab images build"
            typer.echo(_describe(found) if found else missing)
    typer.echo(_describe_roots())
    typer.echo(_describe_kernel(kernel.find()))


@app.command(cls=Verb)
def remove() -> None:
    """Remove the images, the files that were made from them, and the kernel of virtual time.

    Needs root. Refused while a lab is up.

    Example: sudo lab images remove
    """
    from lab import images
    from lab.emulation.docker.daemon import serving
    from lab.emulation.docker.image_store import forget_all
    from lab.images import roots
    from lab.virtual import kernel

    need_root("images remove", "")
    with serving() as docker:
        forget_all()
        for what in [*images.remove(docker), *roots.remove()]:
            typer.echo(f"removed {what}")
    for source in kernel.remove():
        typer.echo(f"removed the kernel of virtual time, {source}")


def _build_kernel(emit: Emit, force: bool) -> None:
    from lab.virtual import kernel

    if force:
        kernel.remove(emit)
    typer.echo(_describe_kernel(kernel.ensure(emit)))


def _describe(image: BuiltImage) -> str:
    state = "up to date" if image.fresh else "out of date: run 'lab images build'"
    return f"{image.tag}: {state}, {image.size / 2**20:.0f} MiB, {image.suite} by {image.method}"


def _describe_roots() -> str:
    from lab.images import roots

    there = roots.find()
    folders = {str(folder.parent) for folder in there.values()}
    where = f"in {folders.pop()}" if folders else "not exported; sudo lab images build"
    return f"files for hosts without Docker: {where}"


def _describe_kernel(kernel: Kernel | None) -> str:
    if kernel is None:
        return "kernel of virtual time: not built; sudo lab images build --virtual"
    return f"kernel of virtual time: {kernel.source}, {kernel.size / 2**20:.0f} MiB, {kernel.program}"
