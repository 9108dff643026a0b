"""The words that overlays and hosts share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from lab.hosts.host import Endpoint, Result, Secret


def test_a_secret_that_an_input_does_not_have_as_it_is_could_not_be_left_out() -> None:
    with pytest.raises(ValueError, match="the input does not have the swarm join token in it"):
        Secret(b'{"JoinToken": "a\\tb"}', {"swarm join token": "a\tb"})
    with pytest.raises(ValueError, match="the input does not have the swarm join token in it"):
        Secret(b"", {"swarm join token": ""})


class Asked:
    """A host that writes down what it is to run, and how."""

    name = "AMS"

    def __init__(self) -> None:
        self.ran = list[tuple[list[str], dict[str, Any]]]()

    async def run(self, argv: Sequence[str], **options: Any) -> Result:
        self.ran.append((list(argv), options))
        return Result(tuple(argv), 0, "", "", 0.0)


@pytest.mark.parametrize(
    ("script", "argvs"),
    [
        ("", [["docker", "exec", "e1", "ping", "x"], ["docker", "exec", "-d", "e1", "iperf3", "-s"]]),
        ("/run/e1", [["/run/e1", "run", "ping", "x"], ["/run/e1", "start", "iperf3", "-s"]]),
    ],
)
async def test_commands_get_into_an_endpoint_by_docker_or_by_its_script(
    script: str, argvs: list[list[str]]
) -> None:
    there: Any = Asked()
    endpoint = Endpoint(there, "e1", "10.0.0.1", neighbours={"PRG": "10.0.1.1"}, script=script)
    await endpoint.run(["ping", "x"], timeout=3)
    await endpoint.start(["iperf3", "-s"])
    assert [argv for argv, _ in there.ran] == argvs
    assert there.ran[0][1] == {"timeout": 3}
    assert (endpoint.name, endpoint.interface) == ("AMS/e1", "eth0")
    assert [endpoint.address_for(name) for name in ("PRG", "BRA")] == ["10.0.1.1", "10.0.0.1"]


def test_output_that_is_no_text_is_read_all_the_same() -> None:
    result = Result.of(["x"], 0, b"a\xff", b"\xfeb", 0.0)
    assert (result.argv, result.stdout, result.stderr) == (("x",), "a\ufffd", "\ufffdb")


async def test_an_input_and_an_environment_get_into_an_endpoint_and_no_value_is_in_the_command() -> None:
    there: Any = Asked()
    given: dict[str, Any] = {"stdin": b"", "env": {"A": "secret", "B": "other"}}
    await Endpoint(there, "e1", "10.0.0.1").run(["cat"], **given)
    assert there.ran == [(["docker", "exec", "-i", "-e", "A", "-e", "B", "e1", "cat"], given)]
