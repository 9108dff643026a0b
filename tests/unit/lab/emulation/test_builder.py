"""The parts of a lab and the steps that make them, with commands that are only written down."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.emulation import builder
from lab.emulation.builder import Builder, RunningLab, new_lab
from lab.emulation.docker.capabilities import HOST_CAPABILITIES
from lab.emulation.links.link import Wiring
from lab.emulation.links.netem import Netem
from lab.emulation.ownership import labs
from lab.emulation.registry import HostRecord, Record, read
from lab.errors import LabError
from lab.events import silent
from lab.hosts.container import ContainerHost
from lab.hosts.host import Result
from lab.hosts.namespace import NamespaceHost
from lab.topology import LinkSpec
from tests.unit.lab_record import a_lab

pytestmark = pytest.mark.usefixtures("own_folders")


async def no_command(argv: Sequence[str], **_: Any) -> Result:
    raise AssertionError(f"not to be run: {argv}")


def test_a_lab_whose_name_is_taken_leaves_nothing() -> None:
    made = a_lab("class")
    with pytest.raises(LabError, match="a lab class is up already"):
        new_lab("class")
    assert [state.lab_id for state in labs()] == [made.lab_id]


def test_what_is_saved_is_what_another_process_takes_up() -> None:
    lab = RunningLab.of(a_lab(), no_command)
    lab.forget_hosts(["PRG"])
    lab.hosts["AMS"].addresses = ("192.168.9.1",)
    lab.save()
    stored = read(lab.record.lab_id)
    assert stored is not None
    again = RunningLab.of(stored, no_command)
    assert list(again.hosts) == list(lab.hosts)
    assert "PRG" not in again.hosts
    assert again.hosts["AMS"].addresses == ("192.168.9.1",)
    assert (again.pids, again.links, again.topology) == (lab.pids, lab.links, lab.topology)


def test_hosts_without_a_container_are_taken_up_as_namespaces() -> None:
    record = a_lab()
    record.hosts[0] = replace(record.hosts[0], container="", container_id="")
    lab = RunningLab.of(record, no_command)
    kinds = [type(host) for host in lab.hosts.values()]
    assert kinds == [NamespaceHost] + [ContainerHost] * (len(kinds) - 1)
    assert lab.hosts["AMS"].addresses == record.hosts[0].addresses


async def test_the_namespace_of_the_links_is_recorded_before_it_is_made() -> None:
    lab, recorded = new_lab("class"), list[list[str]]()

    async def run(argv: Sequence[str], **_: Any) -> Result:
        if list(argv[:3]) == ["ip", "netns", "add"]:
            recorded.append(lab.state.owned("namespace"))
        return Result(tuple(argv), 0, "", "", 0.0)

    build = Builder(lab, Netem, run, silent)
    fabric = await build.open_fabric()
    assert recorded == [[f"lab-{lab.record.lab_id}"]]
    assert lab.record.shaper == "netem"
    # and a second link finds it there
    assert await build.open_fabric() is fabric
    assert Path(lab.state.folder, "shaper").is_dir()


@pytest.mark.parametrize(("mounted", "of_a_lab"), [(False, False), (True, True), (True, False)])
async def test_the_folder_of_namespaces_is_the_last_labs_to_unmount_unless_somebody_else_mounted_it(
    monkeypatch: pytest.MonkeyPatch, mounted: bool, of_a_lab: bool
) -> None:
    """It stayed for ever where the lab that had made it went before another."""

    async def run(argv: Sequence[str], **_: Any) -> Result:
        return Result(tuple(argv), 0, "", "", 0.0)

    monkeypatch.setattr(builder, "mount_points", lambda: [builder.NETNS_MOUNT] * mounted)
    first, second = new_lab("one"), new_lab("two")
    if of_a_lab:
        first.state.record("mount", builder.NETNS_MOUNT)
    await Builder(second, Netem, run, silent).open_fabric()
    assert second.state.owned("mount") == [builder.NETNS_MOUNT] * (of_a_lab or not mounted)


class Hosts:
    """Two hosts that are to be made; `fails` is the step that goes wrong."""

    kind = "things"

    def __init__(self, record: Record, fails: str = "") -> None:
        self.record, self.fails, self.done = record, fails, list[str]()

    @property
    def names(self) -> list[str]:
        return [host.name for host in self.record.hosts[:2]]

    async def start(self, state: Any, run: Any) -> list[tuple[HostRecord, Mapping[str, str]]]:
        self._do("start")
        return [(host, {"A": host.name}) for host in self.record.hosts[:2]]

    async def ready(self, run: Any, emit: Any) -> None:
        self._do("ready")

    async def undo(self, state: Any, run: Any) -> None:
        self._do("undo")

    def _do(self, what: str) -> None:
        self.done.append(what)
        if what == self.fails:
            raise LabError(f"{what} failed")


def building() -> tuple[RunningLab, Builder]:
    lab = new_lab("mine")
    return lab, Builder(lab, Netem, no_command, silent)


async def test_hosts_are_started_made_ready_and_written_down() -> None:
    (lab, build), hosts = building(), Hosts(a_lab())
    await build.add(hosts, [])
    assert hosts.done == ["start", "ready"]
    assert list(lab.hosts) == hosts.names
    stored = read(lab.record.lab_id)
    assert stored is not None
    assert [host.name for host in stored.hosts] == hosts.names


@pytest.mark.parametrize(("others", "undone"), [(True, True), (False, False)])
async def test_of_hosts_that_fail_beside_others_nothing_stays(others: bool, undone: bool) -> None:
    """Of a lab that does not come up all is removed at once, by its record."""
    (lab, build), record = building(), a_lab()
    if others:
        lab.record.hosts.append(record.hosts[2])
        lab.add_host(record.hosts[2], {}, no_command)
    hosts = Hosts(record, fails="ready")
    with pytest.raises(LabError, match="ready failed"):
        await build.add(hosts, [])
    assert ("undo" in hosts.done) is undone
    if others:
        stored = read(lab.record.lab_id)
        assert stored is not None
        assert [host.name for host in stored.hosts] == [record.hosts[2].name]
    assert list(lab.hosts) == ([record.hosts[2].name] if undone else hosts.names)


async def test_a_host_takes_its_links_and_its_folder_along(monkeypatch: pytest.MonkeyPatch) -> None:
    lab = RunningLab.of(a_lab(), no_command)
    build, cleared, removed = Builder(lab, Netem, no_command, silent), list[str](), list[str]()

    class Links:
        async def clear_links(self, links: Sequence[LinkSpec]) -> None:
            cleared.extend(link.name for link in links)

    async def remove(state: Any, hosts: Sequence[HostRecord], run: Any) -> list[str]:
        removed.extend(host.name for host in hosts)
        return []

    lab.fabric = Links()  # type: ignore[assignment]
    monkeypatch.setattr("lab.emulation.builder.cleanup.remove_hosts", remove)
    going = [link.name for link in lab.links if "PRG" in (link.a, link.b)]
    number = next(host.number for host in lab.record.hosts if host.name == "PRG")
    lab.state.shared(number).mkdir(parents=True)
    await build.remove_hosts(["PRG"])
    assert (cleared, removed) == (going, ["PRG"])
    assert not lab.state.shared(number).exists()
    assert not [link for link in lab.links if link.name in going]
    stored = read(lab.record.lab_id)
    assert stored is not None
    assert "PRG" not in [host.name for host in stored.hosts]


async def test_links_are_built_between_the_first_processes_of_their_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab = RunningLab.of(a_lab(), no_command)
    spec, added = lab.links[0], list[Wiring]()
    lab.links = []

    class Links:
        shaper = Netem("x", Path("/nowhere"))

        async def add_links(self, wirings: Sequence[Wiring]) -> None:
            added.extend(wirings)

    lab.fabric = Links()  # type: ignore[assignment]
    hosts = Hosts(lab.record)
    monkeypatch.setattr(Hosts, "names", property(lambda self: []))
    await Builder(lab, Netem, no_command, silent).add(hosts, [spec])
    assert added == [Wiring(spec, lab.pids[spec.a], lab.pids[spec.b])]
    assert (lab.links, hosts.done) == ([spec], ["ready"])


def test_a_lab_without_links_has_no_shaper() -> None:
    lab = new_lab("mine")
    assert lab.link_states == {}
    with pytest.raises(LabError, match="lab mine has no links"):
        _ = lab.shaper


async def test_of_links_that_fail_beside_others_nothing_stays() -> None:
    """Those that were built half way are taken away as well."""
    lab = RunningLab.of(a_lab(), no_command)
    new, cleared = lab.links.pop(), list[str]()

    class Links:
        shaper = Netem("x", Path("/nowhere"))

        async def add_links(self, wirings: Sequence[Wiring]) -> None:
            raise LabError("no veth")

        async def clear_links(self, links: Sequence[LinkSpec]) -> None:
            cleared.extend(link.name for link in links)

    lab.fabric = Links()  # type: ignore[assignment]
    hosts = Hosts(lab.record)
    hosts.record = Record("none", "none")
    with pytest.raises(LabError, match="no veth"):
        await Builder(lab, Netem, no_command, silent).add(hosts, [new])
    assert (cleared, hosts.done[-1]) == ([new.name], "undo")
    assert new not in lab.links


@pytest.mark.parametrize("opened", [True, False])
async def test_to_remove_no_link_asks_nothing_of_the_kernel(opened: bool) -> None:
    lab = RunningLab.of(a_lab(), no_command)
    before = list(lab.links)

    class Links:
        async def clear_links(self, links: Sequence[LinkSpec]) -> None:
            raise AssertionError(links)

    lab.fabric = Links() if opened else None  # type: ignore[assignment]
    build = Builder(lab, Netem, no_command, silent)
    await build.remove_links([])
    assert lab.links == before
    if not opened:  # such as those of a lab whose first link could not be made
        await build.remove_links(before[:1])
        assert lab.links == before[1:]


async def test_hosts_that_fail_do_not_wait_for_the_namespace_of_the_links() -> None:
    lab, record = new_lab("mine"), a_lab()
    ended = list[str]()

    async def never(argv: Sequence[str], **_: Any) -> Result:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(argv[0])
        raise AssertionError

    hosts, build = Hosts(record, fails="start"), Builder(lab, Netem, never, silent)
    real = hosts.start

    async def start(state: Any, run: Any) -> list[tuple[HostRecord, Mapping[str, str]]]:
        await asyncio.sleep(0.01)
        return await real(state, run)

    hosts.start = start  # type: ignore[method-assign]
    link = RunningLab.of(record, no_command).links[0]
    async with asyncio.timeout(10):
        with pytest.raises(LabError, match="start failed"):
            await build.add(hosts, [link])
        assert ended == ["ip"], "nothing is under way any more"


def test_a_container_of_a_user_s_own_image_keeps_dockers_confinement() -> None:
    record = a_lab()
    record.hosts[0] = replace(record.hosts[0], confined=True)
    lab = RunningLab.of(record, no_command)
    first, second = (lab.hosts[host.name] for host in record.hosts[:2])
    assert isinstance(first, ContainerHost)
    assert isinstance(second, ContainerHost)
    assert (first._inside, second._inside is None) == (None, False)
    assert second._inside is not None
    assert (second._inside.pid, second._inside.started) == (record.hosts[1].pid, record.hosts[1].started)
    assert tuple(second._inside.capabilities) == tuple(HOST_CAPABILITIES)
    assert (second.site, second.container) == (record.hosts[1].site, record.hosts[1].container)


@pytest.mark.parametrize("shaper", ["", "netem"])
def test_the_shaper_of_a_lab_is_the_one_that_it_was_made_with(shaper: str) -> None:
    record = a_lab()
    record.shaper = shaper
    lab = RunningLab.of(record, no_command)
    if not shaper:
        assert lab.fabric is None
        return
    assert isinstance(lab.shaper, Netem)
    assert lab.shaper._store.folder == lab.state.folder / "shaper"
    assert lab.fabric is not None
    assert (lab.fabric.lab_id, lab.fabric.run) == (record.lab_id, no_command)


def test_a_lab_says_which_daemons_its_hosts_have() -> None:
    assert [new_lab(name, *given).record.daemons for name, given in (("a", ()), ("b", ("none",)))] == [
        "docker", "none",
    ]  # fmt: skip


async def test_links_that_cannot_be_had_are_refused_before_anything_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (lab, build), record = building(), a_lab()
    hosts, links = Hosts(record), RunningLab.of(record, no_command).links
    asked = list[Any]()

    def refuse(kind: type, links: Sequence[LinkSpec]) -> None:
        asked.append((kind, list(links)))
        raise LabError("it cannot")

    monkeypatch.setattr(builder, "check_links", refuse)
    with pytest.raises(LabError, match="it cannot"):
        await build.add(hosts, links)
    assert (asked, hosts.done, lab.fabric) == ([(Netem, links)], [], None)
