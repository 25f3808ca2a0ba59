"""How long a call may go on trying: what the synchronous and the asyncio client share of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import grpc

from impasto.tracing import Span
from impasto_client.errors import DeadlineExceeded, ImpastoClientError, InvalidRequest, ServerBusy, ServerUnavailable
from impasto_client.jobs import operation_name
from impasto_client.mapping import client_error, made_operation

DEFAULT_TIMEOUT = 30.0  # s, tries included

_SHORTEST_PAUSE = 0.05  # s, whatever the server asks for: a busy one is not helped by a caller that hammers at it
_FIRST_BACKOFF = 0.1  # s; doubled with each try that meets nobody
_LONGEST_BACKOFF = 2.0  # s
_BREAKS = 3  # connections that may break under a call before it is given up

Metadata = tuple[tuple[str, str], ...]

OnLost = Callable[[ImpastoClientError], None]
"""Is told of each try that met no server, or lost it, before the next."""


def checked_timeout(timeout: float | None) -> float | None:
    """Return it, or raise InvalidRequest where it is no positive, finite number of seconds; None is without limit."""
    if timeout is not None and not 0 < timeout < math.inf:
        raise InvalidRequest("timeout", f"{timeout} is out of range; give seconds, above 0")
    return timeout


class Patience:
    """The time that one call has, over all its tries."""

    def __init__(
        self,
        target: str,
        timeout: float | None,
        *,
        operation: str | None = None,
        holds_on: bool = False,
        on_lost: OnLost | None = None,
    ) -> None:
        """Start the clock.

        Args:
            target: the server, for errors.
            timeout: seconds; None, for a call that holds on, without limit.
            operation: the name of the job that the call is about.
            holds_on: whether a server that is away is waited for. gRPC's own retries, as the channel's service config
                has them, give it up after a few seconds. A call that turns out to have made a job holds on from then
                on: sent again with its request id, it takes up the same job.
            on_lost: where to tell of it.

        Raises:
            InvalidRequest: no positive, finite number of seconds.
        """
        self._target = target
        self._timeout = checked_timeout(timeout)
        self._operation = operation
        self._holds_on = holds_on
        self._on_lost = on_lost
        self._backoff = _FIRST_BACKOFF
        self._breaks_left = _BREAKS
        self.renew()

    def renew(self) -> None:
        """Start the clock again."""
        self._end = math.inf if self._timeout is None else time.monotonic() + self._timeout

    def left(self) -> float | None:
        """Return the seconds that are left, at least 0; None without limit."""
        return None if self._timeout is None else max(0.0, self._end - time.monotonic())

    def met(self) -> None:
        """Note that the server has answered."""
        self._backoff = _FIRST_BACKOFF

    def pause_after(self, error: grpc.RpcError) -> float:
        """Return how many seconds to wait before the next try.

        Raises:
            ImpastoClientError: made from `error`, which is its cause, when there is no point in another try.
        """
        if made := made_operation(error):
            self._operation, self._holds_on = made, True
        return self.pause_for(client_error(error, self._target, self._timeout, self._operation), error)

    def pause_for(self, mapped: ImpastoClientError, error: grpc.RpcError | None) -> float:
        """Return as `pause_after` does, when the error has been mapped already; `error` is what it was made from."""
        lost = self._holds_on and isinstance(mapped, ServerUnavailable | DeadlineExceeded)
        pause = self.pause() if lost or self._breaks(mapped) else _pause_asked_by(mapped)
        if pause is None:
            raise mapped from error
        if time.monotonic() + pause >= self._end:
            raise (self._too_late(mapped) if lost and self._operation else mapped) from error
        if lost and self._on_lost:
            self._on_lost(mapped)
        return pause

    def pause(self) -> float:
        """Return how many seconds to wait before the next try, longer each time that the server is not met."""
        backoff = self._backoff
        self._backoff = min(2 * backoff, _LONGEST_BACKOFF)
        return backoff

    def _breaks(self, error: ImpastoClientError) -> bool:
        """Tell whether the connection broke, and not too often: once an answer has begun, gRPC tries nothing again."""
        if isinstance(error, ServerUnavailable) and error.broken:
            self._breaks_left -= 1
            return self._breaks_left >= 0
        return False

    def _too_late(self, error: ImpastoClientError) -> DeadlineExceeded:
        why = "" if isinstance(error, DeadlineExceeded) else f": {error}"
        return DeadlineExceeded(
            f"{self._operation} was not done within {self._timeout:.3g} s, and goes on{why}",
            grpc.StatusCode.DEADLINE_EXCEEDED,
            self._operation,
        )


def _pause_asked_by(error: ImpastoClientError) -> float | None:
    """Return how many seconds a server asks to wait that is busy, or starts or stops; None where it does not ask."""
    if isinstance(error, ServerBusy | ServerUnavailable) and error.retry_after is not None:
        return max(error.retry_after, _SHORTEST_PAUSE)
    return None


class Caller:
    """What a client knows of its calls, whether they block or not."""

    def __init__(self, target: str, timeout: float, authorization: Metadata) -> None:
        self._target = target
        self._timeout = timeout
        self._authorization = authorization  # the metadata of each call that says who calls

    def _metadata(self, span: Span) -> Metadata:
        return (*self._authorization, *span.headers)

    def _patience(self, timeout: float | None, operation: str | None = None) -> Patience:
        return Patience(self._target, self._timeout if timeout is None else timeout, operation=operation)

    def _holding_on(self, name: str, timeout: float | None, on_lost: OnLost | None = None) -> Patience:
        return Patience(self._target, timeout, operation=operation_name(name), holds_on=True, on_lost=on_lost)
