"""The API's messages about jobs to the server's own words; what can be checked without a picture is checked here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration

from impasto.codes import check_weight
from impasto.decoders import in_words
from impasto.errors import InvalidInput
from impasto.jobs.admission import check_request_id
from impasto.optimization import Optimization
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.order import JobOrder
from impasto_server.rpc.requests import read_shared

MAX_PAINTINGS = 16
MAX_PRIORITY = 100
MIN_PREVIEW_INTERVAL = 0.2  # s

_COLLECTIONS = ("operations", "stylizations")


def read_job_order(
    request: pb.StylizeRequest, *, max_working_size: int, max_pixels: int, priority: int = 0
) -> JobOrder:
    """Return what a request for a job asks for.

    Args:
        max_working_size: px, the largest long side that it may name.
        max_pixels: that the result may have.
        priority: the job's.

    Raises:
        InvalidInput: a value out of range.
    """
    if request.WhichOneof("style") != "style_images":
        raise InvalidInput("style", "has no style_images; a job paints from paintings, Stylize in trained styles")
    shared = read_shared(request, request.image, max_working_size=max_working_size, max_pixels=max_pixels)
    parts = request.style_images.parts
    if not 1 <= len(parts) <= MAX_PAINTINGS:
        raise InvalidInput("style_images.parts", f"{len(parts)} paintings are given; give 1 to {MAX_PAINTINGS}")
    return JobOrder(
        **shared,
        paintings=tuple(_painting(part, index) for index, part in enumerate(parts)),
        weights=_weights(parts),
        optimization=read_optimization(request.optimization),
        request_id=_request_id(request.request_id),
        priority=_priority(priority),
    )


def read_optimization(message: pb.Optimization) -> Optimization:
    """Return how to optimise; what is left out is at its default.

    Raises:
        InvalidInput: a value that is not allowed.
    """
    return Optimization(**{field.name: _value(field, value) for field, value in message.ListFields()})


def read_job_id(name: str) -> str:
    """Return the id in the resource name of an operation or a stylization.

    Raises:
        InvalidInput: it is neither.
    """
    match name.split("/"):
        case [collection, id] if collection in _COLLECTIONS and id:
            return id
        case _:
            raise InvalidInput("name", f"{name[:80]!r} is no job's name; give operations/ID or stylizations/ID")


def read_preview_interval(request: pb.WatchStylizationRequest) -> float | None:
    """Return s, or None where no previews are wanted.

    Raises:
        InvalidInput: too short.
    """
    if not request.HasField("preview_interval"):
        return None
    interval = seconds(request.preview_interval)
    if interval < MIN_PREVIEW_INTERVAL:
        raise InvalidInput(
            "preview_interval", f"{interval:g} s is too short; give {MIN_PREVIEW_INTERVAL} s or more, or leave it out"
        )
    return interval


def read_offset(request: pb.ReadStylizationRequest) -> int:
    """Return where to begin, in bytes.

    Raises:
        InvalidInput: below 0.
    """
    if request.read_offset < 0:
        raise InvalidInput("read_offset", f"{request.read_offset} is out of range; give 0 or more")
    return request.read_offset


def seconds(duration: Duration) -> float:
    """Return a duration in s, also one that `Duration` itself finds too long."""
    return float(duration.seconds) + duration.nanos / 1e9


def _painting(part: pb.StyleImages.Part, index: int) -> bytes:
    if not part.image:
        raise InvalidInput(f"style_images.parts[{index}].image", f"is empty; send the bytes of a {in_words()} file")
    return part.image


def _weights(parts: Sequence[pb.StyleImages.Part]) -> tuple[float, ...]:
    weights = tuple(part.weight if part.HasField("weight") else 1.0 for part in parts)
    for index, weight in enumerate(weights):
        check_weight(weight, f"style_images.parts[{index}].weight")
    if not any(weights):
        raise InvalidInput("style_images.parts", "all weights are 0; give at least one above 0")
    return weights


def _value(field: Any, value: Any) -> Any:
    """Return one field of the message as `Optimization` has it: an enum's value by its name, in small letters."""
    if field.enum_type is not None:
        known = field.enum_type.values_by_number
        if value not in known:
            names = ", ".join(known[number].name for number in sorted(known) if number)
            raise InvalidInput(f"optimization.{field.name}", f"{value} is unknown; give {names}")
        return known[value].name.lower()
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _request_id(text: str) -> str | None:
    request_id = text or None
    check_request_id(request_id)
    return request_id


def _priority(priority: int) -> int:
    if not -MAX_PRIORITY <= priority <= MAX_PRIORITY:
        raise InvalidInput("priority", f"{priority} is out of range; give {-MAX_PRIORITY} to {MAX_PRIORITY}")
    return priority
