"""Who calls. The one place that knows: the gate says it here, and whoever needs it reads it here."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from impasto_server.errors import PermissionDenied
from impasto_server.identity.identities import NOBODY, Identity
from impasto_server.identity.roles import Role

# Of the call that the current task serves; each call has a task of its own.
_identity: ContextVar[Identity] = ContextVar("identity", default=NOBODY)


@dataclass(frozen=True)
class Caller:
    """One call's side of the story.

    Attributes:
        client: who is to get a fair share of the server: a caller, or a connection where nothing tells callers apart.
        due: when the caller gives up, as `perf_counter` tells it; None for never.
    """

    client: str
    due: float | None = None


def let_in(identity: Identity) -> None:
    """Note who makes the call that the current task serves."""
    _identity.set(identity)


def current_identity() -> Identity:
    """Return who makes the call that the current task serves: somebody without any role, unless a gate knew better."""
    return _identity.get()


def require(role: Role) -> None:
    """Raise PermissionDenied unless the caller has this role."""
    identity = current_identity()
    if role not in identity.roles:
        raise PermissionDenied(identity.name, role)


def caller_of(context: Any) -> Caller:
    """Return who makes a call, and until when."""
    left = context.time_remaining()
    identity = current_identity()
    return Caller(identity.name if identity.known else context.peer(), None if left is None else perf_counter() + left)


def origin_of(context: Any) -> str:
    """Return where a call comes from: a caller, or the machine of its connection where nothing tells callers apart.

    Connections cost nothing, so what one machine holds by many of them is held by one.
    """
    identity = current_identity()
    return identity.name if identity.known else str(context.peer()).rpartition(":")[0]


def current_job_quota(usual: int) -> int:
    """Return how many jobs the caller may have that have not ended; 0 for any number.

    Callers that are not told apart own their jobs together, so that a share of each cannot be told either.

    Args:
        usual: of a caller that has no limit of its own.
    """
    identity = current_identity()
    own = identity.limits.max_jobs
    return own if own is not None else usual * identity.known


def owner_of(context: Any) -> str:  # noqa: ARG001
    """Return who owns what a call makes, and whose jobs it may see."""
    return current_identity().name
