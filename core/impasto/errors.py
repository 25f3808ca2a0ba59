"""Every error that Impasto raises on purpose.

    ImpastoError
    ├── InvalidInput            the caller's value is wrong; `field` names it
    │   ├── UnreadableImage     bytes that are no picture, or a broken one
    │   └── ImageTooLarge       more pixels than the limit
    ├── StyleNotFound           no such style; lists what exists
    ├── BundleError             a bundle that cannot be trusted or read
    ├── CheckpointError         a checkpoint that cannot be read, or written
    ├── TrainingError           a training that cannot go on
    ├── ExportError             a graph that does not do what its network does
    ├── EngineError             no usable runtime, or a failed run
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
        near = get_close_matches(self.style, self.available, n=1)
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


class ExportError(ImpastoError):
    """A graph that is not what its architecture declares, or does not paint as torch does."""


class EngineError(ImpastoError):
    """No usable runtime for this machine, or a run that failed."""


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
