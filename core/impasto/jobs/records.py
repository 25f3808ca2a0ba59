"""What a job is: plain records, as the store keeps them and both server and worker read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from impasto.images import DEFAULT_QUALITY, Format, Size
from impasto.masks import Masking
from impasto.metadata import DEFAULT_POLICY, MetadataPolicy
from impasto.optimization import Optimization

ANONYMOUS = "anonymous"
"""The owner of jobs where callers are not told apart."""


class State(Enum):
    """The state of a job; it goes from the first to one of the last three, and back from running when released."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        return self not in (State.QUEUED, State.RUNNING)


@dataclass(frozen=True, kw_only=True)
class Commission:
    """What a job paints, without the pictures' bytes. Everything in it has been checked.

    Attributes:
        optimization: how.
        painting_weights: one per painting, not all 0.
        strength: 0 (the photo) to 1 (all paint).
        working_size: px, the long side to paint at.
        output_size: of the result.
        format: of the result.
        quality: 1 to 100, of a JPEG or WebP.
        metadata: what of the photo's own the result carries.
        mask: how the job's mask is taken; None where it has none.
    """

    optimization: Optimization
    painting_weights: tuple[float, ...]
    strength: float = 1.0
    working_size: int
    output_size: Size
    format: Format = Format.JPEG
    quality: int = DEFAULT_QUALITY
    metadata: MetadataPolicy = DEFAULT_POLICY
    mask: Masking | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, fit for JSON.

        The default metadata policy is left out, and a mask that there is not, so that workers older than policies or
        masks can do such a job, and a request from before them is known again.
        """
        values = asdict(self) | {"optimization": self.optimization.to_dict(), "format": self.format.value}
        del values["metadata"]
        if self.mask is None:
            del values["mask"]
        return values if self.metadata is DEFAULT_POLICY else {**values, "metadata": self.metadata.value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Commission:
        """Return what `to_dict` wrote."""
        width, height = values["output_size"]
        mask = values.get("mask")
        return cls(
            **{
                **values,
                "optimization": Optimization.from_dict(values["optimization"]),
                "painting_weights": tuple(values["painting_weights"]),
                "output_size": (width, height),
                "format": Format(values["format"]),
                "metadata": MetadataPolicy(values.get("metadata", DEFAULT_POLICY)),
                "mask": None if mask is None else Masking(**mask),
            }
        )


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a job is.

    Attributes:
        step, total_steps: of the optimiser, over all scales.
        size: px, that is being painted.
        content, style, total: losses; the total is the weighted sum.
        seconds_left: None while nobody can tell.
        preview: the number of the newest preview; 0 while there is none.
    """

    step: int = 0
    total_steps: int = 0
    size: Size = (0, 0)
    content: float = 0.0
    style: float = 0.0
    total: float = 0.0
    seconds_left: float | None = None
    preview: int = 0


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a job has made.

    Attributes:
        format: of the file.
        size: px.
        working_size: px, that it was optimised at.
        byte_count: of the file.
        seconds: of painting, over all attempts that ended in it.
    """

    format: Format
    size: Size
    working_size: Size
    byte_count: int
    seconds: float


@dataclass(frozen=True)
class Failure:
    """Why a job failed.

    Attributes:
        kind: the name of the error's class; the server's table of statuses knows it, or it is INTERNAL.
        message: for the caller.
        field: the request's field that is at fault; empty where none is.
    """

    kind: str
    message: str
    field: str = ""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A durable stylization.

    Attributes:
        id: 32 hex digits.
        owner: who made it.
        state: where it is in its life.
        priority: the higher, the sooner.
        commission: what it paints; None where another version stored it in a way that this one cannot read.
        created, started, ended, expires: UTC; None while that has not happened.
        progress: how far it is.
        notes: what was done otherwise than asked for, in words.
        attempts: how often a worker has begun with it.
        cancelling: whether a running one has been told to stop.
        result: of a job that succeeded.
        failure: of one that failed.
        traceparent: the span that made it, by W3C's trace context; empty where that was not traced.
    """

    id: str
    owner: str
    state: State
    priority: int
    commission: Commission | None = field(repr=False)
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    expires: datetime | None = None
    progress: Progress = Progress()
    notes: tuple[str, ...] = ()
    attempts: int = 0
    cancelling: bool = False
    result: Result | None = None
    failure: Failure | None = None
    traceparent: str = ""
