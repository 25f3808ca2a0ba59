"""Browsers: told apart by their addresses, and brought in over a passage that nobody else can use."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from impasto_server.errors import Unauthenticated

_KEY = "impasto-browser"
_BY_PORT = ("ipv4:", "ipv6:")  # as gRPC names who comes by one; by a socket the names are of several kinds
_IPV6_PREFIX = 64  # bits; what one household or phone has, and changes its address within


class Passage:
    """A way into the gRPC server for its own studio alone: a socket of this machine, and a secret.

    The socket is Linux's abstract kind, which has no file that could be left behind. Whoever is on this machine can
    connect to it, so the secret is what counts: it is drawn anew at each start, and never leaves the process.

    Attributes:
        target: where gRPC listens and the studio connects to.
    """

    def __init__(self) -> None:
        self._secret = secrets.token_urlsafe(32)
        self.target = f"unix-abstract:impasto-{secrets.token_hex(8)}"

    def metadata(self, address: str) -> tuple[str, str]:
        """Return what says that a call comes from a browser at this IP address."""
        return _KEY, f"{self._secret} {address}"

    def browser_of(self, context: Any) -> str | None:
        """Return the name of the browser that a call comes from; None for a call that came by another way.

        Raises:
            Unauthenticated: it came by this way, and is none of the studio's.
        """
        if str(context.peer()).startswith(_BY_PORT):
            return None
        said = dict(context.invocation_metadata() or ()).get(_KEY, "")
        secret, _, address = str(said).partition(" ")
        if not compare_digest(secret.encode(), self._secret.encode()):
            raise Unauthenticated("came by the studio's socket, and is not the studio's")
        return browser_name(address)


def browser_name(address: str) -> str:
    """Return what browsers at an address are called. It is no name that a token's caller can have."""
    return f"browser {_place(address)}"


def _place(address: str) -> str:
    try:
        ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(ip, IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ip_network((int(ip), _IPV6_PREFIX), strict=False))
