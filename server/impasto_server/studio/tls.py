"""The studio's TLS: the certificate that gRPC shows, also after it has changed."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from impasto.logs import Log
from impasto_server.errors import CertificateUnusable
from impasto_server.identity.certificates import Certificate
from impasto_server.identity.reloading import Reloading


def context_of(certificate: Reloading[Certificate], file: Path, log: Log) -> ssl.SSLContext:
    """Return what shows each new connection the certificate in force then, and asks for a client's if gRPC does.

    Args:
        certificate: as it is now, and comes to be.
        file: which it is in.
        log: told of one that gRPC shows and this cannot; the one before it is shown on.

    Raises:
        CertificateUnusable: OpenSSL, which does this, is stricter than what gRPC has.
    """
    outer = _context(certificate.current, file)
    # Which is asked with each handshake, whether or not a client says a name.
    outer.sni_callback = _Shown(certificate, file, log).choose
    return outer


class _Shown:
    """Chooses what a connection is shown."""

    def __init__(self, certificate: Reloading[Certificate], file: Path, log: Log) -> None:
        self._certificate = certificate
        self._file = file
        self._log = log
        self._shown = certificate.current
        self._context = _context(self._shown, file)
        self._refused: Certificate | None = None

    def choose(self, connection: ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext) -> None:
        if (current := self._certificate.current) is not self._shown:
            self._take_up(current)
        connection.context = self._context

    def _take_up(self, certificate: Certificate) -> None:
        try:
            self._context = _context(certificate, self._file)
        except CertificateUnusable as error:
            if certificate is not self._refused:
                self._log.error("certificate not shown by the studio", reason=f"{error}; the one before is shown on")
            self._refused = certificate
        else:
            self._shown = certificate


def _context(certificate: Certificate, file: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    try:
        _load(context, certificate)
    except OSError as error:  # ssl.SSLError is one
        raise CertificateUnusable(file, f"cannot be shown by the studio: {error.strerror or error}") from error
    return context


def _load(context: ssl.SSLContext, certificate: Certificate) -> None:
    with os.fdopen(os.memfd_create("impasto"), "wb") as held:  # as Python reads keys from files alone
        held.write(certificate.chain + b"\n" + certificate.key)
        held.flush()
        context.load_cert_chain(f"/proc/self/fd/{held.fileno()}")
    if certificate.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=certificate.client_ca.decode())
