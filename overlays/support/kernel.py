"""Asking a host's kernel what it can do, by doing it for a moment."""

from __future__ import annotations

from lab.hosts.base import Runner

#: Addresses for documentation (RFC 5737): no packet ever matches the state that is tried.
_STATE = ["src", "192.0.2.1", "dst", "192.0.2.2", "proto", "esp", "spi", "0x4c4142"]
_KEY = "0x" + "00" * 20


async def has_esp(host: Runner) -> bool:
    """Whether the kernel does IPsec's ESP with AES-GCM, which encrypted overlays use."""
    aead = ["mode", "transport", "aead", "rfc4106(gcm(aes))", _KEY, "64"]
    made = await host.run(["ip", "xfrm", "state", "add", *_STATE, *aead], check=False)
    if made.status == 0:
        await host.run(["ip", "xfrm", "state", "delete", *_STATE], check=False)
    return made.status == 0
