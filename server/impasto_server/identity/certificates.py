"""Certificates: the server's own, checked before anyone meets it, and the names in a client's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from impasto_server.errors import CertificateUnusable

# Of a client's certificate that has been verified, as gRPC calls them. A common name counts only where there are no
# alternative names, as these are what a certificate authority is held to (RFC 9525).
_ALTERNATIVE_NAMES = "x509_subject_alternative_name"
_COMMON_NAME = "x509_common_name"


@dataclass(frozen=True)
class Certificate:
    """What a server shows its callers, and whom it trusts.

    Attributes:
        chain: PEM, its own certificate first.
        key: PEM.
        client_ca: PEM, whose clients' certificates it accepts; None where it asks for none.
        expires: when callers will not accept it any more.
    """

    chain: bytes
    key: bytes
    client_ca: bytes | None
    expires: datetime


def read_certificate(chain: Path, key: Path, client_ca: Path | None) -> Certificate:
    """Read a certificate, its key and the authority for clients, all PEM.

    Raises:
        CertificateUnusable: a file cannot be read, the two do not belong together, or its time is over or to come.
    """
    chain_pem, key_pem = _read(chain), _read(key)
    certificate = _certificates(chain, chain_pem)[0]
    if _bytes(certificate.public_key()) != _bytes(_public_key(key, key_pem)):
        raise CertificateUnusable(key, f"does not belong to the certificate in {chain}")
    _check_time(chain, certificate)
    return Certificate(chain_pem, key_pem, _authority(client_ca), certificate.not_valid_after_utc)


def client_names(auth_context: Mapping[str, Iterable[bytes]]) -> Sequence[str]:
    """Return the names of a client by its certificate, the most telling first; none where it has shown none."""
    names = list(auth_context.get(_ALTERNATIVE_NAMES) or auth_context.get(_COMMON_NAME) or ())
    return [name.decode(errors="replace") for name in names]


def _check_time(file: Path, certificate: x509.Certificate) -> None:
    now, begins, ends = datetime.now(UTC), certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= ends:
        raise CertificateUnusable(file, f"expired on {ends:%Y-%m-%d at %H:%M} UTC")
    if now < begins:
        raise CertificateUnusable(file, f"is not valid before {begins:%Y-%m-%d at %H:%M} UTC")


def _authority(file: Path | None) -> bytes | None:
    if file is None:
        return None
    pem = _read(file)
    _certificates(file, pem)
    return pem


def _certificates(file: Path, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise CertificateUnusable(file, "holds no certificate in PEM") from None


def _public_key(file: Path, pem: bytes) -> PublicKeyTypes:
    try:
        return load_pem_private_key(pem, password=None).public_key()
    except TypeError:
        raise CertificateUnusable(file, "is encrypted; give a key without a password") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateUnusable(file, "holds no private key in PEM") from None


def _bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise CertificateUnusable(file, f"cannot be read: {error.strerror}") from None
