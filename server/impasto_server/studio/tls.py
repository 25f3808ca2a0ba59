"""The studio's TLS: the certificate that gRPC shows, also after it has changed."""

from __future__ import annotations

import ssl
from tempfile import NamedTemporaryFile

from impasto_server.identity.certificates import Certificate
from impasto_server.identity.reloading import Reloading


def context_of(certificate: Reloading[Certificate]) -> ssl.SSLContext:
    """Return what shows each new connection the certificate in force then, and asks for a client's if gRPC does."""
    shown, inner = certificate.current, _context(certificate.current)

    def choose(connection: ssl.SSLObject, _name: str | None, _outer: ssl.SSLContext) -> None:
        nonlocal shown, inner
        if certificate.current is not shown:
            shown = certificate.current
            inner = _context(shown)
        connection.context = inner

    outer = _context(certificate.current)
    outer.sni_callback = choose  # which is asked with each handshake, whether or not a client says a name
    return outer


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    with NamedTemporaryFile(prefix="impasto-") as file:  # as Python reads keys from files alone; ours only
        file.write(certificate.chain + b"\n" + certificate.key)
        file.flush()
        context.load_cert_chain(file.name)
    if certificate.client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=certificate.client_ca.decode())
    return context
