"""Whether the server can be reached, by the standard library alone: gRPC tells too little of why it cannot."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from impasto.findings import Finding, ok, problem, warning
from impasto_client.access import stays_here

_TIMEOUT = 5.0  # s
_HTTPS = 443
_RENEW_DAYS = 14
_HIGHEST_PORT = 65535
LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that are this machine."""

_PROXIES = ("grpc_proxy", "https_proxy", "http_proxy")  # in the order in which gRPC looks at them
_EXCLUDING = ("no_grpc_proxy", "no_proxy")


@dataclass(frozen=True)
class Way:
    """How a server is called.

    Attributes:
        target: as gRPC takes it.
        tls: whether by TLS.
        ca: a PEM file with the authorities to trust; those of the machine if None.
    """

    target: str
    tls: bool
    ca: Path | None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port; None of a target that is no such pair, as a socket of Unix's."""
        if self.target.partition(":")[0] in ("unix", "unix-abstract", "ipv4", "ipv6", "xds"):
            return None
        rest = self.target.removeprefix("dns:").rpartition("/")[2]
        host, colon, port = rest.rpartition(":")
        if not colon or not (port.isascii() and port.isdecimal()):
            host, port = rest, str(_HTTPS)
        return host.removeprefix("[").removesuffix("]"), int(port)


def proxy(way: Way) -> Finding:
    """Tell whether gRPC would go by a proxy, which many do not let through."""
    name = next((name for name in _PROXIES if os.environ.get(name)), None)
    if name is None or way.address is None:
        return ok("proxy", "no proxy stands between, by the environment")
    host = way.address[0]
    if stays_here(way.target):
        return ok("proxy", f"${name} is set, and does not hold for this machine itself")
    if _is_excluded(host):
        return ok("proxy", f"${name} is set, and {host} is excluded from it")
    return warning(
        "proxy",
        f"${name} sends calls to {host} by a proxy, which has to let HTTP/2 through",
        f"export no_grpc_proxy={host}",
    )


def _is_excluded(host: str) -> bool:
    """Tell whether gRPC leaves the proxy out for a host: by the ends of names, separated by commas."""
    excluded = next(filter(None, map(os.environ.get, _EXCLUDING)), "")
    return any(host.endswith(end.strip()) for end in excluded.split(",") if end.strip())


def reach(way: Way) -> Iterator[Finding]:
    """Connect, and tell why that does not work."""
    if way.address is None:
        yield ok("connection", f"{way.target} is no host and port, so only a call can tell")
        return
    host, port = way.address
    if port > _HIGHEST_PORT:
        says = f"{port} is no port: the highest is {_HIGHEST_PORT}"
        yield problem("connection", says, "impasto doctor --server HOST:PORT")
        return
    started = time.monotonic()
    try:
        with socket.create_connection((host, port), _TIMEOUT) as connection:
            taken = time.monotonic() - started
            yield ok("connection", f"{host} port {port} accepts connections ({taken * 1000:.0f} ms)")
            yield _tls(way, connection) if way.tls else _plain(way, connection)
    except (socket.gaierror, UnicodeError) as error:  # the latter of a name that no host could have, as a..b
        reason = error.strerror if isinstance(error, socket.gaierror) else "no host could be named so"
        yield problem("connection", f"the name {host} cannot be resolved: {reason}", f"getent hosts {host}")
    except ConnectionRefusedError:
        yield problem("connection", f"nobody listens on {host} port {port}", _start_or_name(host, port))
    except OSError as error:
        reason = error.strerror or "no answer in time"
        yield problem("connection", f"{host} port {port} cannot be reached: {reason}", f"ping -c 3 {host}")


def _start_or_name(host: str, port: int) -> str:
    if host in LOOPBACK:
        return "impasto-server" if port == 8500 else f"impasto-server --listen {host}:{port}"
    return "impasto doctor --server HOST:PORT"


def _tls(way: Way, connection: socket.socket) -> Finding:
    """Tell whether the server's certificate is one to trust, and for how long."""
    host = way.address[0] if way.address else ""
    try:
        context = ssl.create_default_context(cafile=str(way.ca) if way.ca else None)
    except OSError as error:  # no such file, or none of PEM
        reason = "it is no PEM file" if isinstance(error, ssl.SSLError) else error.strerror
        return problem("tls", f"{way.ca} cannot be used: {reason}", f"impasto doctor --server {way.target} --ca FILE")
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            certificate = secured.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        return problem(
            "tls",
            f"its certificate is not trusted: {error.verify_message}",
            f"impasto doctor --server {way.target} --ca FILE",
        )
    except ssl.SSLError as error:
        if "CERTIFICATE_REQUIRED" in str(error.reason):
            return ok("tls", "it asks for a certificate, as --cert and --key give one")
        return problem("tls", f"it does not speak TLS: {error.reason}", f"impasto doctor --server {way.target}")
    except OSError as error:
        return problem(
            "tls", f"it ended the handshake: {error.strerror or error}", f"impasto doctor --server {way.target}"
        )
    return _expiry(str(certificate["notAfter"]))


def _expiry(text: str) -> Finding:
    end = datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
    days = (end - datetime.now(UTC)).days
    says = f"its certificate is trusted, and valid until {end:%Y-%m-%d} ({days} days)"
    if days < _RENEW_DAYS:
        return warning("tls", says, "renew the server's certificate: it is read anew without a restart")
    return ok("tls", says)


def _plain(way: Way, connection: socket.socket) -> Finding:
    """Tell whether it speaks TLS, and is to be called in plain text."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with context.wrap_socket(connection):
            return problem(
                "tls", "it speaks TLS, and is called in plain text", f"impasto doctor --server {way.target} --tls"
            )
    except OSError:
        host = way.address[0] if way.address else ""
    if host in LOOPBACK:
        return ok("tls", "plain text, which does not leave this machine")
    return warning(
        "tls",
        "plain text: everyone on the way can read photos and tokens",
        "see docs/security.md: tls_certificate, tls_key",
    )
