"""Which requests become jobs: not one that was made before, and not more than may wait."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from impasto.errors import InvalidInput, JobQuotaReached, QueueFull, RequestReused
from impasto.jobs.records import Commission, Job, State
from impasto.jobs.schema import SECOND, clock, jobs, to_document, to_job

_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

_UNENDED = [state.value for state in State if not state.ended]

_RECENT = 20  # jobs that a guess is made from
_UNKNOWN_WAIT = 30.0  # s, before any job has succeeded
_SHORTEST_WAIT, _LONGEST_WAIT = 1.0, 600.0  # s


def check_request_id(request_id: str | None) -> None:
    """Raise InvalidInput unless a job can be known by this id."""
    if request_id is not None and not _REQUEST_ID.fullmatch(request_id):
        raise InvalidInput(
            "request_id",
            f"{request_id[:80]!r} is not allowed; give at most 64 letters, digits, hyphens and underscores",
        )


def digest_of(commission: Commission, pictures: Iterable[bytes]) -> str:
    """Return what tells one request's content from another's: photo, paintings, and the mask where it has one."""
    digest = hashlib.sha256()
    for part in (to_document(commission).encode(), *pictures):
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return digest.hexdigest()


def admit(
    connection: Connection, owner: str, request_id: str | None, digest: str, *, queue_limit: int, quota: int
) -> Job | None:
    """Return the job that this request made before, or None when it may make one.

    Args:
        connection: in a transaction; alone, where the answer is to hold.
        owner: who asks.
        request_id: the owner's name for the request.
        digest: of its content.
        queue_limit: how many jobs may wait, whosever they are.
        quota: how many jobs of this owner may wait or run; 0 for any number.

    Raises:
        RequestReused: the request id came with other content before.
        JobQuotaReached: as many of the owner's have not ended as may.
        QueueFull: as many wait as may.
    """
    if request_id is not None:
        same = select(jobs).where(jobs.c.owner == owner, jobs.c.request_id == request_id)
        if row := connection.execute(same).one_or_none():
            if row.digest != digest:
                raise RequestReused(request_id)
            return to_job(row)
    if quota and _count(connection, and_(jobs.c.owner == owner, jobs.c.state.in_(_UNENDED))) >= quota:
        raise JobQuotaReached(quota, _wait(connection))
    if _count(connection, jobs.c.state == State.QUEUED.value) >= queue_limit:
        raise QueueFull(queue_limit, _wait(connection))
    return None


def later_than_all() -> ColumnElement[int]:
    """Return the time now, or just after the newest job's: first come, first served, even when a clock steps back."""
    newest = select(func.coalesce(func.max(jobs.c.created), 0)).scalar_subquery()
    return case((newest >= clock(), newest + 1), else_=clock())


def _wait(connection: Connection) -> float:
    """Return the seconds until one more job has probably ended, and one of those that wait has been begun."""
    recent = (
        select((jobs.c.ended - jobs.c.started).label("took"))
        .where(jobs.c.state == State.SUCCEEDED.value)
        .order_by(jobs.c.ended.desc())
        .limit(_RECENT)
        .subquery()
    )
    took = connection.scalar(select(func.avg(recent.c.took)))
    workers = _count(connection, and_(jobs.c.state == State.RUNNING.value, jobs.c.lease_until >= clock()))
    seconds = _UNKNOWN_WAIT if took is None else float(took) / SECOND / max(1, workers)
    return min(max(seconds, _SHORTEST_WAIT), _LONGEST_WAIT)


def _count(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(jobs).where(condition)) or 0
