"""What went wrong: in one line for people, as JSON for programs, and as the status that the program ends with."""

from __future__ import annotations

import json
import sys
from typing import Any

from impasto.errors import ImpastoError
from impasto_client.errors import (
    DeadlineExceeded,
    ImpastoClientError,
    InvalidRequest,
    JobUnknown,
    PermissionDenied,
    ServerUnavailable,
    Unauthenticated,
)

DONE = 0
FAILED = 1
REFUSED = 2
GOES_ON = 3
SOME_FAILED = 4
INTERRUPTED = 130
PIPE_CLOSED = 141  # as of a program that SIGPIPE ends

EXIT_STATUSES = """\
exit status, of every command:
  0    done
  1    the server, the disk or a job failed, for all photos or for some: another try may do better; doctor: a problem
  2    a wrong argument, photo, style or job, or the server does not let this caller in
  3    the time was up, and a job goes on
  4    of several photos some cannot be painted, and all others are
  130  interrupted by SIGINT, and bulk with 143 by SIGTERM; what was done stays
  141  nobody reads the standard output any more
"""

EXPECTED = (ImpastoClientError, ImpastoError, OSError)
"""What a command may raise."""


class UsageError(Exception):
    """The command line is wrong.

    Attributes:
        usage: how it should be.
    """

    def __init__(self, usage: str, reason: str) -> None:
        super().__init__(reason)
        self.usage = usage


def status_of(error: BaseException) -> int:
    """Return the status that the program ends with."""
    match error:
        case InvalidRequest() | JobUnknown() | Unauthenticated() | PermissionDenied() | UsageError():
            return REFUSED
        case DeadlineExceeded(operation=str()):
            return GOES_ON
        case KeyboardInterrupt():
            return INTERRUPTED
        case _:
            return FAILED


def reason_of(error: BaseException) -> str:
    """Return what went wrong and what to do, in one line."""
    match error:
        case KeyboardInterrupt():
            reason = "interrupted"
        case ServerUnavailable(retry_after=None, broken=False):
            reason = f"{error}. `impasto doctor` finds out why; `impasto-server` starts a server on this machine"
        case OSError(strerror=str(), filename=str()) if not isinstance(error, ImpastoClientError):
            reason = f"{error.filename}: {error.strerror}"
        case _:
            reason = str(error)
    return " ".join(reason.split())


def facts_of(error: BaseException) -> dict[str, Any]:
    """Return an error as programs read it, always with the same keys."""
    status = error.status.name if isinstance(error, ImpastoClientError) else None
    return {
        "kind": "Interrupted" if isinstance(error, KeyboardInterrupt) else type(error).__name__,
        "reason": reason_of(error),
        "status": status,
        "field": getattr(error, "field", "") or None,
        "retry_after": getattr(error, "retry_after", None),
        "job": getattr(error, "operation", None),
        "exit_status": status_of(error),
    }


def some_failed(reason: str, status: int) -> dict[str, Any]:
    """Return the error of several things, of which some failed; each has been told of before."""
    return {**facts_of(Exception(reason)), "kind": "SomeFailed", "exit_status": status}


def complain(error: BaseException, *, as_json: bool) -> int:
    """Say on standard error what went wrong, and return the status to end with."""
    if as_json:
        print_error(facts_of(error))
    else:
        if isinstance(error, UsageError):
            print(error.usage, end="", file=sys.stderr)
        print("impasto:", reason_of(error), file=sys.stderr)
    return status_of(error)


def print_error(facts: dict[str, Any]) -> None:
    """Print an error for programs."""
    print(json.dumps({"error": facts}), file=sys.stderr, flush=True)
