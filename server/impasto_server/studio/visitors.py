"""Which requests come from the studio's own page, and which another site has a browser make (CSRF, DNS rebinding)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from impasto_server.studio.responses import Response, Scope, plain

_PORTS = {"http": 80, "https": 443}
_FOREIGN = ("cross-site", "same-site")  # as browsers say in Sec-Fetch-Site of what another site's page asks for


class Visitors:
    """Tells them apart by Host, Origin and Sec-Fetch-Site, which pages cannot set.

    A site whose name is made to lead here has a name that is none of ours; addresses are nobody else's.

    Args:
        hosts: names by which browsers reach the studio, besides localhost and addresses; in lower case.
    """

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = {"localhost", *hosts}

    def refusal(self, scope: Scope) -> Response | None:
        """Return what to answer to a request that is not the page's; None for one that is."""
        headers = _headers(scope)
        if headers is None:
            return plain(400, "A header of this request holds something other than printable ASCII.")
        host = headers.get("host", "")
        name = _name(host)
        if name is None:
            return plain(400, "This request says no host, or none that is one.")
        if not (name in self._hosts or _is_address(name)):
            return plain(421, f"The studio is not served as {name}. Who runs it can allow it: --studio-hosts {name}")
        if scope["method"] == "POST" and _is_foreign(headers, host):
            return plain(403, "Pages of other sites may not call this server; open the studio itself.")
        return None


def _headers(scope: Scope) -> Mapping[str, str] | None:
    """Return the headers; None where one is no printable text in ASCII, as gRPC's metadata has to be."""
    try:
        headers = {name.decode("ascii"): value.decode("ascii") for name, value in scope["headers"]}
    except UnicodeDecodeError:
        return None
    return headers if all(value.isprintable() for value in headers.values()) else None


def _name(host: str) -> str | None:
    """Return the name or address in a Host header, in lower case."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _is_foreign(headers: Mapping[str, str], host: str) -> bool:
    """Return whether another site's page makes a call. Programs other than browsers say nothing of where they are."""
    if headers.get("sec-fetch-site") in _FOREIGN:
        return True
    origin = headers.get("origin")
    return origin is not None and not _same_place(origin, host)


def _same_place(origin: str, host: str) -> bool:
    """Return whether an origin is at a host. Its scheme may be another one, as behind a proxy that does TLS."""
    scheme, _, place = origin.partition("://")
    port = _PORTS.get(scheme)
    try:
        here, there = urlsplit(f"//{host}"), urlsplit(f"//{place}")
        return (here.hostname, here.port or port) == (there.hostname, there.port or port) and port is not None
    except ValueError:
        return False
