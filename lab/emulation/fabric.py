"""The links of one lab: a network namespace of its own, veths into the hosts, a bridge per link.

Host A `ethN` —veth— port `<n>a` — bridge `br<n>` — port `<n>b` —veth— host B `ethM`

Ports and bridges lie in the namespace ``lab-<id>``; nothing of a lab is ever in the root
namespace. Shapers work on the ports, so that hosts see plain interfaces. A link is opened
only after its shaper has read back what was asked.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.emulation.shape import Wiring
from lab.emulation.shaper import Shaper
from lab.hosts import process
from lab.hosts.process import Run


def namespace(lab_id: str) -> str:
    """The name of a lab's network namespace."""
    return f"lab-{lab_id}"


class Fabric:
    """The links of one lab. Owns the lab's namespace and everything in it.

    Use::

        kind = await choose("auto")
        fabric = Fabric(lab_id, kind(lab_id, folder))
        await fabric.create()
        await fabric.add_links([Wiring(link, pid_a, pid_b), ...])
        ...
        await fabric.destroy()
    """

    def __init__(self, lab_id: str, shaper: Shaper, run: Run = process.run) -> None:
        self.lab_id, self.shaper, self.run = lab_id, shaper, run
        self.namespace = namespace(lab_id)

    async def create(self) -> None:
        """Make the lab's namespace and let the shaper prepare it.

        Raises:
            CommandError: there is such a namespace already, or no right to make one.
        """
        raise NotImplementedError

    async def add_links(self, wirings: Sequence[Wiring]) -> None:
        """Build links, shape them, read them back, then open them: interfaces up, with MTU and address.

        Raises:
            CommandError: a host is gone, or an interface exists already.
            ShaperError: the shaper cannot do what a link asks; the link stays closed.
        """
        raise NotImplementedError

    async def remove_links(self, links: Sequence[str]) -> None:
        """Take links away, with their interfaces in the hosts."""
        raise NotImplementedError

    async def destroy(self) -> None:
        """End the shaper and remove the namespace, with all links. Doing it twice changes nothing."""
        raise NotImplementedError
