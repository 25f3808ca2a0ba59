"""The socket that the studio listens on. The connections that it accepts have its options."""

from __future__ import annotations

import socket

from impasto_server.config import Address, Config
from impasto_server.errors import CannotListen

_BACKLOG = 128  # connections that wait to be accepted
_LONGEST_SILENCE = 32_767  # s; Linux takes no more
_LONGEST_WAIT = 2**31 - 1  # ms


def bound(address: Address, config: Config) -> socket.socket:
    """Return a socket at an address; browsers that vanish, or do not read their answers, lose their connections.

    Raises:
        CannotListen: the address cannot be had.
    """
    try:
        family, *_, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(where, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(f"cannot listen for the studio on {address}: {error.strerror or error}") from error
    _let_go_of_the_dead(listener, config)
    return listener


def _let_go_of_the_dead(listener: socket.socket, config: Config) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (
        ("TCP_KEEPIDLE", _within(config.keepalive_seconds, _LONGEST_SILENCE)),
        ("TCP_KEEPINTVL", _within(config.keepalive_timeout_seconds, _LONGEST_SILENCE)),
        ("TCP_USER_TIMEOUT", _within(1e3 * config.stream_idle_seconds, _LONGEST_WAIT)),
    ):
        if option := getattr(socket, name, None):  # which depends on the platform
            listener.setsockopt(socket.IPPROTO_TCP, option, value)


def _within(value: float, most: int) -> int:
    return max(1, min(round(value), most))
