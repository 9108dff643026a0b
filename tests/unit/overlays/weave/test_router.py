"""Weave's router: its command, and its copy for a kernel without dummy links."""

from __future__ import annotations

import pytest

from lab.errors import OverlayError
from overlays.common.bridge import BridgePort
from overlays.weave import router as weaver


class TestWeaver:
    PROGRAM = b"\0plain%s* %scausedummy/auth\0creating dummy interface deleting dummy interface\0"

    def test_only_the_kind_of_link_changes(self) -> None:
        changed = weaver.without_dummy(self.PROGRAM)
        assert len(changed) == len(self.PROGRAM)
        assert b"causeifb\0\0/auth" in changed
        assert changed.count(b"dummy interface") == 2

    def test_names_of_functions_in_a_program_that_was_not_stripped_are_no_kinds_of_link(self) -> None:
        symbols = b"reflect.callGC\0reflect.dummy\0frame_dummy\0__frame_dummy_init_array_entry\0"
        assert weaver.without_dummy(self.PROGRAM + symbols) == weaver.without_dummy(self.PROGRAM) + symbols

    @pytest.mark.parametrize("program", [b"no such word", b"dummy/a dummy/b"])
    def test_a_program_that_it_does_not_know_is_refused(self, program: bytes) -> None:
        with pytest.raises(OverlayError, match="dummy"):
            weaver.without_dummy(program)

    def test_names_differ_for_every_host(self) -> None:
        assert len({weaver.mac(n) for n in range(1, 1000)}) == 999
        assert weaver.mac(1) == "02:00:00:00:00:01"

    def test_the_router_is_told_its_neighbours_only_and_no_secret(self) -> None:
        router = weaver.Router(
            "02:00:00:00:00:01", "AMS", ("192.168.1.2",), ("a", "b"), False, 1376, "10.32.0.0/12"
        )
        argv = router.argv()
        assert argv[-1] == "192.168.1.2"
        assert "--no-discovery" in argv
        assert "--no-fastdp" in argv
        assert not [word for word in argv if "password" in word]


@pytest.mark.parametrize(("fastdp", "more"), [(True, []), (False, [["ethtool", "-K", "eth0", "tx", "off"]])])
def test_an_endpoint_without_the_plugin_gets_its_address_and_its_route_for_multicast(
    fastdp: bool, more: list[list[str]]
) -> None:
    got = weaver.port("lab-1", "eth0", 1376, fastdp=fastdp)
    ask = ["curl", "-sSf", "--max-time", "20", "http://127.0.0.1:6784/ip/lab-1", "-X"]
    multicast = ["ip", "route", "add", "224.0.0.0/4", "dev", "eth0"]
    assert got == BridgePort("weave", 1376, [*ask, "POST"], [*ask, "DELETE"], [multicast, *more])


def test_the_command_of_a_router_is_whole() -> None:
    router = weaver.Router("02:00:00:00:01:02", "AMS", ("p1", "p2"), ("a", "b"), True, 0, "10.32.0.0/12", "")
    assert router.argv() == [
        *(weaver.ON_HOST, "--name", "02:00:00:00:01:02", "--nickname", "AMS", "--port", "6783"),
        *("--weave-bridge", "weave", "--datapath", "datapath", "--no-discovery", "--conn-limit", "200"),
        *("--no-dns", "--ipalloc-range", "10.32.0.0/12", "--ipalloc-init", "seed=a,b"),
        *("--db-prefix", f"{weaver.DATA}/weave", "--http-addr", weaver.HTTP, "--status-addr", ""),
        *("--docker-api", "", "p1", "p2"),
    ]
    plugin = weaver.Router("x", "AMS", (), ("a",), False, 1376, "10.32.0.0/12").argv()
    assert plugin[-3:] == ["--docker-api", "unix:///var/run/docker.sock", "--plugin"]
    assert plugin[plugin.index("--mtu") + 1] == "1376"
    assert weaver.mac(258) == "02:00:00:00:01:02"


def test_a_network_is_made_as_the_plugin_makes_its_own_but_internal() -> None:
    assert weaver.network_argv("lab") == [
        *("docker", "network", "create", "--internal", "--driver=weavemesh", "--ipam-driver=weavemesh"),
        *("--opt=works.weave.multicast=true", "lab"),
    ]
