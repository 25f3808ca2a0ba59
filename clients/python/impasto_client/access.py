"""What a client shows a server, and what it asks to see: tokens and certificates."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote

import grpc

from impasto_client.errors import InvalidRequest

PathLike = str | os.PathLike[str]

_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+")  # RFC 6750, 2.1


@dataclass(frozen=True)
class Access:
    """How to connect to a server, and what to send it with each call.

    Attributes:
        credentials: for TLS; None for plain text.
        metadata: of each call.
    """

    credentials: grpc.ChannelCredentials | None = None
    metadata: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def to(
        cls,
        target: str,
        *,
        credentials: grpc.ChannelCredentials | None,
        token: str | None,
        tls: bool,
        ca: PathLike | None,
        certificate: PathLike | None,
        key: PathLike | None,
        insecure: bool,
    ) -> Access:
        """Make one of what `Client` takes.

        Raises:
            InvalidRequest: a file cannot be read, or what was given does not go together, or a token would be sent in
                plain text.
        """
        files = {"ca": ca, "certificate": certificate, "key": key}
        given = [name for name, file in files.items() if file is not None]
        if credentials and (tls or given):
            raise InvalidRequest("credentials", f"leave no place for {given[0] if given else 'tls'}; give either")
        if not credentials and (tls or given):
            credentials = _tls(**{name: _read(name, file) for name, file in files.items()})
        return cls(credentials, _authorization(target, token, safe=bool(credentials) or insecure))


def _tls(ca: bytes | None, certificate: bytes | None, key: bytes | None) -> grpc.ChannelCredentials:
    if bool(certificate) != bool(key):
        given, missing = ("certificate", "key") if certificate else ("key", "certificate")
        raise InvalidRequest(given, f"is given without {missing}; give both, or neither")
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _authorization(target: str, token: str | None, *, safe: bool) -> tuple[tuple[str, str], ...]:
    if token is None:
        return ()
    if not _TOKEN.fullmatch(token):
        raise InvalidRequest("token", "has characters that no token has; give it as `impasto-server token` printed it")
    if not (safe or stays_here(target)):
        raise InvalidRequest(
            "token",
            f"would go to {target} in plain text, for everyone on the way to read; ask for TLS with tls or ca, or give "
            "insecure if nobody else is on the way",
        )
    return (("authorization", f"Bearer {token}"),)


def _read(name: str, file: PathLike | None) -> bytes | None:
    if file is None:
        return None
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        raise InvalidRequest(name, f"{os.fspath(file)} cannot be read: {error.strerror}") from None
    if b"-----BEGIN " not in content:
        raise InvalidRequest(name, f"{os.fspath(file)} is no PEM file; such a file has a line -----BEGIN ...-----")
    return content


def stays_here(target: str) -> bool:
    """Return whether what is sent to a gRPC target leaves this machine under no circumstances."""
    scheme, colon, rest = target.partition(":")
    if colon and scheme in ("unix", "unix-abstract"):
        return True
    if colon and scheme in ("ipv4", "ipv6"):
        return _all_loopback(unquote(rest).lstrip("/").split(","))
    if "://" in target and scheme != "dns":
        return False
    return _all_loopback([target.removeprefix("dns:").rpartition("/")[2]])


def _all_loopback(addresses: Iterable[str]) -> bool:
    return all(_is_loopback(address) for address in addresses)


def _is_loopback(address: str) -> bool:
    """Tell of `host`, `host:port` or `[IPv6]:port`."""
    bracketed = re.fullmatch(r"\[(?P<host>.*)\](:\d+)?", address)
    host = bracketed["host"] if bracketed else address
    if not bracketed and host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
