"""What overlays are made of: batches, routes, rules, settings, and reading daemons' own words."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import catalog, plugins
from lab.errors import OverlayError
from overlays.common import docker_api, docker_config, iptables, routes
from overlays.common.batch import Batch
from overlays.flannel import overlay as flannel
from overlays.libnetwork import gossip
from overlays.libnetwork import overlay as libnetwork
from overlays.tinc import overlay as tinc
from overlays.tinc import status as tinc_status
from overlays.weave import mode as weave_mode
from overlays.weave import ovs_datapath
from overlays.weave import router as weaver
from overlays.weave import status as weave_status
from overlays.weave.overlay import RULES
from tests.paths import FIXTURES
from tests.unit.fakes import FakeHost

CHAIN = catalog.topology("linear")


def run(batch: Batch) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-e"], input=batch.script, capture_output=True, text=True, check=False)


class TestBatch:
    def test_words_reach_a_command_as_they_are(self) -> None:
        odd = ["a b", "$HOME", "'q'", "*", "ü\n"]
        assert run(Batch().run(["printf", "<%s>", *odd])).stdout == "".join(f"<{w}>" for w in odd)

    def test_the_first_failure_ends_it(self) -> None:
        done = run(Batch().run(["false"]).run(["echo", "not reached"]))
        assert (done.returncode, done.stdout) == (1, "")

    def test_an_attempt_may_fail(self) -> None:
        assert run(Batch().attempt(["false"]).run(["echo", "reached"])).stdout == "reached\n"

    def test_it_writes_files_and_feeds_commands(self, tmp_path: Path) -> None:
        path = tmp_path / "new folder" / "file"
        done = run(Batch().write(str(path), 'it\'s "so"\n', mode=0o600).feed(["cat"], "fed"))
        assert path.read_text() == 'it\'s "so"\n'
        assert path.stat().st_mode & 0o777 == 0o600
        assert done.stdout == "fed"

    def test_a_wait_ends_when_the_text_is_there(self, tmp_path: Path) -> None:
        path = tmp_path / "said"
        path.write_text("ready now")
        assert run(Batch().wait(["cat", str(path)], 30, "ready").run(["echo", "on"])).stdout == "on\n"

    def test_a_wait_gives_up(self) -> None:
        assert run(Batch().wait(["false"], 0.1).run(["echo", "on"])).stdout == "on\n"

    def test_it_waits_for_what_a_command_provokes(self, tmp_path: Path) -> None:
        log = tmp_path / "log"
        log.write_text("old\n")
        later = f"(sleep 0.2; echo new >> {log}) &"
        done = run(
            Batch().provoke(["sh", "-c", later], ["grep", "-c", "", str(log)], 5).run(["cat", str(log)])
        )
        assert done.stdout == "old\nnew\n"

    def test_unless_runs_only_where_the_check_fails(self) -> None:
        batch = Batch().unless(["true"], Batch().run(["echo", "a"]))
        assert run(batch.unless(["false"], Batch().run(["echo", "b"]))).stdout == "b\n"


class TestRoutes:
    def test_every_subnet_that_is_not_its_own_has_one(self) -> None:
        assert routes.to_subnets("PRG", CHAIN) == [f"192.168.{n}.0/24 via 192.168.2.3" for n in (3, 4, 5)]

    def test_tunnels_leave_from_the_first_address(self) -> None:
        assert "192.168.5.6/32 via 192.168.2.3 src 192.168.1.2" in routes.to_hosts("PRG", CHAIN)
        # to BRA they would else leave from the address on that link, which BRA's tunnel does not know
        assert "192.168.2.3/32 dev eth2 src 192.168.1.2" in routes.to_hosts("PRG", CHAIN)

    def test_only_a_tunnels_own_datagrams_take_them(self) -> None:
        script = routes.add_tunnel(Batch(), "PRG", CHAIN, "libnetwork", 4789).script
        table = routes.mark("libnetwork")
        assert f"src 192.168.1.2 table {table}" in script
        assert f"ipproto udp dport 4789 lookup {table} priority {table}" in script

    def test_overlays_have_routes_of_their_own(self) -> None:
        marks = {routes.mark(name) for name in ("underlay", "libnetwork", "flannel")}
        assert len(marks) == 3

    def test_separate_parts_have_no_routes_to_each_other(self) -> None:
        pairs = catalog.topology("four_pairs") if "four_pairs" in plugins.names("topologies") else None
        if pairs is None:
            pytest.skip("there is no topology of separate parts yet")
        for host in pairs.hosts:
            assert len(routes.to_hosts(host.name, pairs)) == 1


class TestNetfilter:
    SAVED = """*filter
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [0:0]
:DOCKER-USER - [0:0]
:WEAVE-CANARY - [0:0]
:WEAVE-EXPOSE - [0:0]
-A INPUT -d 127.0.0.1/32 -p tcp -m comment --comment "Weave Net control port" -j DROP
-A FORWARD -i weave -o weave -j ACCEPT
-A FORWARD -o weave -j WEAVE-EXPOSE
-A FORWARD -j DOCKER-USER
-A WEAVE-EXPOSE -j RETURN
COMMIT
*nat
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
"""

    def test_only_our_rules_and_chains_go(self) -> None:
        lines = iptables.removal(self.SAVED, RULES).splitlines()
        assert lines[0] == "*filter"
        assert "-D FORWARD -o weave -j WEAVE-EXPOSE" in lines
        assert "-X WEAVE-CANARY" in lines
        assert not [line for line in lines if "DOCKER" in line or "MASQUERADE" in line]
        assert "*nat" not in lines

    def test_chains_are_emptied_after_the_jumps_to_them_are_gone(self) -> None:
        lines = iptables.removal(self.SAVED, RULES).splitlines()
        jump, empty = lines.index("-D FORWARD -o weave -j WEAVE-EXPOSE"), lines.index("-F WEAVE-EXPOSE")
        assert jump < empty < lines.index("-X WEAVE-EXPOSE")
        assert "-D WEAVE-EXPOSE -j RETURN" not in lines

    def test_nothing_of_ours_is_nothing_to_do(self) -> None:
        assert iptables.removal(self.SAVED, re.compile("flannel")) == ""


class TestDockerSettings:
    def test_a_change_and_its_restoration_leave_what_was_there(self) -> None:
        before = json.dumps({"debug": True, "mtu": 1400})
        text, backup = docker_config.changed(before, {"mtu": 1450, "bip": "10.1.1.1/24"})
        assert json.loads(text) == {"debug": True, "mtu": 1450, "bip": "10.1.1.1/24"}
        _, stays = docker_config.restored(text, backup)
        assert json.loads(stays) == json.loads(before)

    def test_where_there_was_no_file_there_is_none_again(self) -> None:
        text, backup = docker_config.changed("", {"mtu": 1450}, {"bip": "172.17.0.1/16"})
        restarting, stays = docker_config.restored(text, backup)
        assert json.loads(restarting) == {"bip": "172.17.0.1/16"}
        assert stays == ""

    def test_what_another_overlay_set_in_between_stays(self) -> None:
        first, backup = docker_config.changed("", {"a": 1})
        both, _ = docker_config.changed(first, {"b": 2})
        assert json.loads(docker_config.restored(both, backup)[1]) == {"b": 2}

    def test_files_are_told_apart_in_one_listing(self) -> None:
        listing = f'{docker_config.SETTINGS}:{{\n{docker_config.SETTINGS}: "a": 1}}\n'
        current, before = docker_config.parse_read(listing, "x")
        assert json.loads(current) == {"a": 1}
        assert before == ""


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


class TestWeaveStatus:
    def report(self, name: str) -> weave_status.Report:
        return weave_status.parse(json.loads((FIXTURES / "weave" / f"report-{name}.json").read_text()))

    def test_the_router_at_the_end_reaches_the_far_one_by_its_neighbour(self) -> None:
        report = self.report("end")
        assert report.multihop() == {weaver.mac(3): weaver.mac(2)}
        assert report.version == "2.8.1"

    def test_the_one_in_the_middle_reaches_both_directly(self) -> None:
        assert self.report("middle").multihop() == {}

    def test_nothing_is_lacking_when_all_neighbours_and_routes_are_there(self) -> None:
        assert self.report("end").lacking(["192.168.1.2"], weaver.macs([1, 2, 3]), "sleeve") == ""

    def test_a_missing_neighbour_and_a_missing_route_are_named(self) -> None:
        words = self.report("end").lacking(["192.168.9.9"], weaver.macs([4]), "sleeve")
        assert "192.168.9.9 not connected" in words
        assert weaver.mac(4) in words

    def test_sleeve_is_not_enough_where_fastdp_was_asked(self) -> None:
        assert "runs in sleeve, not fastdp" in self.report("end").lacking(["192.168.1.2"], [], "fastdp")

    def test_encryption_is_read_from_the_connection(self) -> None:
        assert [c.encrypted for c in self.report("encrypted").connections] == [True]
        assert [c.mtu for c in self.report("encrypted").connections] == [1414]

    def test_what_carries_packets_is_told_for_every_neighbour(self) -> None:
        report = self.report("end")
        assert weave_mode.carrier(report, "192.168.1.2") == "sleeve"
        assert weave_mode.carrier(report, "192.168.9.9") == "not connected"

    def test_what_is_not_of_the_best_kind_is_named(self) -> None:
        assert weave_mode.summary({"AMS→b": "sleeve", "PRG→a": "sleeve"}) == "2 sleeve"
        mixed = weave_mode.summary({"AMS→b": "sleeve", "PRG→a": "fastdp", "PRG→c": "pending"})
        assert mixed == "1 fastdp, AMS→b sleeve, PRG→c pending"
        assert weave_mode.summary({"AMS→b": "failed"}) == "AMS→b failed"

    def test_datapath_counters(self) -> None:
        assert ovs_datapath.parse("hit:1 missed:3106 lost:49\n") == {"hit": 1, "missed": 3106, "lost": 49}
        assert ovs_datapath.parse("") == {}


class TestTinc:
    LOG = (FIXTURES / "tinc" / "nodes.log").read_text()

    def test_far_nodes_are_handed_to_the_neighbour_on_the_way(self) -> None:
        seen = tinc_status.nodes(self.LOG)
        assert seen["AMS2"].nexthop == "BRA"
        assert seen["AMS"].nexthop == "AMS"

    def test_a_settled_mesh_lacks_nothing(self) -> None:
        assert tinc_status.lacking(self.LOG, ["AMS", "BRA"], ["AMS", "BRA", "LJU", "MIL", "AMS2"]) == ""

    def test_a_hop_without_a_known_path_mtu_is_named(self) -> None:
        log = self.LOG.replace("pmtu 1468 (min 1468 max 1468)", "pmtu 1518 (min 0 max 1518)")
        assert "UDP to AMS is not confirmed" in tinc_status.lacking(log, ["AMS"], [])

    def test_only_a_complete_list_counts(self) -> None:
        assert tinc_status.nodes(self.LOG.split("End of nodes")[0]) == {}
        assert tinc_status.lacking("", ["AMS"], ["AMS"]).startswith("AMS is unknown")

    def test_a_key_is_found_in_a_host_file(self) -> None:
        key = "-----BEGIN RSA PUBLIC KEY-----\nabc\n-----END RSA PUBLIC KEY-----\n"
        assert tinc.public_key(f"Cipher = none\n{key}") == key
        with pytest.raises(OverlayError, match="no key"):
            tinc.public_key("")


class TestFlannel:
    ENV = "FLANNEL_SUBNET=10.100.52.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"

    def test_a_lease_drives_docker(self) -> None:
        options = flannel.docker_options(flannel.parse_lease(self.ENV))
        assert options == {"bip": "10.100.52.1/24", "mtu": 1450, "ip-masq": False}

    def test_docker_masquerades_where_flanneld_does_not(self) -> None:
        lease = flannel.parse_lease(self.ENV.replace("true", "false"))
        assert flannel.docker_options(lease)["ip-masq"] is True

    def test_the_backend_is_always_said(self) -> None:
        for backend in flannel.Flannel.modes:
            assert flannel.Flannel(backend=backend).configuration()["Backend"]["Type"] == backend

    def test_the_old_address_of_the_bridge_is_remembered(self) -> None:
        shown = "4: docker0    inet 172.17.0.1/16 brd 172.17.255.255 scope global docker0\\ valid_lft forever"
        assert flannel.bridge_address(shown) == {"bip": "172.17.0.1/16"}
        assert flannel.bridge_address("") == {}


class TestLibnetwork:
    def test_nodes_are_found_at_any_depth_of_the_store(self) -> None:
        leaf = [{"key": "/a", "value": "192.168.1.1:2376"}, {"key": "/b", "value": "192.168.1.2:2376"}]
        assert libnetwork.nodes({"nodes": [{"nodes": leaf}]}) == {"192.168.1.1:2376", "192.168.1.2:2376"}
        assert libnetwork.nodes({}) == set()

    def test_networks_have_no_way_out_and_can_be_attached_to(self) -> None:
        wanted = libnetwork.network("lab", "10.50.0.0/16", 1500, swarm=True, encrypted=True)
        assert wanted["Internal"]
        assert wanted["Attachable"]
        assert "encrypted" in wanted["Options"]
        plain = libnetwork.network("lab", "10.50.0.0/16", 1500, swarm=False, encrypted=False)
        assert plain["Internal"]
        assert not plain["Attachable"]
        assert "encrypted" not in plain["Options"]

    def test_daemons_meet_where_the_farthest_of_them_is_nearest(self) -> None:
        """On the chain AMS–PRG–BRA–LJU–MIL–AMS2 that is LJU: 93.2 ms to AMS2, 68.03 to AMS."""
        chain = catalog.topology("linear")
        hosts: Any = [FakeHost(h.name) for h in chain.hosts]
        assert libnetwork.centre(hosts, chain).name == "LJU"
        assert libnetwork.centre(hosts[:3], chain).name == "PRG"


def test_daemons_known_by_gossip_as_docker_20_10_tells_them() -> None:
    said = (
        '{"message":"OK","details":{"size":2,"entries":'
        '[{"-=name":"9c7a487476e5","ip":"192.168.2.3"},{"-=name":"43433fcf1ccd","ip":"192.168.3.4"}]}}'
    )
    assert gossip.parse_peers(said) == {"192.168.2.3", "192.168.3.4"}
    assert gossip.parse_peers('{"message":"OK","details":{"size":0,"entries":null}}') == set()
    assert gossip.parse_peers("OK\n") == set()


class TestDockerApi:
    """Answers as ``curl -w`` prints them."""

    @staticmethod
    async def ask(status: int, printed: str) -> docker_api.ApiResponse:
        return await docker_api.call(FakeHost("AMS", lambda argv: (status, printed)), "GET", "x")  # type: ignore[arg-type]

    async def test_an_answer_is_its_status_and_its_text(self) -> None:
        said = await self.ask(0, '{"Driver":"overlay"}\n200')
        assert (said.ok, said.json) == (True, {"Driver": "overlay"})

    async def test_docker_s_own_words_are_kept_of_an_error(self) -> None:
        said = await self.ask(0, '{"message":"network lab not found"}\n404')
        assert (said.ok, said.words) == (False, "network lab not found")

    @staticmethod
    async def ask_twice(status: int, printed: str) -> docker_api.ApiResponse:
        host: Any = FakeHost("AMS", lambda argv: (status, printed))
        return await docker_api.calls(host, [("POST", "x", {}), ("GET", "x", None)])

    async def test_of_several_requests_the_last_answer_counts(self) -> None:
        said = await self.ask_twice(0, '{"Id":"1"}\n\n201\n{"Name":"x"}\n\n200\n')
        assert (said.status, said.json) == (200, {"Name": "x"})
        said = await self.ask_twice(0, '{"Id":"1"}\n\n201\n\n204\n')
        assert (said.ok, said.status, said.text) == (True, 204, "")

    async def test_the_first_of_several_requests_that_fails_tells_why(self) -> None:
        said = await self.ask_twice(22, '{"Id":"1"}\n\n201\n{"message":"no such network"}\n\n404')
        assert (said.ok, said.words) == (False, "no such network")
        assert not (await self.ask_twice(7, "")).ok

    async def test_no_answer_is_an_error_too(self) -> None:
        said = await self.ask(7, "\n000")
        assert (said.ok, said.status, said.words) == (False, 0, "Docker gave no answer")
