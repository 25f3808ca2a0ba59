"""How requests come in from browsers: no larger, slower or more at once than memory is for, as they do over gRPC.

A request is read whole before it is passed on, and its turn lasts until then. There are as many turns as gRPC has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from contextvars import ContextVar

from connectrpc.errors import ConnectError

from impasto.errors import ImpastoError
from impasto.logs import Log
from impasto_server.config import Config
from impasto_server.errors import Overloaded, RequestTooLarge, RequestTooSlow, Unauthenticated
from impasto_server.fast.admission import Admission
from impasto_server.identity.browsers import browser_name
from impasto_server.identity.recognition import Recognizes
from impasto_server.metrics import Metrics
from impasto_server.rpc.statuses import code_of, reason_of_refusal, status_of
from impasto_server.rpc.transfers import UPLOADS
from impasto_server.studio.refusals import refusal_by
from impasto_server.studio.responses import Message, Receive, Scope, header

_SMALL = 64 * 1024  # bytes; more than any request without pictures needs
_TRY_AGAIN_AFTER = 1.0  # s

_turn: ContextVar[AsyncExitStack] = ContextVar("turn")  # of the request that the current task serves


class Uploads:
    """Receives requests. For one event loop.

    Args:
        config: of the limits.
        recognizes: who calls; of strangers no photo is read.
        metrics: of calls that do not come as far as gRPC.
        log: a line for each of those.
    """

    def __init__(self, config: Config, recognizes: Recognizes, metrics: Metrics, log: Log) -> None:
        self._max_bytes = config.max_message_bytes
        self._seconds = config.receive_seconds
        self._turns = Admission(config.max_uploads, lambda _: _TRY_AGAIN_AFTER)
        self._recognizes = recognizes
        self._metrics = metrics
        self._log = log

    @asynccontextmanager
    async def reading(self, scope: Scope, receive: Receive) -> AsyncIterator[Receive]:
        """Return what reads the request of a call; it raises ConnectError for one that is not read."""
        async with AsyncExitStack() as turn:
            _turn.set(turn)
            yield _Body(self, scope, receive)

    def most_bytes(self, scope: Scope) -> int:
        """Return how large a request may be. One in JSON is small: the event loop stands still while it is parsed."""
        is_large = scope["path"] in UPLOADS and not _is_json(scope)
        return self._max_bytes if is_large else min(_SMALL, self._max_bytes)

    def let_in(self, scope: Scope) -> None:
        """Look who calls, where the request may be large, as the gate would once it had been read.

        Raises:
            ConnectError: nobody that is known.
        """
        if scope["path"] in UPLOADS:
            try:
                self._recognizes.identify(_Asking(scope))
            except Unauthenticated as error:
                raise self._refused(scope, error, why=error.why, peer=_browser(scope)) from None

    async def begin(self, scope: Scope) -> float:
        """Wait for a turn, where the request may be large; return until when it has to arrive, by the loop's clock.

        Raises:
            ConnectError: the turn did not come in time.
        """
        if scope["path"] in UPLOADS:
            try:
                async with asyncio.timeout(self._seconds):
                    await _turn.get().enter_async_context(self._turns.turn(_browser(scope)))
            except TimeoutError:
                busy = f"{self._turns.in_flight} requests were being received at once, and did not end in time"
                raise self._refused(scope, Overloaded(busy, _TRY_AGAIN_AFTER), caller=_browser(scope)) from None
        return asyncio.get_running_loop().time() + self._seconds

    def too_slow(self, scope: Scope) -> ConnectError:
        return self._refused(scope, RequestTooSlow(self._seconds), caller=_browser(scope))

    def too_large(self, scope: Scope) -> ConnectError:
        return self._refused(scope, RequestTooLarge(self.most_bytes(scope)), caller=_browser(scope))

    def _refused(self, scope: Scope, error: ImpastoError, **who: str) -> ConnectError:
        """Return what to tell the browser, and count and log it as the interceptor does."""
        status, path = status_of(error), scope["path"]
        assert status is not None
        code = code_of(status)
        if reason := reason_of_refusal(error):
            self._metrics.refused(path, reason)
        self._metrics.called(path, code.name)
        self._log.info("call", method=path, code=code.name, error=status.message, **who)
        return refusal_by(status, code)


async def passed_on() -> None:
    """Note that the request of the current task is not held here any more: another may have its turn."""
    if turn := _turn.get(None):
        await turn.aclose()


class _Body:
    """Reads one request's body."""

    def __init__(self, uploads: Uploads, scope: Scope, receive: Receive) -> None:
        self._uploads = uploads
        self._scope = scope
        self._receive = receive
        self._left = uploads.most_bytes(scope)
        self._due: float | None = None
        self._read = False

    async def __call__(self) -> Message:
        if self._read:
            return await self._receive()  # tells that the browser has gone away
        if self._due is None:
            self._uploads.let_in(self._scope)
            self._check(int(header(self._scope, b"content-length") or 0))
            self._due = await self._uploads.begin(self._scope)
        try:
            async with asyncio.timeout_at(self._due):
                message = await self._receive()
        except TimeoutError:
            raise self._uploads.too_slow(self._scope) from None
        self._left -= self._check(len(message.get("body", b"")))
        self._read = not message.get("more_body", False)
        return message

    def _check(self, size: int) -> int:
        if size > self._left:
            raise self._uploads.too_large(self._scope)
        return size


class _Asking:
    """A request as callers are recognized by."""

    def __init__(self, scope: Scope) -> None:
        self._headers = scope["headers"]

    def invocation_metadata(self) -> list[tuple[str, str]]:
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self._headers]

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}


def _is_json(scope: Scope) -> bool:
    """Return whether any of a request's content types is JSON; there should be one."""
    return any(name == b"content-type" and b"json" in value.lower() for name, value in scope["headers"])


def _browser(scope: Scope) -> str:
    return browser_name((scope["client"] or ("",))[0])
