"""Every error that Impasto raises on purpose.

    ImpastoError
    ├── InvalidInput            the caller's value is wrong; `field` names it
    │   ├── UnreadableImage     bytes that are no picture, or a broken one
    │   ├── ImageTooLarge       more pixels than the limit
    │   └── OutOfRange          a position behind the end
    ├── StyleNotFound           no such style; lists what exists
    ├── BundleError             a bundle that cannot be trusted or read
    ├── CheckpointError         a checkpoint that cannot be read, or written
    ├── TrainingError           a training that cannot go on
    ├── OptimizationFailed      a picture that cannot be optimised
    ├── ExportError             a graph that does not do what its network does
    ├── EngineError             no usable runtime, or a failed run
    │   └── RunCancelled        a run that was stopped on purpose
    ├── JobError                what was asked of a job cannot be done
    │   ├── JobNotFound         no such job, or another owner's
    │   ├── JobEnded            it has ended, so it cannot be cancelled
    │   ├── JobUnfinished       it has no result; it may never have one
    │   ├── QueueFull           too many jobs wait; says when to try again
    │   ├── JobQuotaReached     its owner has as many jobs as it may; says when to try again
    │   ├── RequestReused       a request id that came with other content before
    │   ├── BlobMissing         a picture of it is gone from a blob store that is there
    │   │   └── BlobUnreadable  it is not gone, but cannot be read
    │   └── LeaseLost           this worker no longer holds it
    ├── StoreUnavailable        the jobs' database or blob store cannot be used now
    ├── MissingDependency       an extra is not installed; names it
    └── WeightsNotFound         the perception's weights cannot be had

They know nothing of gRPC: the server maps them to status codes in one table. Their `args` are what they were made with,
so that they can be pickled and cross from one process to another.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

_MOST_LISTED = 50  # ids in a message, which may have to fit a header of 8 KiB
_MOST_QUOTED = 100  # characters of an id that may be anything


class ImpastoError(Exception):
    """The root of all errors that are raised on purpose."""


class InvalidInput(ImpastoError, ValueError):
    """A value that the caller gave is not allowed.

    Attributes:
        field: the name of the value, as the caller knows it.
        reason: what was given, what is allowed, what to do.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(field, reason)
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.field}: {self.reason}"


class UnreadableImage(InvalidInput):
    """The bytes are empty, are no supported picture, or are a damaged one."""


class ImageTooLarge(InvalidInput):
    """The picture has more pixels than allowed; found from its header."""


class OutOfRange(InvalidInput):
    """A position behind the end of what is there."""


class StyleNotFound(ImpastoError, LookupError):
    """No style has this id.

    Attributes:
        style: the id that was asked for.
        available: the ids that exist, sorted.
    """

    def __init__(self, style: str, available: Iterable[str]) -> None:
        self.style = style
        self.available = sorted(available)
        super().__init__(style, self.available)

    def __str__(self) -> str:
        near = get_close_matches(self.style[:_MOST_QUOTED], self.available, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        listed = self.available[:_MOST_LISTED]
        more = len(self.available) - len(listed)
        rest = f" and {more} more" if more else ""
        return f"no style {self.style[:_MOST_QUOTED]!r}{hint} Available: {', '.join(listed) or 'none'}{rest}"


class BundleError(ImpastoError):
    """A bundle is missing a file, was altered, or has an unknown format."""


class CheckpointError(ImpastoError):
    """A checkpoint cannot be read, or could not be written."""


class TrainingError(ImpastoError):
    """A training that cannot go on, with what to do about it."""


class OptimizationFailed(ImpastoError):
    """A picture that cannot be optimised: there is no memory for even a small one."""


class ExportError(ImpastoError):
    """A graph that is not what its architecture declares, or does not paint as torch does."""


class EngineError(ImpastoError):
    """No usable runtime for this machine, or a run that failed."""


class RunCancelled(EngineError):
    """A run was stopped before its end, because nobody waits for it any more."""


class JobError(ImpastoError):
    """What was asked of a job, or for one, cannot be done."""


class _OneJobError(JobError):
    def __init__(self, id: str, *others: object) -> None:
        super().__init__(id, *others)
        self.id = id


class JobNotFound(_OneJobError, LookupError):
    """There is no job of this id, or it is not this owner's.

    Attributes:
        id: the one that was asked for.
    """

    def __str__(self) -> str:
        return f"no job {self.id[:_MOST_QUOTED]!r}"


class JobEnded(_OneJobError):
    """The job has ended.

    Attributes:
        id: the job's.
        state: how: succeeded, failed or cancelled.
    """

    def __init__(self, id: str, state: str) -> None:
        super().__init__(id, state)
        self.state = state

    def __str__(self) -> str:
        return f"job {self.id} has already {'been ' * (self.state == 'cancelled')}{self.state}"


class JobUnfinished(_OneJobError):
    """The job has no result.

    Attributes:
        id: the job's.
        state: queued, running, failed or cancelled.
    """

    def __init__(self, id: str, state: str) -> None:
        super().__init__(id, state)
        self.state = state

    def __str__(self) -> str:
        return f"job {self.id} is {self.state}; only one that succeeded has a result"


class QueueFull(JobError):
    """As many jobs wait as may wait.

    Attributes:
        limit: how many that is.
        retry_after: seconds until one of them has probably been begun.
    """

    def __init__(self, limit: int, retry_after: float) -> None:
        super().__init__(limit, retry_after)
        self.limit = limit
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.limit} jobs wait already, which is the limit; try again in {self.retry_after:.0f} s"


class JobQuotaReached(JobError):
    """An owner has as many jobs that have not ended as one may have.

    Attributes:
        limit: how many that is.
        retry_after: seconds until one of them has probably ended.
    """

    def __init__(self, limit: int, retry_after: float) -> None:
        super().__init__(limit, retry_after)
        self.limit = limit
        self.retry_after = retry_after

    def __str__(self) -> str:
        jobs = "job that has" if self.limit == 1 else "jobs that have"
        return (
            f"{self.limit} {jobs} not ended yet, as many as one caller may have; cancel one, or try again in "
            f"{self.retry_after:.0f} s"
        )


class RequestReused(JobError):
    """The request id was used before, with other content.

    Attributes:
        request_id: it.
    """

    def __init__(self, request_id: str) -> None:
        super().__init__(request_id)
        self.request_id = request_id

    def __str__(self) -> str:
        return "this request id was used with other content; use a new one"  # not which: it would be logged


class BlobMissing(_OneJobError):
    """A picture of the job is gone, though the blob store is there.

    Attributes:
        id: the job's.
        blob: its name.
    """

    def __init__(self, id: str, blob: str) -> None:
        super().__init__(id, blob)
        self.blob = blob

    def __str__(self) -> str:
        return f"{self.blob} of job {self.id} is gone from the blob store"


class BlobUnreadable(BlobMissing):
    """A picture of the job cannot be read, though the blob store can; what the store says is for a log.

    Attributes:
        id: the job's.
        blob: its name.
    """

    def __str__(self) -> str:
        return f"{self.blob} of job {self.id} cannot be read, though the blob store can; create the job again"


class LeaseLost(_OneJobError):
    """The job was deleted, or is another worker's by now; what this one did is not kept.

    Attributes:
        id: the job's.
    """

    def __str__(self) -> str:
        return f"this worker no longer holds job {self.id}"


class StoreUnavailable(ImpastoError):
    """The jobs' database or blob store cannot be used now: out of reach, full, or not permitted. Trying again may help.

    Attributes:
        store: its URL without a password.
        reason: what happened.
    """

    def __init__(self, store: str, reason: str) -> None:
        super().__init__(store, reason)
        self.store = store
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.store} cannot be used: {self.reason}"


class MissingDependency(ImpastoError, ImportError):
    """An optional dependency is absent.

    Attributes:
        module: what could not be imported.
        extra: the extra of the distribution that brings it.
    """

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(module, extra)
        self.module = module
        self.extra = extra

    def __str__(self) -> str:
        return f"{self.module} is not installed; run: pip install 'impasto[{self.extra}]'"


class WeightsNotFound(ImpastoError):
    """The perception's weights are neither given nor downloadable."""
