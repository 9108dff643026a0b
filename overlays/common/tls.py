"""Keys and certificates for one installation of an overlay's store, which answers only their owners.

They are made on this machine, with a certificate authority whose key is forgotten at once. On hosts they lie
in a folder that only root can read, and they go with the overlay.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

from overlays.common.batch import Batch

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate

AUTHORITY, CLIENT, SERVER = "ca.pem", "client.pem", "server.pem"
#: Files of who asks, and those that the store has beside them.
CLIENTS = (AUTHORITY, CLIENT, "client-key.pem")
SERVERS = (SERVER, "server-key.pem")
#: Clocks of machines differ; a lab may be up for months.
EARLIER, LATER = timedelta(days=2), timedelta(days=3650)


def folder(overlay: str) -> str:
    """Return the folder on a host with the files of an overlay."""
    return f"/var/lib/lab/tls-{overlay}"


def key_of(certificate: str) -> str:
    """Return the name of the file with a certificate's key."""
    return certificate.replace(".pem", "-key.pem")


def write(batch: Batch, overlay: str, files: Mapping[str, bytes]) -> Batch:
    """Write files, each readable by root alone; keys are in no log."""
    place = folder(overlay)
    batch.run(["mkdir", "-p", "-m", "700", place])
    for name, data in files.items():
        secret = f"key of {overlay}'s {name}" if name.endswith("-key.pem") else ""
        batch.write(f"{place}/{name}", data.decode(), 0o600, secret=secret)
    return batch


def make(address: str) -> dict[str, bytes]:
    """Make an authority, and certificates by it for a server at an address and for its clients; by file."""
    authority = _key()
    issuer = _sign("lab authority", authority, None, authority)
    server, client = _key(), _key()
    named = _sign("lab store", server, issuer, authority, (address, "127.0.0.1"))
    return {
        AUTHORITY: _pem(issuer),
        SERVER: _pem(named),
        key_of(SERVER): _private(server),
        CLIENT: _pem(_sign("lab client", client, issuer, authority)),
        key_of(CLIENT): _private(client),
    }


def _key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _sign(
    name: str,
    key: EllipticCurvePrivateKey,
    issuer: Certificate | None,
    authority: EllipticCurvePrivateKey,
    addresses: tuple[str, ...] = (),
) -> Certificate:
    """Make a certificate; without an issuer, the authority's own."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLIER)
        .not_valid_after(now + LATER)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:  # etcd asks itself, so that its own certificate is a client's as well
        uses = [ExtendedKeyUsageOID.SERVER_AUTH] if addresses else []
        made = made.add_extension(
            x509.ExtendedKeyUsage([*uses, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    if addresses:
        names = [x509.IPAddress(ip_address(address)) for address in addresses]
        made = made.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return made.sign(authority, SHA256())


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)


def _private(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    # the form that programs of every age read
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
