"""Errors that only a server has. Like those of the core, they know nothing of gRPC.

ImpastoError
├── CannotListen    an address that cannot be had; ends the start-up
├── CallersUnreadable   a callers file that cannot be used; ends the start-up
├── CertificateUnusable a certificate or key that cannot be used; ends the start-up
├── FolderUnusable  a folder that is needed and cannot be written to; ends the start-up
├── Unauthenticated a caller that is not known
├── PermissionDenied    a caller without the role that the method needs
├── NotReady        the engines are not warm yet
├── ShuttingDown    the server stops, and waits for no job any more
├── Busy            more work than can be done soon; says when to try again
│   ├── Overloaded  as many requests in flight as the server takes, or as this client may have
│   ├── RateLimited  more calls a second than this caller may make
│   ├── TooManyCalls  more calls at once than this caller may have
│   └── TooLate     it would not be done within the caller's deadline
├── RequestTooSlow  a request that did not arrive in time
├── RequestTooLarge a request that is larger than any may be
├── StreamIdle      a stream that did not get on, for its caller neither sent nor read
├── NotSupported    something that this server does not do
├── BundleRefused       a bundle that is not served; says why
│   └── BundleDamaged   its files are not what its manifest says; it may be being copied
├── BundleUnreachable   where bundles are fetched from cannot be reached now
├── BundleNotHeld       a version of a bundle that the server does not hold
├── ModelNotFound       a model, or a version of one, that the server does not hold
├── LastBundle          the last version of all, without which nothing would be served
├── NoBundleStore       no store of bundles is watched
├── JobFailed       a job that a call waited for could not be done
└── JobCancelled    a job that a call waited for was cancelled
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from impasto.errors import ImpastoError, StyleNotFound
from impasto.jobs import Failure

_MOST_QUOTED = 100  # characters of an id that may be anything
_MOST_LISTED = 50  # ids in a message


class CannotListen(ImpastoError):
    """The address is taken, or is none of this machine's."""


class CallersUnreadable(ImpastoError):
    """A callers file cannot be used."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"callers_file: {file} {problem}")


class CertificateUnusable(ImpastoError):
    """A certificate or a key cannot be used."""

    def __init__(self, file: Path, problem: str) -> None:
        super().__init__(f"TLS: {file} {problem}")


class FolderUnusable(ImpastoError):
    """A folder that the server needs cannot be written to, and no waiting mends that."""


class Unauthenticated(ImpastoError):
    """Nobody knows who calls. Every such caller is told the same.

    Attributes:
        why: for the log.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why

    def __str__(self) -> str:
        return (
            "only known callers are served: send a token that is valid, as `authorization: Bearer TOKEN`, or connect "
            "with a client certificate that the server knows"
        )


class PermissionDenied(ImpastoError):
    """A caller may not do this.

    Attributes:
        role: that it would need.
    """

    def __init__(self, caller: str, role: str) -> None:
        super().__init__(caller, role)
        self.caller = caller
        self.role = role

    def __str__(self) -> str:
        return f"this needs the role {self.role}, which {self.caller} does not have; who runs the server gives roles"


class NotReady(ImpastoError):
    """The server is still starting up; the same request will do later."""


class ShuttingDown(ImpastoError):
    """The server stops; the job goes on, and can be watched and read from the next one."""


class Busy(ImpastoError):
    """The server has too much to do; the same request will do later.

    Attributes:
        retry_after: s, until it probably will.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message, retry_after)
        self.message = message
        self.retry_after = retry_after

    def __str__(self) -> str:
        precision = ".2g" if self.retry_after < 10 else ".0f"
        return f"{self.message}; try again in {self.retry_after:{precision}} s"


class Overloaded(Busy):
    """The server is full."""


class RateLimited(Busy):
    """The caller makes more calls a second than it may."""


class TooManyCalls(Busy):
    """The caller has as many calls under way as it may."""


class TooLate(Busy):
    """Others are before this request, and the caller would have given up by the time that it is done.

    Attributes:
        wait: s, until it would be begun.
    """

    def __init__(self, wait: float, late: float) -> None:
        Busy.__init__(self, f"others are before this, and it would miss the deadline by {late:.2g} s", min(late, wait))
        self.args = (wait, late)
        self.wait = wait


class RequestTooSlow(ImpastoError):
    """A request did not arrive in time.

    Attributes:
        seconds: it had.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"the request did not arrive within {self.seconds:g} s; send it again over a better connection"


class RequestTooLarge(ImpastoError):
    """A request is larger than any may be.

    Attributes:
        most: bytes that it may have.
    """

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self.most = most

    def __str__(self) -> str:
        return f"the request is larger than the {self.most} bytes that are taken here; send a smaller photo"


class StreamIdle(ImpastoError):
    """A stream did not get on, for its caller neither sent nor read.

    Attributes:
        waited_for: what did not come.
        seconds: it was waited for.
    """

    def __init__(self, waited_for: str, seconds: float) -> None:
        super().__init__(waited_for, seconds)
        self.waited_for = waited_for
        self.seconds = seconds

    def __str__(self) -> str:
        return f"{self.waited_for} for {self.seconds:g} s, so the stream was ended; open another when it is needed"


class NotSupported(ImpastoError):
    """A request that is well formed, and that this server cannot serve."""


class BundleRefused(ImpastoError):
    """A bundle that is not served: damaged, of no use here, or one that does not pass the probe.

    Attributes:
        reason: why.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class BundleDamaged(BundleRefused):
    """A bundle whose files are not what its manifest says: altered, or not copied to their end."""


class BundleUnreachable(ImpastoError):
    """A store or a source of bundles that cannot be reached, or a cache that cannot be written; later it may.

    Attributes:
        source: its URL without a password.
        reason: what happened.
    """

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source, reason)
        self.source = source
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.source} cannot be had now: {self.reason}"


class BundleNotHeld(StyleNotFound):
    """The server does not hold this version of a bundle.

    Attributes:
        style: what was asked for.
        available: what can be asked for instead.
        bundle: its name.
        held: the versions of that bundle that are held, the current one first; none where the bundle is unknown.
    """

    def __init__(self, style: str, available: Iterable[str], bundle: str, held: Iterable[str]) -> None:
        super().__init__(style, available)
        self.bundle = bundle
        self.held = tuple(held)
        self.args = (style, self.available, bundle, self.held)

    def __str__(self) -> str:
        asked = repr(self.style[:_MOST_QUOTED])
        if not self.held:
            listed = ", ".join(self.available[:_MOST_LISTED]) or "none"
            return f"{asked} is of a bundle that is not held. Available: {listed}"
        versions = ", ".join((f"{self.held[0]} (current)", *self.held[1:]))
        return f"{asked} is of a version that is not held; of {self.bundle!r} these are: {versions}"


class ModelNotFound(ImpastoError, LookupError):
    """The server holds no such model, or not in this version.

    Attributes:
        model: the name that was asked for.
        version: that was asked for; empty for any.
        models: the names that there are.
        versions: of the model, where there is one of that name.
    """

    def __init__(self, model: str, version: str, models: Iterable[str], versions: Iterable[str]) -> None:
        self.model = model
        self.version = version
        self.models = tuple(models)
        self.versions = tuple(versions)
        super().__init__(model, version, self.models, self.versions)

    def __str__(self) -> str:
        model, version = repr(self.model[:_MOST_QUOTED]), repr(self.version[:_MOST_QUOTED])
        if self.versions:
            return f"no version {version} of model {model} is held. Available: {', '.join(self.versions)}"
        return f"no model {model}. Available: {', '.join(self.models[:_MOST_LISTED]) or 'none'}"


class LastBundle(ImpastoError):
    """What was to be taken out is the last version of all, without which nothing would be served."""


class NoBundleStore(ImpastoError):
    """No store of bundles is watched."""


class JobFailed(ImpastoError):
    """A job could not be done.

    Attributes:
        id: the job's.
        failure: why.
    """

    def __init__(self, id: str, failure: Failure) -> None:
        super().__init__(id, failure)
        self.id = id
        self.failure = failure

    def __str__(self) -> str:
        return self.failure.message


class JobCancelled(ImpastoError):
    """A job was cancelled.

    Attributes:
        id: the job's.
    """

    def __init__(self, id: str) -> None:
        super().__init__(id)
        self.id = id

    def __str__(self) -> str:
        return f"the job operations/{self.id} was cancelled"
