"""A worker's hold on a job.

A claim is a row's worker and attempt. It is held for as long as the row says so: the lease only tells others when they
may take the job, and then the attempt grows. So every write asks for worker and attempt, and one that comes late does
nothing. A blob gets a name that only this attempt uses, and the row points at it once it is whole.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Update, and_, case, func, or_, select, update
from sqlalchemy.engine import Row
from sqlalchemy.sql.elements import ColumnElement

from impasto.errors import BlobMissing, BlobUnreadable, LeaseLost, StoreUnavailable
from impasto.jobs.blobs import Blobs
from impasto.jobs.database import Database
from impasto.jobs.records import Commission, Failure, Job, Progress, Result, State
from impasto.jobs.schema import SECOND, UnreadableCommission, clock, jobs, to_commission, to_document, to_job
from impasto.masks import Mask

MAX_ATTEMPTS = 3  # to get from one checkpoint to the next
PHOTO = "photo"
PAINTING = "painting"
MASK = "mask"
RESULT = "result"

_UNREADABLE = Failure(
    "JobUnreadable", "another version of Impasto stored this job in a way that this one cannot read: create it again"
)

_log = logging.getLogger(__name__)

_lapsed = and_(jobs.c.state == State.RUNNING.value, jobs.c.lease_until < clock())

WAITING = or_(jobs.c.state == State.QUEUED.value, and_(_lapsed, ~jobs.c.cancelling, jobs.c.tries < MAX_ATTEMPTS))
"""What a row is like that a worker may take."""


def ending(state: State | ColumnElement[str]) -> dict[str, Any]:
    """Return the values of a row whose job ends now."""
    return {
        "state": state.value if isinstance(state, State) else state,
        "ended": clock(),
        "expires": clock() + jobs.c.keep,
        "cancelling": False,
        "worker": None,
        "lease_until": None,
        "checkpoint": None,
        "preview": None,
    }


def take(database: Database, blobs: Blobs, worker: str, lease_seconds: float) -> Claim | None:
    """Claim the next job, or return None when none waits. Those on the way that nobody can read are failed."""
    claim = None
    with database.write() as connection:
        dead = bury(connection)
        while row := connection.execute(_claim(worker, lease_seconds)).one_or_none():
            try:
                claim = Claim(database, blobs, row, to_commission(row.commission), lease_seconds)
                break
            except UnreadableCommission as error:
                _log.warning("job %s fails, for this version cannot read what it was to paint: %s", row.id, error)
                values = {**ending(State.FAILED), "failure": to_document(_UNREADABLE)}
                connection.execute(update(jobs).where(jobs.c.id == row.id).values(**values))
                dead.append(row.id)
    for job in dead:
        tidy(blobs, job)
    return claim


def bury(connection: Connection) -> list[str]:
    """End the jobs that nobody holds and nobody shall take: cancelled, or tried too often. Return their ids."""
    hopeless = select(jobs.c.id).where(_lapsed, or_(jobs.c.cancelling, jobs.c.tries >= MAX_ATTEMPTS))
    failure = Failure(
        "WorkerLost",
        f"{MAX_ATTEMPTS} workers died of it, one after the other, without getting any further; "
        "it may need more memory than they have: ask for a smaller working_size",
    )
    state = case((jobs.c.cancelling, State.CANCELLED.value), else_=State.FAILED.value)
    cause = case((jobs.c.cancelling, None), else_=to_document(failure))
    statement = (
        update(jobs)
        .where(jobs.c.id.in_(hopeless.with_for_update(skip_locked=True)))
        .values(**ending(state), failure=cause)
        .returning(jobs.c.id)
    )
    return list(connection.scalars(statement))


def tidy(blobs: Blobs, job: str, keep: str = "") -> None:
    """Remove what an ended job needs no more: all but `keep`. What stays as that fails goes when the job expires."""
    try:
        blobs.remove(*(blob for blob in blobs.list(job) if blob != f"{job}/{keep}"))
    except StoreUnavailable as error:
        _log.warning("what job %s left behind stays until it expires: %s", job, error)


def _claim(worker: str, lease_seconds: float) -> Update:
    next_one = (
        select(jobs.c.id)
        .where(WAITING)
        .order_by(jobs.c.priority.desc(), jobs.c.created, jobs.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (
        update(jobs)
        .where(jobs.c.id == next_one.scalar_subquery())
        .values(
            state=State.RUNNING.value,
            worker=worker,
            attempts=jobs.c.attempts + 1,
            tries=jobs.c.tries + 1,
            started=func.coalesce(jobs.c.started, clock()),
            lease_until=_from_now(lease_seconds),
        )
        .returning(*jobs.c)
    )


def _from_now(seconds: float) -> ColumnElement[int]:
    return clock() + round(seconds * SECOND)


class Claim:
    """One worker's hold on a job. A thread may renew it while another one works.

    Every write happens only while the row is this claim's; else it raises LeaseLost, and leaves no blob behind. All of
    it raises StoreUnavailable when the store cannot be used, and may then be called again.

    Attributes:
        job: as it was claimed.
        commission: what it paints.
        attempt: which one this is, over the job's life.
        tries_without_progress: how many attempts before this one have died since the last checkpoint.
    """

    def __init__(
        self, database: Database, blobs: Blobs, row: Row[Any], commission: Commission, lease_seconds: float
    ) -> None:
        self.job: Job = to_job(row)
        self.commission = commission
        self.attempt: int = row.attempts
        self.tries_without_progress: int = row.tries - 1
        self._database = database
        self._blobs = blobs
        self._lease_seconds = lease_seconds
        self._held = and_(
            jobs.c.id == self.job.id,
            jobs.c.state == State.RUNNING.value,
            jobs.c.worker == row.worker,
            jobs.c.attempts == self.attempt,
        )
        self._notes = list(self.job.notes)
        self._blob_of: dict[str, str | None] = {"checkpoint": row.checkpoint, "preview": row.preview}
        self._preview = self.job.progress.preview
        self._checkpoints = 0

    def photo(self) -> bytes:
        """Return the photo's file, as it was uploaded."""
        return self._given(PHOTO)

    def paintings(self) -> list[bytes]:
        """Return the paintings' files, as they were uploaded."""
        return [self._given(f"{PAINTING}-{index}") for index in range(len(self.commission.painting_weights))]

    def mask(self) -> Mask | None:
        """Return the mask, as it was uploaded, or None where the job has none."""
        masking = self.commission.mask
        return None if masking is None else Mask(self._given(MASK), masking)

    def checkpoint(self) -> bytes | None:
        """Return what the last checkpoint saved, or None when there is none."""
        name = self._blob_of["checkpoint"]
        if name is None:
            return None
        try:
            return self._given(name)
        except BlobMissing as error:
            _log.warning("job %s begins anew, for it has lost its checkpoint: %s", self.job.id, error)
            return None

    def renew(self) -> bool:
        """Extend the lease; return whether the job is to stop, for it was cancelled."""
        due = jobs.c.lease_until < _from_now(self._lease_seconds * 2 / 3)  # so as not to write at every heartbeat
        with self._database.read() as connection:
            row = connection.execute(select(jobs.c.cancelling, due.label("due")).where(self._held)).one_or_none()
        if row is None:
            raise LeaseLost(self.job.id)
        if row.due:
            self._update({})
        return bool(row.cancelling)

    def report(self, progress: Progress, *, preview: bytes | None = None, notes: Sequence[str] = ()) -> None:
        """Record how far the job is.

        Args:
            progress: its number of a preview does not count: previews are numbered here.
            preview: a JPEG of the picture as it is now.
            notes: what is done otherwise than asked for; they are added to those before.
        """
        number = self._preview + (preview is not None)
        values = {"progress": to_document(replace(progress, preview=number))} | self._noted(notes)
        if preview is None:
            self._update(values)
        else:
            self._point("preview", f"preview-{self.attempt}-{number}", preview, values)
            self._preview = number

    def save_checkpoint(self, state: bytes, progress: Progress) -> None:
        """Keep what the next attempt goes on from. A job that is saved again and again may be tried again and again."""
        values = {"progress": to_document(replace(progress, preview=self._preview)), "tries": 0}
        self._point("checkpoint", f"checkpoint-{self.attempt}-{self._checkpoints}", state, values)
        self._checkpoints += 1

    def succeed(self, file: bytes, result: Result, notes: Sequence[str] = ()) -> None:
        """End the job with its result."""
        name = f"{RESULT}-{self.attempt}"
        self._blobs.write(f"{self.job.id}/{name}", file)
        values = {**ending(State.SUCCEEDED), "result": to_document(result)} | self._noted(notes)
        self._end(State.SUCCEEDED, values, name)

    def fail(self, failure: Failure) -> None:
        """End the job without a result."""
        self._end(State.FAILED, {**ending(State.FAILED), "failure": to_document(failure)})

    def cancelled(self) -> None:
        """End the job because it was cancelled."""
        self._end(State.CANCELLED, ending(State.CANCELLED))

    def release(self) -> None:
        """Give the job back, to be gone on with from its checkpoint; this attempt does not count against it."""
        given_back = {"state": State.QUEUED.value, "worker": None, "lease_until": clock()}  # from when on it waits
        tries = case((jobs.c.tries > 0, jobs.c.tries - 1), else_=0)
        with self._database.write() as connection:
            held = select(jobs.c.cancelling).where(self._held).with_for_update()
            if row := connection.execute(held).one_or_none():
                values = ending(State.CANCELLED) if row.cancelling else given_back | {"tries": tries}
                connection.execute(update(jobs).where(self._held).values(**values))
        if row is None:
            self._refused(State.QUEUED, State.CANCELLED)
        elif row.cancelling:
            tidy(self._blobs, self.job.id)

    def _given(self, name: str) -> bytes:
        try:
            data = self._read(name)
        except StoreUnavailable as error:
            self._blobs.ping()  # a store that is there has nothing to come back with: it is this blob that is at fault
            _log.warning("%s of job %s cannot be read: %s", name, self.job.id, error)
            raise BlobUnreadable(self.job.id, name) from error
        if data is None:
            self.renew()  # a deleted job is no longer held, and has no blobs
            raise BlobMissing(self.job.id, name)
        return data

    def _read(self, name: str) -> bytes | None:
        """Return a blob of the job; a store that was away for a moment is asked twice."""
        try:
            return self._blobs.read(f"{self.job.id}/{name}")
        except StoreUnavailable:
            self._blobs.ping()
            return self._blobs.read(f"{self.job.id}/{name}")

    def _noted(self, notes: Sequence[str]) -> dict[str, str]:
        self._notes += [note for note in dict.fromkeys(notes) if note not in self._notes]
        return {"notes": to_document(self._notes)} if notes else {}

    def _point(self, column: str, name: str, data: bytes, values: Mapping[str, Any]) -> None:
        """Write a blob, then let the row point at it, then remove the one that it pointed at before."""
        self._blobs.write(f"{self.job.id}/{name}", data)
        try:
            self._update({**values, column: name})
        except LeaseLost:
            self._discard(name)
            raise
        old, self._blob_of[column] = self._blob_of[column], name
        if old and old != name:
            with suppress(StoreUnavailable):  # it goes when the job ends
                self._blobs.remove(f"{self.job.id}/{old}")

    def _end(self, state: State, values: Mapping[str, Any], result: str = "") -> None:
        if not self._write(values):
            self._refused(state, blob=result)
        tidy(self._blobs, self.job.id, result)

    def _refused(self, *states: State, blob: str = "") -> None:
        """Raise LeaseLost, unless the row is as it was to be: then an earlier call got through without saying so."""
        statement = select(jobs.c.state, jobs.c.attempts).where(jobs.c.id == self.job.id)
        with self._database.read() as connection:
            row = connection.execute(statement).one_or_none()
        if row is not None and State(row.state) in states and row.attempts == self.attempt:
            return
        if blob:
            self._discard(blob)
        raise LeaseLost(self.job.id)

    def _discard(self, name: str) -> None:
        """Remove a blob of this attempt that was written too late, unless the row did come to point at it."""
        with suppress(StoreUnavailable):
            with self._database.read() as connection:
                columns = select(jobs.c.checkpoint, jobs.c.preview).where(jobs.c.id == self.job.id)
                pointed_at = connection.execute(columns).one_or_none()
            if name not in (pointed_at or ()):
                self._blobs.remove(f"{self.job.id}/{name}")

    def _update(self, values: Mapping[str, Any]) -> None:
        if not self._write({**values, "lease_until": _from_now(self._lease_seconds)}):
            raise LeaseLost(self.job.id)

    def _write(self, values: Mapping[str, Any]) -> bool:
        with self._database.write() as connection:
            return connection.execute(update(jobs).where(self._held).values(**values)).rowcount == 1
