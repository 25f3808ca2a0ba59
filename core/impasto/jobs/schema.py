"""The tables, the database's clock, and rows as records.

Times are microseconds since 1970 by the database's clock, for the clocks of servers and workers may differ. Documents
are JSON in text: they are read back whole, and never searched.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, String, Table, Text, UniqueConstraint
from sqlalchemy.engine import Row
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from impasto.images import Format
from impasto.jobs.records import Commission, Failure, Job, Progress, Result, State

SECOND = 1_000_000  # of the table's unit of time
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class UnreadableCommission(Exception):
    """What a row says of a job's commission is none, or none that this version takes."""


metadata = MetaData()

deployment = Table("impasto_deployment", metadata, Column("id", String(32), primary_key=True))

jobs = Table(
    "impasto_jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("owner", Text, nullable=False),
    Column("request_id", Text),
    Column("digest", String(64), nullable=False),  # of what was asked for, to know a request again
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("started", BigInteger),
    Column("ended", BigInteger),
    Column("expires", BigInteger),
    Column("keep", BigInteger, nullable=False),  # from its end to when it expires
    Column("attempts", Integer, nullable=False, default=0),
    Column("tries", Integer, nullable=False, default=0),  # attempts since the last checkpoint, this one among them
    Column("cancelling", Boolean, nullable=False, default=False),
    Column("worker", Text),
    Column("lease_until", BigInteger),
    Column("checkpoint", Text),  # the blob's name, as is the preview's
    Column("preview", Text),
    Column("commission", Text, nullable=False),
    Column("progress", Text, nullable=False),
    Column("notes", Text, nullable=False),
    Column("result", Text),
    Column("failure", Text),
    Column("traceparent", String(100)),  # of who made it, by W3C's trace context
    UniqueConstraint("owner", "request_id", name="impasto_jobs_request"),
    Index("impasto_jobs_queue", "state", "priority", "created"),
    Index("impasto_jobs_owner", "owner", "created"),
    Index("impasto_jobs_created", "created"),
)

ADDED = frozenset({jobs.c.traceparent.name})
"""Columns that tables made by earlier versions lack, which may be used beside this one: they can be null."""


class clock(FunctionElement[int]):  # noqa: N801 (reads as the SQL function that it is)
    """The time by the database's clock; the same within one statement."""

    type = BigInteger()
    inherit_cache = True


@compiles(clock, "sqlite")
def _sqlite_clock(*_: Any, **__: Any) -> str:
    return "(CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER) * 1000)"


@compiles(clock, "postgresql")
def _postgresql_clock(*_: Any, **__: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM statement_timestamp()) * 1000000 AS BIGINT)"


def to_microseconds(time: datetime) -> int:
    """Return a record's time as the table's."""
    return (time - _EPOCH) // timedelta(microseconds=1)


def to_document(value: Commission | Progress | Result | Failure | list[str]) -> str:
    """Return what a column of text holds for this."""
    if isinstance(value, Commission):
        return json.dumps(value.to_dict(), sort_keys=True)
    if isinstance(value, list):
        return json.dumps(value)
    document = asdict(value)
    if isinstance(value, Result):
        document["format"] = value.format.value
    return json.dumps(document)


def to_commission(text: str) -> Commission:
    """Return a column of text as the commission that it holds, or raise UnreadableCommission."""
    try:
        return Commission.from_dict(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError) as error:  # InvalidInput is a ValueError
        raise UnreadableCommission(str(error)) from error


def to_job(row: Row[Any]) -> Job:
    """Return a row as the record that server and worker read."""
    return Job(
        id=row.id,
        owner=row.owner,
        state=State(row.state),
        priority=row.priority,
        commission=_to_commission_or_none(row.commission),
        created=_to_time(row.created),
        started=_to_time_or_none(row.started),
        ended=_to_time_or_none(row.ended),
        expires=_to_time_or_none(row.expires),
        progress=_to_progress(json.loads(row.progress)),
        notes=tuple(json.loads(row.notes)),
        attempts=row.attempts,
        cancelling=row.cancelling,
        result=_to_result(json.loads(row.result)) if row.result else None,
        failure=Failure(**json.loads(row.failure)) if row.failure else None,
        traceparent=row.traceparent or "",
    )


def _to_commission_or_none(text: str) -> Commission | None:
    try:
        return to_commission(text)
    except UnreadableCommission:
        return None


def _to_time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)


def _to_time_or_none(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _to_time(microseconds)


def _to_progress(document: dict[str, Any]) -> Progress:
    return Progress(**{**document, "size": tuple(document["size"])})


def _to_result(document: dict[str, Any]) -> Result:
    sizes = {key: tuple(document[key]) for key in ("size", "working_size")}
    return Result(**{**document, **sizes, "format": Format(document["format"])})
