"""Certificates, and the refusal of a plain scheduler on a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import FileError, LabError, RunError, UsageError
from lab.spread.security import check, load, make_certificates


def test_certificates_are_made_once_and_others_cannot_read_the_key(tmp_path: Path) -> None:
    certificate, key = make_certificates(tmp_path / "c")
    assert key.stat().st_mode & 0o777 == 0o600
    assert "BEGIN CERTIFICATE" in certificate.read_text()
    with pytest.raises(FileError, match="has certificates already"):
        make_certificates(tmp_path / "c")

    settings = load(tmp_path / "c")
    assert settings.require_encryption
    assert check("tls://192.0.2.1:8786", tmp_path / "c", insecure=False) is not None


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    _, key = make_certificates(tmp_path / "c")
    key.chmod(0o640)
    with pytest.raises(RunError, match="others can read"):
        load(tmp_path / "c")
    key.unlink()
    with pytest.raises(RunError, match="is not there"):
        load(tmp_path / "c")


@pytest.mark.parametrize("address", ["tcp://192.0.2.1:8786", "tcp://machine.example:8786", "tcp://0.0.0.0:1"])
def test_a_plain_scheduler_on_a_network_is_refused_without_a_word(address: str) -> None:
    with pytest.raises(RunError, match="plain scheduler on a network"):
        check(address, None, insecure=False)
    assert check(address, None, insecure=True) is None


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786"])
def test_a_scheduler_of_this_machine_alone_may_be_plain(address: str) -> None:
    assert check(address, None, insecure=False) is None


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("192.0.2.1:8786", "no address of a scheduler"),
        ("http://192.0.2.1:8786", "no address of a scheduler"),
        ("tcp://192.0.2.1", "no address of a scheduler"),
        ("tcp://192.0.2.1:99999", "no address of a scheduler"),
        ("tls://192.0.2.1:8786", "needs --certificates"),
    ],
)
def test_what_is_no_address_is_a_usage_error(address: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        check(address, None, insecure=False)


def test_certificates_do_not_go_with_a_plain_scheduler(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="is plain, and certificates are for tls"):
        check("tcp://127.0.0.1:1", tmp_path, insecure=False)
