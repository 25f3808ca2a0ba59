"""What surrounds each item of a stream, of whichever service: a span, a line in the log, and an error of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TypeVar
from uuid import uuid4

import grpc
from google.rpc.status_pb2 import Status

from impasto.logs import Log, note
from impasto.tracing import current_span, use
from impasto_server.metrics import Metrics
from impasto_server.rpc import facts
from impasto_server.rpc.facts import Totals
from impasto_server.rpc.statuses import code_of, internal, status_of

Answer = TypeVar("Answer")


async def told_of(answer: Callable[[], Awaitable[tuple[Answer, grpc.StatusCode]]], totals: Totals, log: Log) -> Answer:
    """Return the answer to an item, with a span and a line; in a task of its own, so that its notes are its own.

    Args:
        answer: makes it, and says with which code.
        totals: told of it.
        log: where the line goes, at debug level.
    """
    begun = perf_counter()
    span = current_span().begin("photo")
    use(span)
    note(item=totals.begun())
    code = grpc.StatusCode.CANCELLED
    try:
        made, code = await answer()
        totals.answered(failed=code is not grpc.StatusCode.OK)
        return made
    finally:
        log.debug("photo", code=code.name, ms=facts.milliseconds(perf_counter() - begun))
        span.tell(lambda: {"rpc.grpc.status_code": code.value[0], **facts.of_notes()})
        span.end(failed=code in facts.FAULTS)


def status_told(error: Exception, metrics: Metrics, log: Log) -> tuple[Status, grpc.StatusCode]:
    """Return what an item is refused with, counted and noted; an unexpected error is logged whole and told by an id."""
    status = status_of(error)
    if status is None:
        request_id = uuid4().hex
        log.error("unexpected error", exc_info=error, item_request_id=request_id)
        status = internal(request_id)
    note(error=status.message)
    code = code_of(status)
    metrics.item(code.name)
    return status, code
