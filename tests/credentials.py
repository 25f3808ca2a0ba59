"""Certificates and callers, as files that tests give to servers and clients."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

HERE = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files."""

    cert: Path
    key: Path

    @property
    def pems(self) -> tuple[bytes, bytes]:
        """Key and certificate, as gRPC takes them."""
        return self.key.read_bytes(), self.cert.read_bytes()


class Authority:
    """Issues certificates into a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._authority = trustme.CA()
        self._folder = folder
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self._authority.cert_pem.bytes())

    def issue(self, name: str, *identities: str, **others: Any) -> Pair:
        """Write `name.pem` and `name.key`, for these host names and addresses; replaced if they are there."""
        leaf = self._authority.issue_cert(*(identities or HERE), **others)
        chain = b"".join(pem.bytes() for pem in leaf.cert_chain_pems)
        return self._written(name, chain, leaf.private_key_pem.bytes())

    def issue_uri(self, name: str, uri: str, common_name: str = "") -> Pair:
        """Write a certificate for a URI, such as SPIFFE's are; without one, for a common name alone."""
        authority = x509.load_pem_x509_certificate(self._authority.cert_pem.bytes())
        signer = load_pem_private_key(self._authority.private_key_pem.bytes(), password=None)
        assert isinstance(signer, ec.EllipticCurvePrivateKey)
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        names = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)] if common_name else []
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(names))
            .issuer_name(authority.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )
        if uri:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=not names
            )
        pem = builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)
        return self._written(name, pem, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def issue_expired(self, name: str, *identities: str) -> Pair:
        now = datetime.now(UTC)
        return self.issue(name, *identities, not_before=now - timedelta(days=2), not_after=now - timedelta(days=1))

    def _written(self, name: str, cert: bytes, key: bytes) -> Pair:
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.cert.write_bytes(cert)
        pair.key.write_bytes(key)
        return pair


def tampered(pair: Pair) -> Pair:
    """Return a copy whose certificate was altered after it was signed: another is named in it."""
    certificate = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    altered = certificate.public_bytes(Encoding.DER)
    (name,) = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName
    )
    altered = altered.replace(name.encode(), name.encode().swapcase())
    copy = Pair(pair.cert.with_suffix(".tampered.pem"), pair.key)
    copy.cert.write_bytes(x509.load_der_x509_certificate(altered).public_bytes(Encoding.PEM))
    return copy


def caller(name: str, token: str | None = None, roles: str = "stylize,jobs", **others: str) -> str:
    """Return a caller's table.

    Args:
        others: further keys, their values as TOML.
    """
    lines = {"name": f'"{name}"', "roles": str(roles.split(",")), **others}
    if token is not None:
        lines["token_sha256"] = f'"{sha256(token.encode()).hexdigest()}"'
    return "[[caller]]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())


def write_callers(file: Path, *tables: str) -> Path:
    """Write a callers file in one step."""
    draft = file.with_suffix(".draft")
    draft.write_text("\n".join(tables))
    draft.replace(file)
    return file


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Return the metadata of a call that sends this token."""
    return (("authorization", f"Bearer {token}"),)
