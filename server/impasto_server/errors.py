"""Errors that only a server has. Like those of the core, they know nothing of gRPC.

ImpastoError
├── CannotListen    an address that cannot be had; ends the start-up
├── NotReady        the engines are not warm yet
├── ShuttingDown    the server stops, and waits for no job any more
├── Busy            more work than can be done soon; says when to try again
│   ├── Overloaded  as many requests in flight as the server takes, or as this client may have
│   └── TooLate     it would not be done within the caller's deadline
├── RequestTooSlow  a request that did not arrive in time
├── NotSupported    something that this server does not do
├── JobFailed       a job that a call waited for could not be done
└── JobCancelled    a job that a call waited for was cancelled
"""

from __future__ import annotations

from impasto.errors import ImpastoError
from impasto.jobs import Failure


class CannotListen(ImpastoError):
    """The address is taken, or is none of this machine's."""


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
        return f"{self.message}; try again in {self.retry_after:.2g} s"


class Overloaded(Busy):
    """The server is full."""


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


class NotSupported(ImpastoError):
    """A request that is well formed, and that this server cannot serve."""


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
