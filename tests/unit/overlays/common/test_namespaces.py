"""Endpoints on hosts without a Docker daemon."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.errors import OverlayError
from overlays.common import endpoints, namespaces
from overlays.common.namespaces import BridgePort
from tests.unit.fakes import FakeHost

PORT = BridgePort("br-x", 1376, ["next", "10.60.1.1/16"], ["give", "back"], [["ip", "route", "add", "x"]])
SCRIPT = "/run/lab/endpoints/x-endpoint-AMS/endpoint"


def light(*said: tuple[int, str]) -> FakeHost:
    """A host without Docker that answers so, one command after the other."""
    answers = list(said)
    return FakeHost("AMS", lambda argv: answers.pop(0) if answers else (0, ""), docker=(), silent=True)


async def test_an_endpoint_is_made_in_one_entry_of_its_host() -> None:
    host = light((0, "10.60.1.2/16\n"))

    endpoint = await endpoints.attach("x", host, "lab/gtsperf", "endpoint", "lab-x", port=PORT)

    assert (endpoint.container, endpoint.address) == ("x-endpoint-AMS", "10.60.1.2")
    assert (endpoint.overlay, endpoint.interface, endpoint.script) == ("x", "eth0", SCRIPT)
    assert len(host.ran) == 1
    assert f"{SCRIPT} make AMS /var/lib/lab-seed/gtsperf br-x veth" in host.fed[0]
    assert "1376 eth0 'next 10.60.1.1/16\n' 'ip route add x\n' 'give back\n' x\n" in host.fed[0]


async def test_one_with_an_address_and_no_bridge_has_its_host_s_network() -> None:
    host = light((0, "\n"))

    endpoint = await endpoints.attach("x", host, "lab/gtsperf", "endpoint", "host", address="192.168.1.1")

    assert endpoint.address == "192.168.1.1"
    assert "make AMS /var/lib/lab-seed/gtsperf '' '' 0 eth0 " in host.fed[0]


async def test_its_commands_and_its_end_go_through_its_script() -> None:
    host = light((0, "10.60.1.2/16\n"))
    endpoint = await endpoints.attach("x", host, "lab/gtsperf", "endpoint", "lab-x", port=PORT)

    await endpoint.run(["ip", "addr"])
    await endpoint.start(["iperf3", "-s"])
    await endpoints.detach(endpoint)

    assert host.ran[1:] == [
        (SCRIPT, "run", "ip", "addr"),
        (SCRIPT, "start", "iperf3", "-s"),
        (SCRIPT, "remove"),
    ]


async def test_another_image_is_refused_with_what_to_do() -> None:
    with pytest.raises(OverlayError, match="of image lab/gtsperf, not debian; leave the image out"):
        await endpoints.attach("x", light(), "debian", "endpoint", "lab-x", port=PORT)


@pytest.mark.parametrize(
    ("answer", "said"), [((1, "no such bridge"), "no such bridge"), ((0, ""), "no addr")]
)
async def test_one_that_does_not_start_is_told(answer: tuple[int, str], said: str) -> None:
    with pytest.raises(OverlayError, match=f"x: endpoint 'x-endpoint-AMS' did not start on AMS: .*{said}"):
        await endpoints.attach("x", light(answer), "lab/gtsperf", "endpoint", "lab-x", port=PORT)


async def test_endpoints_of_others_are_no_hindrance_where_there_is_no_docker() -> None:
    host = light()
    await endpoints.refuse_beside_others("x", host, "restarting Docker")
    assert not host.ran


def folder(path: Path, process: str) -> Path:
    """An endpoint's folder as `make` leaves it, of a process that is as given; returns the script."""
    script = path / "endpoints" / "x-endpoint-AMS" / "endpoint"
    (path / "endpoints" / ".leases").mkdir(parents=True)
    script.parent.mkdir()
    script.write_text(namespaces.SCRIPT)
    script.chmod(0o755)
    for name, text in {"process": process, "address": "10.60.1.2/16", "port": "", "overlay": "x"}.items():
        script.with_name(name).write_text(f"{text}\n")
    (path / "endpoints" / ".leases" / "10.60.1.2").write_text("x-endpoint-AMS\n")
    script.with_name("release").write_text(f"echo back > {path}/released\n")
    return script


def test_a_later_process_with_its_number_is_not_taken_for_it(tmp_path: Path) -> None:
    script = folder(tmp_path, "1 1")
    done = subprocess.run([script, "run", "true"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (125, "endpoint x-endpoint-AMS has ended\n")


def test_of_one_that_is_removed_nothing_stays_and_its_address_is_given_back(tmp_path: Path) -> None:
    script = folder(tmp_path, "1 1")
    subprocess.run([script, "remove"], check=True)
    assert (tmp_path / "released").read_text() == "back\n"
    assert [path.name for path in tmp_path.iterdir()] == ["released"]


def test_a_word_that_is_none_is_refused(tmp_path: Path) -> None:
    done = subprocess.run([folder(tmp_path, "1 1"), "first"], capture_output=True, check=False)
    assert done.returncode == 2
