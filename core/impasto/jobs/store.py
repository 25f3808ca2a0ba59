"""All jobs of one deployment, as the server and its workers share them."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from impasto.errors import BlobMissing, JobEnded, JobNotFound, JobUnfinished, OutOfRange, StoreUnavailable
from impasto.jobs import admission, claims
from impasto.jobs.blobs import Blobs
from impasto.jobs.claims import MASK, PAINTING, PHOTO, RESULT, Claim
from impasto.jobs.database import Database
from impasto.jobs.pairing import pair
from impasto.jobs.records import ANONYMOUS, Commission, Job, Progress, State
from impasto.jobs.schema import SECOND, clock, jobs, to_document, to_job, to_microseconds

QUEUE_LIMIT = 100  # jobs
KEEP_SECONDS = 86_400.0
LEASE_SECONDS = 15.0
ORPHAN_SECONDS = 3_600.0  # longer than any upload takes to become a job
ORPHANS_EVERY = 3_600.0  # s: to look for them is to list the whole store
CHUNK = 256 * 1024  # bytes
_ID = re.compile(r"[0-9a-f]{32}")

_log = logging.getLogger(__name__)


class Jobs:
    """All jobs of one deployment: rows in a database, pictures in a blob store.

    Several threads may use it, and several processes may open the same ones. Each call is short, and raises
    StoreUnavailable when the store cannot be used; it has then done nothing, and may be made again.
    """

    def __init__(
        self, database: Database, blobs: Blobs, *, queue_limit: int, keep_seconds: float, lease_seconds: float
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._queue_limit = queue_limit
        self._keep_seconds = keep_seconds
        self._lease_seconds = lease_seconds
        self._orphans_due = -math.inf

    @classmethod
    def open(
        cls,
        database: str,
        blobs: str,
        *,
        queue_limit: int = QUEUE_LIMIT,
        keep_seconds: float = KEEP_SECONDS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> Jobs:
        """Reach both stores; what is missing of tables and folders is made.

        Args:
            database: sqlite:////folder/jobs.sqlite, or postgresql://user@host/database.
            blobs: a folder, or a URL that fsspec knows, such as s3://bucket/prefix.
            queue_limit: how many jobs may wait.
            keep_seconds: how long a job made here is kept after its end.
            lease_seconds: how long a claim made here lasts without a sign of life.

        Raises:
            InvalidInput: a URL that cannot be understood, or the blobs of another database.
            MissingDependency: of a URL's protocol.
            StoreUnavailable: out of reach, or not permitted.
        """
        pictures = Blobs.open(blobs)
        rows = Database.open(database)
        try:
            pair(rows, pictures)
        except BaseException:
            rows.close()
            raise
        return cls(rows, pictures, queue_limit=queue_limit, keep_seconds=keep_seconds, lease_seconds=lease_seconds)

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def ping(self) -> None:
        """Raise StoreUnavailable unless both stores can be used."""
        with self._database.read() as connection:
            connection.execute(select(jobs.c.id).limit(1))
        self._blobs.ping()

    # The server's side

    def create(
        self,
        commission: Commission,
        photo: bytes,
        paintings: Sequence[bytes],
        *,
        mask: bytes | None = None,
        owner: str = ANONYMOUS,
        request_id: str | None = None,
        priority: int = 0,
        quota: int = 0,
        traceparent: str = "",
    ) -> Job:
        """Queue a job. A request that is made again with the same id returns the job that it made.

        Args:
            commission: what is to be painted.
            photo, paintings: picture files.
            mask: one more, where the commission says how it is taken.
            owner: whose it will be.
            request_id: the owner's name for this request.
            priority: the higher, the sooner.
            quota: how many of the owner's jobs may wait or run, this one included; 0 for any number.
            traceparent: the span that makes it, by W3C's trace context; empty where there is none.

        Raises:
            JobQuotaReached: the owner has as many.
            QueueFull: too many wait.
            RequestReused: the owner used this id with other content.
            InvalidInput: a request id that is not allowed.
        """
        admission.check_request_id(request_id)
        pictures = {PHOTO: photo, **{f"{PAINTING}-{index}": file for index, file in enumerate(paintings)}}
        if mask is not None:
            pictures[MASK] = mask
        digest = admission.digest_of(commission, pictures.values())
        limits = {"queue_limit": self._queue_limit, "quota": quota}
        with self._database.read() as connection:
            if existing := admission.admit(connection, owner, request_id, digest, **limits):
                return existing
        job = uuid4().hex
        values = {
            "id": job,
            "owner": owner,
            "request_id": request_id,
            "digest": digest,
            "state": State.QUEUED.value,
            "priority": priority,
            "created": admission.later_than_all(),
            "keep": round(self._keep_seconds * SECOND),
            "commission": to_document(commission),
            "progress": to_document(Progress()),
            "notes": to_document([]),
            "traceparent": traceparent or None,
        }
        try:
            for name, file in pictures.items():
                self._blobs.write(f"{job}/{name}", file)
            with self._database.alone() as connection:
                existing = admission.admit(connection, owner, request_id, digest, **limits)
                made = existing or to_job(connection.execute(insert(jobs).values(values).returning(*jobs.c)).one())
        except StoreUnavailable:
            if found := self._after_all(job):
                return found
            raise
        except BaseException:
            self._remove_blobs(job)
            raise
        if existing:
            self._remove_blobs(job)
        return made

    def get(self, id: str, owner: str) -> Job:
        """Return a job.

        Raises:
            JobNotFound: none of this id is this owner's.
        """
        with self._database.read() as connection:
            return self._find(connection, id, owner)

    def list(
        self, owner: str, *, after: tuple[datetime, str] | None = None, limit: int, ended: bool | None = None
    ) -> list[Job]:
        """Return an owner's jobs, the newest first.

        Args:
            owner: whose.
            after: when the last job of the page before was created, and its id.
            limit: how many at most.
            ended: only those that have ended, or only those that have not.
        """
        statement = select(jobs).where(jobs.c.owner == owner)
        if after is not None:
            statement = statement.where(tuple_(jobs.c.created, jobs.c.id) < (to_microseconds(after[0]), after[1]))
        if ended is not None:
            statement = statement.where(jobs.c.state.in_([state.value for state in State if state.ended == ended]))
        statement = statement.order_by(jobs.c.created.desc(), jobs.c.id.desc()).limit(limit)
        with self._database.read() as connection:
            return [to_job(row) for row in connection.execute(statement)]

    def cancel(self, id: str, owner: str) -> Job:
        """Cancel a job: one that waits at once, one that runs as soon as its worker sees it. Doing it twice is fine.

        Raises:
            JobNotFound: none of this id is this owner's.
            JobEnded: it has succeeded or failed.
        """
        with self._database.write() as connection:
            job = self._find(connection, id, owner, lock=True)
            if job.state in (State.SUCCEEDED, State.FAILED):
                raise JobEnded(id, job.state.value)
            if not job.state.ended:
                values = claims.ending(State.CANCELLED) if job.state is State.QUEUED else {"cancelling": True}
                connection.execute(update(jobs).where(jobs.c.id == id).values(**values))
            dead = claims.bury(connection)  # it may be one whose worker died
            job = self._find(connection, id, owner)
        for ended in {*dead, id} if job.state.ended else dead:
            claims.tidy(self._blobs, ended)
        return job

    def delete(self, id: str, owner: str) -> None:
        """Delete a job and all its pictures; the worker of one that runs finds that it no longer holds it.

        Raises:
            JobNotFound: none of this id is this owner's.
        """
        with self._database.write() as connection:
            self._find(connection, id, owner, lock=True)
            connection.execute(delete(jobs).where(jobs.c.id == id))
        self._remove_blobs(id)
        self._forget()

    def preview(self, job: Job) -> bytes | None:
        """Return the newest preview of a job that runs, JPEG; None where there is none."""
        for _ in range(3):  # one that is being replaced is gone when its name has been read
            with self._database.read() as connection:
                name = connection.scalar(select(jobs.c.preview).where(jobs.c.id == job.id))
            if name is None:
                return None
            if data := self._blobs.read(f"{job.id}/{name}"):
                return data
        return None

    def read_result(self, job: Job, offset: int = 0, chunk: int = CHUNK) -> Iterator[bytes]:
        """Return the file that a job has made, in pieces of `chunk` bytes at most.

        Raises:
            JobUnfinished: it has not succeeded.
            OutOfRange: the offset is behind the file's end.
            JobNotFound: it was deleted meanwhile.
            BlobMissing: the file is gone.
        """
        if job.state is not State.SUCCEEDED or job.result is None:
            raise JobUnfinished(job.id, job.state.value)
        if not 0 <= offset <= job.result.byte_count:
            raise OutOfRange("read_offset", f"{offset} is out of range; the result has {job.result.byte_count} bytes")
        name = f"{RESULT}-{job.attempts}"
        pieces = self._blobs.stream(f"{job.id}/{name}", offset, chunk)
        if pieces is None:
            self.get(job.id, job.owner)
            raise BlobMissing(job.id, name)
        return pieces

    def counts(self) -> Mapping[State, int]:
        """Return how many jobs are in each state."""
        with self._database.read() as connection:
            found = connection.execute(select(jobs.c.state, func.count()).group_by(jobs.c.state)).all()
        return dict.fromkeys(State, 0) | {State(state): count for state, count in found}

    def longest_wait(self) -> float:
        """Return for how many seconds the job has waited that has waited longest; 0 where none waits.

        One that was begun waits again from when its worker's lease lapsed.
        """
        since = func.min(func.coalesce(jobs.c.lease_until, jobs.c.created))
        with self._database.read() as connection:
            waited = connection.scalar(select(clock() - since).where(claims.WAITING))
        return max(0, waited or 0) / SECOND

    def sweep(self) -> int:
        """Delete expired jobs, and once an hour pictures that belong to none; return how many jobs were deleted.

        What deleted jobs left in the database's files goes at the same times.
        """
        expiring = select(jobs.c.id).where(jobs.c.expires < clock()).with_for_update(skip_locked=True)
        with self._database.write() as connection:
            dead = claims.bury(connection)
            expired = list(connection.scalars(delete(jobs).where(jobs.c.id.in_(expiring)).returning(jobs.c.id)))
        for job in dead:
            claims.tidy(self._blobs, job)
        for job in expired:
            self._remove_blobs(job)
        if time.monotonic() >= self._orphans_due:
            self._remove_orphans()
            self._database.rewrite()
            self._orphans_due = time.monotonic() + ORPHANS_EVERY
        else:
            self._forget()
        return len(expired)

    # The worker's side

    def claim(self, worker: str) -> Claim | None:
        """Begin with the next job: of the highest priority, the oldest that waits or whose worker died.

        Args:
            worker: a name that no other worker has.
        """
        return claims.take(self._database, self._blobs, worker, self._lease_seconds)

    def _after_all(self, job: str) -> Job | None:
        """Return a job whose creation seemed to fail, if it is there, or remove its blobs if it is not.

        A connection that breaks leaves open what became of its transaction. Waiting for the lock that it held settles
        it. While nobody can tell, the blobs stay; unless a row turns up they are swept.
        """
        try:
            with self._database.alone() as connection:
                row = connection.execute(select(jobs).where(jobs.c.id == job)).one_or_none()
        except StoreUnavailable:
            return None
        if row is None:
            self._remove_blobs(job)
            return None
        return to_job(row)

    def _find(self, connection: Connection, id: str, owner: str, *, lock: bool = False) -> Job:
        statement = select(jobs).where(jobs.c.id == id, jobs.c.owner == owner)
        if lock:
            statement = statement.with_for_update()
        row = connection.execute(statement).one_or_none() if _ID.fullmatch(id) else None
        if row is None:
            raise JobNotFound(id)
        return to_job(row)

    def _remove_blobs(self, job: str) -> None:
        try:
            self._blobs.remove_job(job)
        except StoreUnavailable as error:
            _log.warning("the pictures of job %s, which is deleted, stay until they are swept: %s", job, error)

    def _forget(self) -> None:
        try:
            self._database.forget()
        except StoreUnavailable as error:
            _log.warning("what was deleted stays in the database's log until the next sweep: %s", error)

    def _remove_orphans(self) -> None:
        self._blobs.remove_partial()
        old = {name for name, age in self._blobs.ages().items() if age > ORPHAN_SECONDS}
        with self._database.read() as connection:
            known = set(connection.scalars(select(jobs.c.id)))
        for name in old - known:
            if _ID.fullmatch(name):
                self._remove_blobs(name)
