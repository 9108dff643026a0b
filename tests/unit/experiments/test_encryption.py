"""Encryption: each kind beside its own overlay."""

from __future__ import annotations

from experiments import encryption


def test_every_overlay_that_encrypts_stands_beside_itself_in_the_clear() -> None:
    for clear, encrypted in encryption.PAIRS:
        assert clear.split(":")[0] == encrypted.split(":")[0]
        assert encrypted.endswith(("encryption=on", "wireguard"))
