"""Jobs for a scripted server: in memory, painted by the test, and still there when the server is started again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Condition
from typing import Any
from uuid import uuid4

from google.longrunning.operations_pb2 import ListOperationsResponse, Operation
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import ResourceInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from impasto.v1 import stylizer_pb2 as pb
from tests.client.servers import Call, error_info

STEPS = 10
CHUNK = 1000  # bytes
PAGE = 2  # jobs
LONG = 60.0  # s; no test should wait so long

_ENDED = (pb.Stylization.SUCCEEDED, pb.Stylization.FAILED, pb.Stylization.CANCELLED)


class ScriptedJobs:
    """An answer for `serving`: makes jobs, which change when the test says so.

    Attributes:
        watchers: how many watches are open now.
    """

    def __init__(self) -> None:
        self.watchers = 0
        self._jobs: dict[str, pb.Stylization] = {}
        self._errors: dict[str, Status] = {}
        self._results: dict[str, bytes] = {}
        self._requests: dict[str, str] = {}
        self._previews: dict[str, bytes] = {}
        self._changed = Condition()

    def __call__(self, call: Call) -> Any:
        return getattr(self, call.method)(call)

    @property
    def names(self) -> list[str]:
        """The jobs' operations, the oldest first."""
        return [f"operations/{key}" for key in self._jobs]

    def state(self, name: str) -> int:
        return self._jobs[_id(name)].state

    def paint(self, name: str, step: int, preview: bytes = b"") -> None:
        """Let a worker get as far as this step."""
        with self._changed:
            job = self._jobs[_id(name)]
            if job.state == pb.Stylization.QUEUED:
                job.start_time.FromNanoseconds(job.create_time.ToNanoseconds() + 2 * 10**9)
            job.state = pb.Stylization.RUNNING
            job.attempts = 1
            job.progress.CopyFrom(
                pb.Progress(
                    step=step,
                    total_steps=STEPS,
                    size=pb.Size(width=64, height=48),
                    content_loss=0.25,
                    style_loss=0.5 / (step + 1),
                    total_loss=1,
                    time_left=Duration(seconds=STEPS - step),
                )
            )
            self._previews[job.name] = preview
            self._changed.notify_all()

    def succeed(self, name: str, image: bytes = b"painted", *notes: str) -> None:
        with self._changed:
            job = self._jobs[_id(name)]
            self._results[job.name] = image
            job.result.CopyFrom(
                pb.StylizationResult(
                    format=pb.IMAGE_FORMAT_JPEG,
                    size=pb.Size(width=64, height=48),
                    working_size=pb.Size(width=32, height=24),
                    byte_count=len(image),
                    paint_time=Duration(seconds=3),
                )
            )
            job.notes.extend(notes)
            self._end(job, pb.Stylization.SUCCEEDED)

    def fail(self, name: str, status: Status) -> None:
        with self._changed:
            job = self._jobs[_id(name)]
            self._errors[job.name] = status
            self._end(job, pb.Stylization.FAILED)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds that calls or the test have brought about."""
        with self._changed:
            assert self._changed.wait_for(holds, LONG)

    def make(self, request: pb.StylizeRequest) -> str:
        """Return the id of a request's job, made unless its request id has made one before."""
        with self._changed:
            key = self._requests.setdefault(request.request_id, uuid4().hex)
            if key not in self._jobs:
                job = pb.Stylization(name=f"stylizations/{key}", state=pb.Stylization.QUEUED, owner="anonymous")
                job.create_time.CopyFrom(_now())
                self._jobs[key] = job
            self._changed.notify_all()
        return key

    def operation(self, key: str) -> Operation:
        job = self._jobs[key]
        operation = Operation(name=f"operations/{key}", done=job.state in _ENDED)
        operation.metadata.Pack(job)
        if job.name in self._errors:
            operation.error.CopyFrom(self._errors[job.name])
        elif job.state == pb.Stylization.CANCELLED:
            operation.error.CopyFrom(Status(code=StatusCode.CANCELLED.value[0], message="cancelled"))
        elif job.state == pb.Stylization.SUCCEEDED:
            operation.response.Pack(job)
        return operation

    def Stylize(self, call: Call) -> pb.StylizeResponse:
        key = self.make(call.request)
        call.context.send_initial_metadata((("impasto-operation", f"operations/{key}"),))
        for _ in self._states(call, key):
            pass
        if call.released.is_set():
            call.fail(StatusCode.UNAVAILABLE, "shutting down")
        job = self._jobs[key]
        return pb.StylizeResponse(
            image=self._results[job.name], format=job.result.format, size=job.result.size, notes=job.notes
        )

    def CreateStylization(self, call: Call) -> Operation:
        return self.operation(self.make(call.request.stylize))

    def WatchStylization(self, call: Call) -> Iterator[pb.WatchStylizationResponse]:
        for job in self._states(call, self._known(call)):
            preview = self._previews.get(job.name, b"") if call.request.HasField("preview_interval") else b""
            yield pb.WatchStylizationResponse(stylization=job, preview=preview)

    def ReadStylization(self, call: Call) -> Iterator[pb.ReadStylizationResponse]:
        image = self._results[f"stylizations/{self._known(call)}"]
        for start in range(call.request.read_offset, len(image), CHUNK):
            yield pb.ReadStylizationResponse(data=image[start : start + CHUNK])

    def GetOperation(self, call: Call) -> Operation:
        return self.operation(self._known(call))

    def ListOperations(self, call: Call) -> ListOperationsResponse:
        wanted = {"": (True, False), "done=true": (True,), "done=false": (False,)}[call.request.filter]
        found = [job for job in map(self.operation, reversed(self._jobs)) if job.done in wanted]
        start = int(call.request.page_token or 0)
        more = start + PAGE < len(found)
        return ListOperationsResponse(
            operations=found[start : start + PAGE], next_page_token=str(start + PAGE) if more else ""
        )

    def CancelOperation(self, call: Call) -> Empty:
        job = self._jobs[self._known(call)]
        if job.state in (pb.Stylization.SUCCEEDED, pb.Stylization.FAILED):
            call.fail(StatusCode.FAILED_PRECONDITION, f"{job.name} has ended", error_info("JOB_ENDED"))
        with self._changed:
            self._end(job, pb.Stylization.CANCELLED)
        return Empty()

    def DeleteOperation(self, call: Call) -> Empty:
        with self._changed:
            del self._jobs[self._known(call)]
            self._changed.notify_all()
        return Empty()

    def _known(self, call: Call) -> str:
        key = _id(call.request.name)
        if key not in self._jobs:
            resource = ResourceInfo(resource_type="impasto.dev/Stylization", resource_name=f"stylizations/{key}")
            call.fail(StatusCode.NOT_FOUND, f"no job {call.request.name}", error_info("JOB_NOT_FOUND"), resource)
        return key

    def _states(self, call: Call, key: str) -> Iterator[pb.Stylization]:
        """Yield copies of a job's states, until it or the server ends."""
        self._watch(+1)
        try:
            last = None
            while last is None or last.state not in _ENDED:
                with self._changed:
                    while self._jobs[key] == last:
                        self._changed.wait(0.05)
                        if call.released.is_set() or not call.context.is_active():
                            return
                    last = pb.Stylization()
                    last.CopyFrom(self._jobs[key])
                yield last
        finally:
            self._watch(-1)

    def _watch(self, change: int) -> None:
        with self._changed:
            self.watchers += change
            self._changed.notify_all()

    def _end(self, job: pb.Stylization, state: pb.Stylization.State) -> None:
        job.state = state
        job.end_time.CopyFrom(_now())
        job.expire_time.FromSeconds(job.end_time.seconds + 86400)
        self._changed.notify_all()


def _id(name: str) -> str:
    return name.partition("/")[2]


def _now() -> Timestamp:
    now = Timestamp()
    now.GetCurrentTime()
    return now
