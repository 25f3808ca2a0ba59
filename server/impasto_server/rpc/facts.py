"""What the log and the traces tell of a photo: the same names for a call, a photo of a stream and the end of a job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import grpc

from impasto.images import Size
from impasto.jobs import Result
from impasto.logs import noted
from impasto_server.bundles.library import Brush
from impasto_server.order import JobOrder, Order
from impasto_server.painting import Painting

Facts = Mapping[str, object]

# What OpenTelemetry's conventions count as the server's error; any other status is the caller's affair.
FAULTS = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)

_STAGES = ("decode", "queue", "engine", "encode")


def of_order(order: Order, brush: Brush) -> Facts:
    """Return what is known of a photo before it is painted."""
    return {
        "style": brush.label,
        "bundle": f"{brush.bundle}@{brush.version}",
        "strength": round(order.strength, 3),
        "photo_bytes": len(order.photo),
        **_of_mask(order),
    }


def of_job_order(order: JobOrder) -> Facts:
    """Return what is known of a job before it is made."""
    return {
        "paintings": len(order.paintings),
        "photo_bytes": len(order.photo),
        "paintings_bytes": sum(map(len, order.paintings)),
        "strength": round(order.strength, 3),
        **_of_mask(order),
    }


def of_painting(painting: Painting) -> Facts:
    """Return what is known of a photo that was painted."""
    return {
        "photo_size": text(painting.photo_size),
        "working_size": text(painting.working_size),
        "result_size": text(painting.size),
        "result_bytes": len(painting.file),
        "format": painting.format.value,
        "batch": painting.batch,
        **{f"{stage}_ms": milliseconds(seconds) for stage, seconds in painting.seconds.items()},
    }


def of_result(result: Result) -> Facts:
    """Return what is known of what a job has made."""
    return {
        "working_size": text(result.working_size),
        "result_size": text(result.size),
        "result_bytes": result.byte_count,
        "format": result.format.value,
        "paint_ms": milliseconds(result.seconds),
    }


def of_notes() -> Facts:
    """Return what was noted for the log and is no part of every span anyway."""
    return {name: value for name, value in noted().items() if name not in ("method", "trace_id")}


def _of_mask(order: Order) -> Facts:
    return {"mask_bytes": len(order.mask.file)} if order.mask else {}


class Totals:
    """Of the photos of one stream."""

    def __init__(self) -> None:
        self._begun = 0
        self._counts: Counter[str] = Counter()
        self._seconds = dict.fromkeys(_STAGES, 0.0)

    def begun(self) -> int:
        """Count a photo that came, and return the how manieth it is."""
        self._begun += 1
        return self._begun

    def painted(self, photo_bytes: int, painting: Painting) -> None:
        """Add a photo that was painted."""
        self._counts["photo_bytes"] += photo_bytes
        self._counts["result_bytes"] += len(painting.file)
        for stage in _STAGES:
            self._seconds[stage] += painting.seconds.get(stage, 0.0)

    def answered(self, *, failed: bool) -> None:
        """Count an answer."""
        self._counts["items"] += 1
        self._counts["items_failed"] += failed

    @property
    def facts(self) -> Facts:
        counts = {name: self._counts[name] for name in ("items", "items_failed", "photo_bytes", "result_bytes")}
        return counts | {f"{stage}_ms": milliseconds(seconds) for stage, seconds in self._seconds.items()}


def text(size: Size) -> str:
    return "{}x{}".format(*size)


def milliseconds(seconds: float) -> float:
    return round(seconds * 1e3, 1)
