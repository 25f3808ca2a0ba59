"""How long a call may go on trying: what the synchronous and the asyncio client share of it."""

from __future__ import annotations

import math
import time

import grpc

from impasto_client.errors import InvalidRequest, ServerBusy
from impasto_client.mapping import client_error

DEFAULT_TIMEOUT = 30.0  # s, tries included

_SHORTEST_PAUSE = 0.05  # s, whatever the server asks for: a busy one is not helped by a caller that hammers at it


class Patience:
    """The time that one call has, over all its tries."""

    def __init__(self, target: str, timeout: float) -> None:
        """Start the clock.

        Args:
            target: the server, for errors.
            timeout: seconds.

        Raises:
            InvalidRequest: no positive, finite number of seconds.
        """
        if not 0 < timeout < math.inf:
            raise InvalidRequest("timeout", f"{timeout} is out of range; give seconds, above 0")
        self._target = target
        self._timeout = timeout
        self._end = time.monotonic() + timeout

    def left(self) -> float:
        """Return the seconds that are left, at least 0."""
        return max(0.0, self._end - time.monotonic())

    def pause_after(self, error: grpc.RpcError) -> float:
        """Return how many seconds to wait before the next try.

        Only a busy server that says when it will have room is tried again here; one that cannot be reached has been
        tried again by gRPC, as the channel's service config says.

        Raises:
            ImpastoClientError: made from `error`, which is its cause, when there is no point in another try.
        """
        mapped = client_error(error, self._target, self._timeout)
        if isinstance(mapped, ServerBusy) and mapped.retry_after is not None:
            pause = max(mapped.retry_after, _SHORTEST_PAUSE)
            if pause < self.left():
                return pause
        raise mapped from error
