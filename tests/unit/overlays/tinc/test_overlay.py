"""tinc: what its daemons' files have in them."""

from __future__ import annotations

import pytest

from lab.errors import OverlayError
from overlays.tinc import overlay as tinc


def test_a_key_is_found_in_a_host_file() -> None:
    key = "-----BEGIN RSA PUBLIC KEY-----\nabc\n-----END RSA PUBLIC KEY-----\n"
    assert tinc.public_key(f"Cipher = none\n{key}") == key
    with pytest.raises(OverlayError, match="no key"):
        tinc.public_key("")
