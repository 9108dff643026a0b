"""An inventory: what it may say, what is wrong with it all at once, and how machines are reached by it."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import networkx as nx
import pytest
import yaml

from lab import catalog
from lab.errors import FileError, InventoryError
from lab.hosts.ssh_connection import SshSettings
from lab.testbed import inventory
from lab.testbed.inventory import TO_FILL_IN, Inventory, check, read, template
from lab.topology import Topology
from tests.paths import ROOT

CHAIN = catalog.topology("linear:sites=AMS+PRG+BRA")
DOCS = ROOT / "docs" / "reference"
WHOLE = """\
topology: linear:sites=AMS+PRG+BRA
ssh: {user: lab, key: keys/lab, known_hosts: known, jump: me@gate.example:2222}
hosts:
  AMS: {address: 192.0.2.1, ports: {eth1: ens4}}
  PRG: {address: 192.0.2.2, port: 2200, user: root, ports: {eth1: "52:54:00:12:34:56", eth2: auto}}
  BRA: {address: bra.example, ports: {eth1: auto}}
"""


def written(path: Path, text: str) -> Path:
    (path / "inventory.yaml").write_text(text)
    return path / "inventory.yaml"


def test_a_whole_inventory_is_read(tmp_path: Path) -> None:
    found = read(written(tmp_path, WHOLE))
    check(found, CHAIN, "inventory.yaml")
    way = found.ssh_settings("PRG", tmp_path)
    assert (way.address, way.port, way.user) == ("192.0.2.2", 2200, "root")
    assert way.keys == (str(tmp_path / "keys/lab"),)
    assert way.known_hosts == tmp_path / "known"
    assert not way.accept_new
    assert way.jump is not None
    jump = SshSettings(
        "jump host me@gate.example:2222", "gate.example", 2222, "me", way.keys, None, way.known_hosts
    )
    assert way.jump == jump
    assert found.ssh_settings("AMS", tmp_path).user == "lab"


def test_what_is_left_out_is_left_to_the_users_own_settings(tmp_path: Path) -> None:
    text = "topology: point_to_point\nhosts: {A: {address: a}}\n"
    way = read(written(tmp_path, text)).ssh_settings("A", tmp_path)
    assert (way.port, way.user, way.keys, way.known_hosts, way.config, way.jump) == (
        None,
        None,
        (),
        None,
        None,
        None,
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "AMS: {",
            "AMT: {",
            "host AMS of topology linear is missing; AMT is no host of topology linear; did you mean AMS?",
        ),
        ("192.0.2.1", "ADDRESS", "AMS has no address yet"),
        ("{eth1: ens4}", "{eth1: ens4, eth7: auto}", "AMS has no port eth7 in topology linear; it has eth1"),
        ("{eth1: ens4}", "{}", "AMS: port eth1 names no interface; give its name, its MAC address, or auto"),
        ("eth2: auto", 'eth2: "52:54:00:12:34:56"', "PRG: two ports are both 52:54:00:12:34:56"),
        ("me@gate.example:2222", "a b", "ssh: jump 'a b' is not [user@]address[:port]"),
    ],
)
def test_what_does_not_fit_the_topology_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    with pytest.raises(InventoryError) as caught:
        check(read(written(tmp_path, WHOLE.replace(old, new))), CHAIN, "inventory.yaml")
    assert str(caught.value) == f"inventory.yaml: {sentence}"


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("port: 2200", "port: 99999", "hosts.PRG.port: input should be less than or equal to 65535"),
        ("user: root", "password: secret", "hosts.PRG.password: extra inputs are not permitted"),
        ("topology: linear:sites=AMS+PRG+BRA\n", "", "topology: field required"),
        ("user: root", "user: [", "inventory.yaml: 5:"),
    ],
)
def test_what_is_no_inventory_is_named(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    path = written(tmp_path, WHOLE.replace(old, new, 1))
    with pytest.raises(InventoryError) as caught:
        read(path)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_inventory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="'lab testbed inventory TOPOLOGY' writes one"):
        read(tmp_path / "none.yaml")


def test_a_template_lacks_nothing_but_addresses(tmp_path: Path) -> None:
    text = template(CHAIN, "linear:sites=AMS+PRG+BRA")
    assert "eth2: auto   # PRG-BRA: 192.168.2.2/24, to BRA" in text
    with pytest.raises(InventoryError) as caught:
        check(read(written(tmp_path, text)), CHAIN, "it")
    assert str(caught.value) == "it: AMS has no address yet; PRG has no address yet; BRA has no address yet"


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    found = read(written(tmp_path, WHOLE))
    assert read(written(tmp_path, inventory.write(found))) == found


def test_the_schema_in_the_documentation_is_the_models() -> None:
    assert (DOCS / "inventory.schema.json").read_text() == inventory.schema()


def test_the_schema_takes_what_is_valid_and_nothing_else() -> None:
    schema = json.loads(inventory.schema())
    jsonschema.validate(yaml.safe_load(WHOLE), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"topology": "linear", "hosts": {"A": {"address": "a", "password": "x"}}}, schema)


def test_no_field_holds_a_secret() -> None:
    words = json.dumps(Inventory.model_json_schema()).lower()
    assert 'password":' not in words
    assert "passphrase" not in words


@pytest.mark.parametrize(
    ("jump", "address", "port", "user"),
    [
        ("gate.example", "gate.example", None, "lab"),
        ("[2001:db8::1]:22", "2001:db8::1", 22, "lab"),
        ("eva@192.0.2.9", "192.0.2.9", None, "eva"),
    ],
)
def test_a_jump_host_has_the_login_of_the_others_unless_it_names_one(
    tmp_path: Path, jump: str, address: str, port: int | None, user: str
) -> None:
    text = f"topology: point_to_point\nssh: {{user: lab, jump: '{jump}'}}\nhosts: {{A: {{address: a}}}}\n"
    way = read(written(tmp_path, text)).ssh_settings("A", tmp_path, accept_new=True).jump
    assert way is not None
    assert (way.address, way.port, way.user, way.accept_new) == (address, port, user, True)


def test_hosts_that_are_missing_unknown_or_without_an_address_are_named(tmp_path: Path) -> None:
    text = WHOLE.replace("AMS:", "AMX:").replace(
        "BRA: {address: bra.example", f"BRA: {{address: {TO_FILL_IN}"
    )
    far = text.replace("hosts:\n", "hosts:\n  Q: {address: 192.0.2.9}\n")
    with pytest.raises(InventoryError) as caught:
        check(read(written(tmp_path, far)), CHAIN, "inventory.yaml")
    assert str(caught.value) == (
        "inventory.yaml: host AMS of topology linear is missing; Q is no host of topology linear; "
        "AMX is no host of topology linear; did you mean AMS?; BRA has no address yet"
    )


def test_what_a_machine_does_not_say_is_that_of_all(tmp_path: Path) -> None:
    text = """\
topology: point_to_point
ssh: {user: lab, port: 2222, key: k, config: c, known_hosts: /etc/known, jump: gate}
hosts:
  A: {address: a}
  B: {address: b, user: eva, port: 22, key: /b, jump: other}
"""
    found = read(written(tmp_path, text))
    a, b = (found.ssh_settings(name, tmp_path) for name in "AB")
    assert (a.name, a.address, a.port, a.user, a.keys) == ("A", "a", 2222, "lab", (f"{tmp_path}/k",))
    assert (a.config, a.known_hosts) == (tmp_path / "c", Path("/etc/known"))
    assert (b.port, b.user, b.keys) == (22, "eva", ("/b",))
    assert [way.jump and way.jump.address for way in (a, b)] == ["gate", "other"]
    assert a.jump is not None
    assert (a.jump.name, a.jump.port, a.jump.user) == ("jump host gate", None, "lab")


@pytest.mark.parametrize(("port", "good"), [(1, True), (65535, True), (0, False), (65536, False)])
def test_a_port_of_ssh_is_one_of_tcp(tmp_path: Path, port: int, good: bool) -> None:
    path = written(tmp_path, WHOLE.replace("2200", str(port)))
    if good:
        assert read(path).hosts["PRG"].port == port
        return
    with pytest.raises(InventoryError, match=r"inventory.yaml: line 5:\d+: hosts.PRG.port: input should be"):
        read(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("topology:", "colour: red\ntopology:"),
        ("{user: lab", "{colour: red, user: lab"),
        ("AMS: {", "AMS: {x: 1, "),
    ],
)
def test_what_nobody_asked_for_is_refused(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(InventoryError, match="extra inputs are not permitted"):
        read(written(tmp_path, WHOLE.replace(old, new, 1)))


@pytest.mark.parametrize("text", ["", "[1]\n"])
def test_what_is_no_mapping_is_no_inventory(tmp_path: Path, text: str) -> None:
    with pytest.raises(InventoryError, match=r"inventory.yaml: (line 1: it|.*)"):
        read(written(tmp_path, text))


@pytest.mark.parametrize(
    ("jump", "good"),
    [
        *((one, True) for one in ("gate", "me@gate", "gate:22", "me@[::1]:22", "[::1]")),
        *((one, False) for one in ("me@", "gate:", "gate:x", "a:b:1", "me@a b", "@gate")),
    ],
)
def test_ways_by_another_machine(tmp_path: Path, jump: str, good: bool) -> None:
    found = read(written(tmp_path, WHOLE.replace("me@gate.example:2222", f"'{jump}'")))
    faults = list(inventory._faults(found, CHAIN))
    assert faults == ([] if good else [f"ssh: jump {jump!r} is not [user@]address[:port]"])


def test_a_template_says_all_that_is_to_be_filled_in() -> None:
    assert (
        template(catalog.topology("point_to_point"), "point_to_point")
        == """\
# Which machine is which host of point_to_point: fill in the addresses.
# docs/reference/inventory.md describes every field.
topology: point_to_point
ssh:
  user: root        # or a user with sudo without a password
  # key: ~/.ssh/id_ed25519      without one: the agent and the usual files
  # jump: me@gateway.example:22
hosts:
  AMS:
    address: ADDRESS   # of the machine at AMS, for SSH; not of a port below
    ports:   # an interface's name, its MAC address, or auto
      eth1: auto   # AMS-BRA: 192.168.1.1/24, to BRA
  BRA:
    address: ADDRESS   # of the machine at BRA, for SSH; not of a port below
    ports:   # an interface's name, its MAC address, or auto
      eth1: auto   # AMS-BRA: 192.168.1.2/24, to AMS
"""
    )
    graph = nx.Graph()
    graph.add_node("alone")
    assert template(Topology(graph, name="one"), "one").splitlines()[7:] == [
        "hosts:", "  alone:", "    address: ADDRESS   # of the machine, for SSH; not of a port below",
    ]  # fmt: skip


def test_only_what_was_given_is_written(tmp_path: Path) -> None:
    text = "topology: point_to_point\nhosts: {A: {address: a, ports: {eth1: auto}}}\n"
    assert yaml.safe_load(inventory.write(read(written(tmp_path, text)))) == yaml.safe_load(text)


def test_a_machine_by_name_and_by_hardware_address_twice(tmp_path: Path) -> None:
    text = WHOLE.replace('eth1: "52:54:00:12:34:56", eth2: auto', "eth1: ENS4, eth2: ens4")
    assert list(inventory._faults(read(written(tmp_path, text)), CHAIN)) == ["PRG: two ports are both ens4"]
