"""Errors that only a server has. Like those of the core, they know nothing of gRPC.

ImpastoError
├── CannotListen    an address that cannot be had; ends the start-up
├── NotReady        the engines are not warm yet
├── ShuttingDown    the server stops, and waits for no job any more
├── Overloaded      as many requests in flight as the server takes
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


class Overloaded(ImpastoError):
    """The server is full; the same request will do later."""


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
