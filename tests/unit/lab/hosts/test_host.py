"""The words that overlays and hosts share."""

from __future__ import annotations

import pytest

from lab.hosts.host import Secret


def test_a_secret_that_an_input_does_not_have_as_it_is_could_not_be_left_out() -> None:
    with pytest.raises(ValueError, match="the input does not have the swarm join token in it"):
        Secret(b'{"JoinToken": "a\\tb"}', {"swarm join token": "a\tb"})
    with pytest.raises(ValueError, match="the input does not have the swarm join token in it"):
        Secret(b"", {"swarm join token": ""})
