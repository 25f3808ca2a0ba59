"""What is received in parts, and goes on where a connection broke: what both clients share of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar

import grpc

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.building import watch_request
from impasto_client.errors import ImpastoClientError
from impasto_client.jobs import Job, JobUpdate
from impasto_client.results import StageTimes, Stylized

_Item = TypeVar("_Item", covariant=True)


class Following(Protocol[_Item]):
    """A stream that can be opened again.

    Attributes:
        request: what to open it with, now.
        complete: whether all has been received.
    """

    @property
    def request(self) -> Any: ...

    complete: bool

    def take(self, reply: Any) -> Iterator[_Item]:
        """Yield what a reply brings."""

    def close(self) -> None:
        """Note that the server has ended the stream without an error."""


class Watch:
    """A job's states, up to its end."""

    def __init__(self, name: str, preview_interval: float | None = None) -> None:
        self.request = watch_request(name, preview_interval)
        self.complete = False
        self._last: Job | None = None

    def take(self, reply: pb.WatchStylizationResponse) -> Iterator[JobUpdate]:
        job = Job.from_proto(reply.stylization)
        changed, self._last = job != self._last, job
        if changed or reply.preview:
            yield JobUpdate(job, reply.preview)
        self.complete = job.state.ended

    def close(self) -> None:
        """A server that shuts down may end the stream before the job: it is opened again."""


class Download:
    """The bytes of a job's result."""

    def __init__(self, job: Job) -> None:
        """Begin with the first byte.

        Raises:
            JobError: the job has no result: JobUnfinished, JobFailed, JobCancelled.
        """
        self._job = job
        self._result = job.made()
        self._parts: list[bytes] = []
        self._received = 0
        self.complete = False

    @property
    def request(self) -> pb.ReadStylizationRequest:
        return pb.ReadStylizationRequest(name=self._job.name, read_offset=self._received)

    def take(self, reply: pb.ReadStylizationResponse) -> Iterator[bytes]:
        self._parts.append(reply.data)
        self._received += len(reply.data)
        self.complete = self._received == self._result.byte_count
        yield reply.data

    def close(self) -> None:
        self.complete = True

    def stylized(self) -> Stylized:
        """Return the whole.

        Raises:
            ImpastoClientError: it has not the size that the server said.
        """
        if self._received != self._result.byte_count:
            raise ImpastoClientError(
                f"the result of {self._job.name} has {self._received} bytes instead of {self._result.byte_count}",
                grpc.StatusCode.DATA_LOSS,
                self._job.name,
            )
        created, started = self._job.created, self._job.started
        return Stylized(
            image=b"".join(self._parts),
            format=self._result.format,
            width=self._result.size[0],
            height=self._result.size[1],
            working_size=self._result.working_size,
            stage_times=StageTimes(
                decode=0.0,
                queue=(started - created).total_seconds() if started and created else 0.0,
                engine=self._result.paint_seconds,
                encode=0.0,
            ),
            notes=self._job.notes,
        )
