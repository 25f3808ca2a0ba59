"""Jobs, as the servicers ask for them: made from orders, watched, read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from time import perf_counter

from impasto.images import Limits, Size, decode
from impasto.jobs import Commission, Job, Jobs, State
from impasto.masks import Stencil
from impasto.tracing import Stage, current_span
from impasto_server.errors import JobCancelled, JobFailed, ShuttingDown
from impasto_server.fast.admission import Admission
from impasto_server.fast.codec import Codec
from impasto_server.jobs.feeds import Feeds
from impasto_server.jobs.store import Store
from impasto_server.order import JobOrder
from impasto_server.sizes import output_size

_CHUNKS_AT_ONCE = 16  # so that a thread is not asked for each


@dataclass(frozen=True)
class Made:
    """A job made, or found by its request id.

    Attributes:
        job: as it was then.
        decode: s, spent on looking at its pictures.
    """

    job: Job
    decode: float


class JobDesk:
    """Takes orders for jobs, and answers for them.

    Args:
        store: where they are kept.
        admission: who may come in while their pictures are looked at.
        storing: who may come in while their pictures are stored; a store that hangs takes no place of the others.
        codec: what looks at them.
        default_working_size: px, the long side that larger photos are painted at.
        max_pixels: that a photo, a painting or a result may have.
    """

    def __init__(
        self,
        store: Store,
        admission: Admission,
        storing: Admission,
        codec: Codec,
        *,
        default_working_size: int,
        max_pixels: int,
    ) -> None:
        self._store = store
        self._admission = admission
        self._storing = storing
        self._codec = codec
        self._default_working_size = default_working_size
        self._limits = Limits(max_pixels)
        self._feeds = Feeds(self.get)

    async def create(self, order: JobOrder, owner: str, client: str, quota: int = 0) -> Made:
        """Queue a job; it is durable on return.

        Args:
            order: what is asked for.
            owner: whose it will be.
            client: who has a share of the places.
            quota: how many of the owner's jobs may wait or run; 0 for any number.

        Raises:
            NotSupported: jobs are not served.
            Overloaded: no place is free to look at the pictures, or to store them.
            InvalidInput: a picture that cannot be read, or a size that does not suit it.
            QueueFull, JobQuotaReached, RequestReused, StoreUnavailable: see `Jobs.create`.
        """
        await self._store.open()
        span = current_span()
        with self._admission.admit(client):
            begun = perf_counter()
            commission = await self._commission(order)
            looked = perf_counter()
            span.add([Stage("decode", begun, looked)])
        with self._storing.admit(client):
            storing = perf_counter()
            job = await self._store.ask(
                Jobs.create,
                commission,
                order.photo,
                order.paintings,
                mask=order.mask.file if order.mask else None,
                owner=owner,
                request_id=order.request_id,
                priority=order.priority,
                quota=quota,
                traceparent=span.traceparent,
            )
            span.add([Stage("store", storing, perf_counter(), {"job": job.id})])
        return Made(job, looked - begun)

    async def get(self, id: str, owner: str) -> Job:
        """Return a job, or raise JobNotFound or StoreUnavailable."""
        return await self._store.ask(Jobs.get, id, owner)

    async def list(
        self, owner: str, *, after: tuple[datetime, str] | None, limit: int, ended: bool | None
    ) -> Sequence[Job]:
        """Return jobs, the newest first."""
        return await self._store.ask(Jobs.list, owner, after=after, limit=limit, ended=ended)

    async def cancel(self, id: str, owner: str) -> Job:
        """Cancel a job, or raise JobNotFound, JobEnded or StoreUnavailable."""
        return await self._store.ask(Jobs.cancel, id, owner)

    async def delete(self, id: str, owner: str) -> None:
        """Delete everything of a job, or raise JobNotFound or StoreUnavailable."""
        await self._store.ask(Jobs.delete, id, owner)

    def follow(self, id: str, owner: str) -> AsyncGenerator[Job, None]:
        """Yield a job as it changes; see `Feeds.follow`."""
        return self._feeds.follow(id, owner)

    async def preview(self, job: Job) -> bytes | None:
        """Return its newest preview, if it is still there."""
        return await self._store.ask(Jobs.preview, job)

    async def done(self, id: str, owner: str) -> Job:
        """Wait for a job, and return it once it has succeeded.

        Raises:
            JobFailed, JobCancelled: it has not.
            JobNotFound, StoreUnavailable, ShuttingDown: see `Feeds.follow`.
        """
        async with aclosing(self._feeds.follow(id, owner)) as states:
            async for job in states:
                match job.state:
                    case State.SUCCEEDED:
                        return job
                    case State.FAILED if job.failure is not None:
                        raise JobFailed(id, job.failure)
                    case State.CANCELLED:
                        raise JobCancelled(id)
        raise AssertionError("a feed ends with the job's end")

    async def read(self, job: Job, offset: int = 0) -> AsyncGenerator[bytes, None]:
        """Yield the result from an offset on, in chunks.

        Raises:
            JobUnfinished: it has not succeeded.
            OutOfRange: an offset behind its end.
            StoreUnavailable, BlobMissing: it cannot be read; what has been yielded stays good.
        """
        while chunks := await self._store.ask(_some_of, job, offset):
            for chunk in chunks:
                yield chunk
                offset += len(chunk)

    def close(self) -> None:
        """End every wait for a job."""
        self._feeds.close(ShuttingDown("the server is shutting down; the job goes on, so ask again for it"))

    async def _commission(self, order: JobOrder) -> Commission:
        """Look at the pictures, one by one so that others get their turns, and return what is to be painted."""
        photo = await self._codec.run(_size, order.photo, self._limits, "image")
        size = output_size(photo, order.output_size, order.format, self._limits.max_pixels)
        if order.mask:
            await self._codec.run(Stencil, order.mask, photo)
        for index, painting in enumerate(order.paintings):
            await self._codec.run(_size, painting, self._limits, f"style_images.parts[{index}].image")
        return Commission(
            optimization=order.optimization,
            painting_weights=order.weights,
            strength=order.strength,
            working_size=order.working_size or min(max(photo), self._default_working_size),
            output_size=size,
            format=order.format,
            quality=order.quality,
            metadata=order.metadata,
            mask=order.mask.masking if order.mask else None,
        )


def _size(file: bytes, limits: Limits, field: str) -> Size:
    """Decode a picture, which tells whether a worker will be able to, and return its size."""
    height, width, _ = decode(file, limits=limits, field=field).shape
    return width, height


def _some_of(jobs: Jobs, job: Job, offset: int) -> list[bytes]:
    """Return the next chunks; none at the end. Begun anew each time, so that no file is open between the calls."""
    return list(islice(jobs.read_result(job, offset), _CHUNKS_AT_ONCE))
