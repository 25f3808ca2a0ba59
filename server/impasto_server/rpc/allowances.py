"""How much one caller may ask for: calls a second, calls and streams at once. It is checked before anything is read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from time import monotonic
from typing import Any

from google.longrunning import operations_pb2 as lro

from impasto.inference import open_inference_pb2 as inference
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.callers import caller_of, current_identity
from impasto_server.config import Config
from impasto_server.errors import RateLimited, TooManyCalls
from impasto_server.identity.identities import CallerLimits
from impasto_server.rpc.gate import Gate

_FREE = (  # who asks whether the server is well must always be told
    "/grpc.health.",
    "/grpc.reflection.",
    "/inference.GRPCInferenceService/Server",
)
_SERVICES = (
    pb.DESCRIPTOR.services_by_name["Stylizer"],
    lro.DESCRIPTOR.services_by_name["Operations"],
    inference.DESCRIPTOR.services_by_name["GRPCInferenceService"],
)
_METHODS = {f"/{service.full_name}/{method.name}": method for service in _SERVICES for method in service.methods}
_STREAMS = {name for name, method in _METHODS.items() if method.server_streaming or method.client_streaming}
_UPLOADS = {name for name, method in _METHODS.items() if method.client_streaming}

_TRY_AGAIN_AFTER = 1.0  # s, where nobody can tell when one of the caller's calls will end
_MOST_KNOWN = 10_000  # callers that are remembered while they have nothing under way
_LOOKED_AT = 2  # of those with each call: more than come in, so that they do not pile up


@dataclass(frozen=True)
class Allowance:
    """What one caller may have; 0 is without limit, each.

    Attributes:
        requests_per_second: calls that it may begin, in the long run.
        burst: calls that it may begin at once after a pause; at least 1, where there is a rate.
        max_calls: calls under way at once, streams included.
        max_streams: streams under way at once.
    """

    requests_per_second: float = 0.0
    burst: int = 1
    max_calls: int = 0
    max_streams: int = 0

    def of(self, own: CallerLimits) -> Allowance:
        """Return this with a caller's own limits in the place of everybody's."""
        rate, calls = own.requests_per_second, own.max_concurrent
        return replace(
            self,
            requests_per_second=self.requests_per_second if rate is None else rate,
            max_calls=self.max_calls if calls is None else calls,
        )


class Allowances:
    """A gate behind another one, which has found out who calls: lets in as much of each caller as it may have.

    Callers that nobody can tell apart are told by their connections.

    Args:
        inner: the gate before.
        usual: what a caller may have that has no limits of its own.
        max_uploads: streams of photos open at once, of all callers together.
        now: a clock, in s.

    Attributes:
        known: how many callers are remembered.
    """

    def __init__(
        self, inner: Gate, *, usual: Allowance, max_uploads: int, now: Callable[[], float] = monotonic
    ) -> None:
        self._inner = inner
        self._usual = usual
        self._max_uploads = max_uploads
        self._now = now
        self._accounts: OrderedDict[str, _Account] = OrderedDict()  # the one that called last at the end
        self._uploads = 0

    @property
    def known(self) -> int:
        return len(self._accounts)

    def enter(self, method: str, context: Any) -> AbstractContextManager[None]:
        """Let a call in, as `Gate` says.

        Raises:
            RateLimited, TooManyCalls: the caller has had enough.
        """
        return self._entered(method, context)

    @contextmanager
    def _entered(self, method: str, context: Any) -> Iterator[None]:
        with self._inner.enter(method, context):
            if method.startswith(_FREE):
                yield
                return
            account = self._account(caller_of(context).client, self._usual.of(current_identity().limits))
            self._check_uploads(method)
            account.begin(method in _STREAMS, self._now())
            self._uploads += method in _UPLOADS
            try:
                yield
            finally:
                self._uploads -= method in _UPLOADS
                account.end(method in _STREAMS)

    def _account(self, client: str, allowance: Allowance) -> _Account:
        self._forget()
        account = self._accounts.setdefault(client, _Account(allowance, self._now()))
        account.allowance = allowance  # which may have changed
        self._accounts.move_to_end(client)
        return account

    def _forget(self) -> None:
        """Drop some of those that have called the longest ago and are owed nothing; all that are too many."""
        for client in list(islice(self._accounts, _LOOKED_AT)):
            if self._accounts[client].is_like_new(self._now()):
                del self._accounts[client]
        while len(self._accounts) >= _MOST_KNOWN:
            idle = next((client for client, account in self._accounts.items() if not account.calls), None)
            if idle is None:
                return
            del self._accounts[idle]

    def _check_uploads(self, method: str) -> None:
        if method in _UPLOADS and self._uploads >= self._max_uploads:
            raise TooManyCalls(
                f"{self._uploads} streams of photos are open, as many as this server serves", _TRY_AGAIN_AFTER
            )


class _Account:
    """What one caller has under way, and how many calls it may begin now (a token bucket)."""

    def __init__(self, allowance: Allowance, now: float) -> None:
        self.allowance = allowance
        self.calls = 0
        self._streams = 0
        self._tokens = float(allowance.burst)
        self._counted = now

    def begin(self, stream: bool, now: float) -> None:
        self._check(self.calls, self.allowance.max_calls, "calls")
        if stream:
            self._check(self._streams, self.allowance.max_streams, "streams")
        self._take_token(now)
        self.calls += 1
        self._streams += stream

    def end(self, stream: bool) -> None:
        self.calls -= 1
        self._streams -= stream

    def is_like_new(self, now: float) -> bool:
        """Return whether nothing would be lost by forgetting it."""
        if self.calls:
            return False
        self._refill(now)
        return not self.allowance.requests_per_second or self._tokens >= self.allowance.burst

    def _check(self, count: int, most: int, what: str) -> None:
        if most and count >= most:
            raise TooManyCalls(f"{count} {what} are under way, as many as one caller may have", _TRY_AGAIN_AFTER)

    def _take_token(self, now: float) -> None:
        rate = self.allowance.requests_per_second
        if not rate:
            return
        self._refill(now)
        if self._tokens < 1:
            raise RateLimited(f"a caller may begin {rate:g} calls a second here", (1 - self._tokens) / rate)
        self._tokens -= 1

    def _refill(self, now: float) -> None:
        more = (now - self._counted) * self.allowance.requests_per_second
        self._tokens = min(float(self.allowance.burst), self._tokens + more)
        self._counted = now


def allowances_of(config: Config, *, behind: Gate) -> Allowances:
    """Return the gate behind another one that lets in what the configuration says."""
    usual = Allowance(
        requests_per_second=config.caller_requests_per_second,
        burst=config.caller_burst,
        max_calls=config.caller_max_calls,
        max_streams=config.caller_max_streams,
    )
    return Allowances(behind, usual=usual, max_uploads=config.max_streams)
