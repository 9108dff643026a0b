"""lab images: build the images of hosts and endpoints, and say which are there."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli.process import need_root

app = typer.Typer(
    name="images", no_args_is_help=True, add_completion=False, help="The images of hosts and endpoints."
)


@app.command()
def build(
    force: Annotated[bool, typer.Option("--force", help="Also what is up to date.")] = False,
) -> None:
    """Build the images lab/host and lab/gtsperf, and the image store that hosts start from. Needs root.

    From a public base image where a registry can be reached, else from this machine's own
    apt sources. What is up to date is left alone.

    Example: sudo python -m lab images build
    """
    from lab import images
    from lab.cli.console import progress
    from lab.emulation.docker.daemon import Daemon, client
    from lab.emulation.docker.image_store import endpoint_seed

    need_root("images build", "")
    with progress() as emit:
        daemon = Daemon(emit)
        daemon.ensure()
        try:
            built = images.ensure(client(), emit, force=force)
            endpoint_seed(emit)
        finally:
            daemon.release()
    for image in built:
        typer.echo(_words(image))


@app.command(name="list")
def list_() -> None:
    """Say which images are there, of what, and whether they are up to date. Needs root.

    Example: sudo python -m lab images list
    """
    from lab import images
    from lab.emulation.docker.daemon import Daemon, client

    need_root("images list", "")
    daemon = Daemon()
    daemon.ensure()
    try:
        docker = client()
        for image in images.IMAGES:
            found = images.find(docker, image)
            typer.echo(_words(found) if found else f"{image.tag}: not built; sudo python -m lab images build")
    finally:
        daemon.release()


@app.command()
def remove() -> None:
    """Remove the images and the image stores made from them; the next build makes them anew. Needs root.

    Refused while a lab is on this machine.

    Example: sudo python -m lab images remove
    """
    from lab import images
    from lab.emulation.docker.daemon import Daemon, client
    from lab.emulation.docker.image_store import forget_all

    need_root("images remove", "")
    daemon = Daemon()
    daemon.ensure()
    try:
        forget_all()
        for tag in images.remove(client()):
            typer.echo(f"removed {tag}")
    finally:
        daemon.release()


def _words(image: object) -> str:
    from lab.images import Built

    assert isinstance(image, Built)
    state = "up to date" if image.fresh else "out of date: run 'lab images build'"
    return f"{image.tag}: {state}, {image.size / 2**20:.0f} MiB, {image.suite} by {image.way}"
