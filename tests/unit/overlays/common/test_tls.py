"""Certificates for the store of an overlay: made anew, and checked as a store and its clients check them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from overlays.common import tls
from overlays.common.batch import Batch


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    for name, data in tls.make("192.0.2.1").items():
        (folder / name).write_bytes(data)
    return folder


def openssl(*words: str, folder: Path) -> str:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="there is no openssl to check with")


@needs_openssl
@pytest.mark.parametrize(
    ("certificate", "purpose", "good"),
    [
        ("server.pem", "sslserver", True),
        ("server.pem", "sslclient", True),  # the store asks itself
        ("client.pem", "sslclient", True),
        ("client.pem", "sslserver", False),
    ],
)
def test_a_certificate_is_good_for_what_it_is_made_for(
    made: Path, certificate: str, purpose: str, good: bool
) -> None:
    said = openssl("verify", "-CAfile", "ca.pem", "-purpose", purpose, certificate, folder=made)
    assert said.endswith(": OK\n") is good


@needs_openssl
def test_the_store_is_at_its_address_and_on_loopback_and_nowhere_else(made: Path) -> None:
    def at(address: str) -> bool:
        words = ("verify", "-CAfile", "ca.pem", "-verify_ip", address, "server.pem")
        return openssl(*words, folder=made).endswith(": OK\n")

    assert [at(address) for address in ("192.0.2.1", "127.0.0.1", "192.0.2.2")] == [True, True, False]


@needs_openssl
def test_only_the_authority_may_sign_and_clocks_may_differ(made: Path) -> None:
    for name, may in (("ca.pem", True), ("server.pem", False), ("client.pem", False)):
        text = openssl("x509", "-in", name, "-noout", "-text", folder=made)
        assert (("CA:TRUE" in text), ("critical" in text)) == (may, True)
        assert "prime256v1" in text
        two_years = str(2 * 365 * 86400)
        assert "not expire" in openssl("x509", "-in", name, "-noout", "-checkend", two_years, folder=made)


@needs_openssl
@pytest.mark.parametrize("name", ["server", "client"])
def test_a_key_belongs_to_its_certificate(made: Path, name: str) -> None:
    of_key = openssl("pkey", "-in", tls.key_of(f"{name}.pem"), "-pubout", folder=made)
    assert of_key == openssl("x509", "-in", f"{name}.pem", "-noout", "-pubkey", folder=made)
    assert "BEGIN EC PRIVATE KEY" in (made / f"{name}-key.pem").read_text()


def test_no_two_overlays_get_the_same_keys_and_the_authoritys_is_not_kept() -> None:
    one, other = tls.make("192.0.2.1"), tls.make("192.0.2.1")
    assert set(one) == {*tls.CLIENTS, *tls.SERVERS}
    assert all(one[name] != other[name] for name in one)


def test_files_are_roots_alone_and_keys_stand_in_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "tls-x"
    monkeypatch.setattr(tls, "folder", lambda overlay: str(place))
    batch = tls.write(Batch(), "x", {"ca.pem": b"public", "client-key.pem": b"secret"})
    subprocess.run(["sh", "-e"], input=batch.script, text=True, check=True)
    assert place.stat().st_mode & 0o777 == 0o700
    assert {file.name: (file.read_text(), file.stat().st_mode & 0o777) for file in place.iterdir()} == {
        "ca.pem": ("public", 0o600),
        "client-key.pem": ("secret", 0o600),
    }
    assert batch._secrets == {"key of x's client-key.pem": "secret"}


def test_the_folder_of_an_overlay_is_its_own() -> None:
    assert tls.folder("flannel") == "/var/lib/lab/tls-flannel"
