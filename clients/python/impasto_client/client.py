"""The synchronous client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import grpc
from google.longrunning.operations_pb2 import CancelOperationRequest, DeleteOperationRequest, GetOperationRequest
from google.longrunning.operations_pb2_grpc import OperationsStub

from impasto.optimization import Optimization
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_client.access import Access, PathLike
from impasto_client.building import StyleLike, create_request, get_style_request, list_request, stylize_request
from impasto_client.calling import DEFAULT_TIMEOUT, Metadata, OnLost, Patience
from impasto_client.channel import DEFAULT_TARGET, channel_options
from impasto_client.following import Download, Following, Watch
from impasto_client.jobs import Job, JobUpdate, operation_name
from impasto_client.masks import MaskLike
from impasto_client.paintings import Painting
from impasto_client.results import Style, Stylized
from impasto_client.streaming import StreamingClient
from impasto_client.tracing import traced

_Reply = TypeVar("_Reply")
_Item = TypeVar("_Item")


class Client(StreamingClient):
    """A connection to an Impasto server. One serves all threads of a program; make it once and keep it."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        timeout: float = DEFAULT_TIMEOUT,
        credentials: grpc.ChannelCredentials | None = None,
        token: str | None = None,
        tls: bool = False,
        ca: PathLike | None = None,
        certificate: PathLike | None = None,
        key: PathLike | None = None,
        insecure: bool = False,
    ) -> None:
        """Prepare a connection, which is made with the first call.

        Args:
            target: `host:port`, or another gRPC target such as `dns:///painter.internal:8500`, whose every address
                is then used in turn.
            timeout: seconds that a call may take, tries included, where it does not say otherwise.
            token: tells the server who calls, where it asks.
            tls: whether to connect by TLS, and to trust the server by the certificate authorities that gRPC knows.
            ca: a PEM file with the authorities to trust instead; implies `tls`.
            certificate, key: PEM files that tell a server who calls that asks for a certificate; imply `tls`.
            credentials: gRPC's own, instead of these four. Without any of the five the connection is in plain text.
            insecure: whether to send the token in plain text also to a target that may be another machine.

        Raises:
            InvalidRequest: a file cannot be read, or what was given does not go together.
        """
        access = Access.to(
            target,
            credentials=credentials,
            token=token,
            tls=tls,
            ca=ca,
            certificate=certificate,
            key=key,
            insecure=insecure,
        )
        super().__init__(target, timeout, access.metadata)
        if access.credentials:
            self._channel = grpc.secure_channel(target, access.credentials, channel_options(target))
        else:
            self._channel = grpc.insecure_channel(target, channel_options(target))
        self._stub = StylizerStub(self._channel)  # type: ignore[no-untyped-call]
        self._operations = OperationsStub(self._channel)

    def stylize(
        self,
        photo: bytes,
        style: StyleLike,
        *,
        strength: float | None = None,
        working_size: int | None = None,
        width: int | None = None,
        height: int | None = None,
        format: str | None = None,
        quality: int | None = None,
        metadata: str | None = None,
        mask: MaskLike | None = None,
        optimization: Optimization | Mapping[str, Any] | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Stylized:
        """Have a photo painted.

        Args:
            photo: the bytes of a JPEG, PNG, WebP, AVIF or HEIC file.
            style: a style's id; or a blend, ids and their weights, `{"starry-night": 2, "the-scream": 1}`; or paintings
                that nobody has trained, `Painting(image)` or a list of them.
            strength: 0 (the photo) to 1 (all paint, the default).
            working_size: px, the long side that the photo is painted at: the smaller, the broader the strokes. By
                default that of the photo, up to a limit which the server sets.
            width, height: px, of the result; where one is left out it follows from the other, and where both are,
                from the photo.
            format: `jpeg` (the default), `png` or `webp`.
            quality: 1 to 100, of a JPEG or WebP result.
            metadata: what of the photo's own the result carries: `without_location`, the default, is when, by whom and
                with what it was taken, and whose it is; `all` is the place as well; `none` is nothing.
            mask: which part is painted, while the rest stays as it is: the bytes of a grey PNG of the photo's size,
                white where it is painted; or `Mask(image, feather=0.01, inverted=True)`. All of it by default.
            optimization: how to paint from paintings: an `Optimization`, or a mapping of some of its attributes; what
                that leaves out is left to the server.
            request_id: with paintings, a name for this request, of letters, digits, hyphens and underscores; one is
                made unless given. The same request with the same id is the same job.
            timeout: seconds, instead of the client's.

        With paintings this is a job, which takes minutes without a GPU, and the job outlives the call: where the time
        is up, or the connection breaks for good, the error's `operation` is its name. `create_job` does not wait.

        Raises:
            InvalidRequest: a value is not allowed; StyleUnknown where it is the style.
            DeadlineExceeded: no result in time; with paintings the job goes on.
            ImpastoClientError: anything else that went wrong; see `impasto_client.errors`.
        """
        request = stylize_request(
            photo,
            style,
            strength=strength,
            working_size=working_size,
            width=width,
            height=height,
            format=format,
            quality=quality,
            metadata=metadata,
            mask=mask,
            optimization=optimization,
            request_id=request_id,
        )
        return Stylized.from_proto(self._call(self._stub.Stylize, request, self._patience(timeout)))

    def styles(self, *, thumbnails: bool = False, timeout: float | None = None) -> list[Style]:
        """Return every style that the server paints, sorted by name, without model cards.

        Args:
            thumbnails: whether to include these.
            timeout: seconds, instead of the client's, for all pages.
        """
        request = pb.ListStylesRequest(include_thumbnails=thumbnails)
        patience = self._patience(timeout)
        found: list[Style] = []
        while True:
            page = self._call(self._stub.ListStyles, request, patience)
            found += map(Style.from_proto, page.styles)
            if not page.next_page_token:
                return found
            request.page_token = page.next_page_token

    def style(self, name: str, *, timeout: float | None = None) -> Style:
        """Return one style, with thumbnail and model card.

        Args:
            name: its resource name or its id.
            timeout: seconds, instead of the client's.

        Raises:
            StyleUnknown: the server has no such style.
        """
        request = get_style_request(name)
        return Style.from_proto(self._call(self._stub.GetStyle, request, self._patience(timeout)))

    def create_job(
        self,
        photo: bytes,
        paintings: Painting | Sequence[Painting],
        *,
        strength: float | None = None,
        working_size: int | None = None,
        width: int | None = None,
        height: int | None = None,
        format: str | None = None,
        quality: int | None = None,
        metadata: str | None = None,
        mask: MaskLike | None = None,
        optimization: Optimization | Mapping[str, Any] | None = None,
        priority: int = 0,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Job:
        """Queue a job that paints a photo in the style of paintings that nobody has trained, and return at once.

        The job goes on whatever becomes of this client or of the server: keep its name. Arguments are those of
        `stylize`.

        Args:
            priority: -100 to 100; jobs of a higher one go first.

        Raises:
            InvalidRequest: a value is not allowed; RequestReused where it is the request id.
            ServerBusy: the queue is full.
            Unimplemented: the server serves no jobs.
        """
        request = create_request(
            stylize_request(
                photo,
                paintings,
                strength=strength,
                working_size=working_size,
                width=width,
                height=height,
                format=format,
                quality=quality,
                metadata=metadata,
                mask=mask,
                optimization=optimization,
                request_id=request_id,
            ),
            priority,
        )
        return Job.from_operation(self._call(self._stub.CreateStylization, request, self._patience(timeout)))

    def job(self, name: str, *, timeout: float | None = None) -> Job:
        """Return a job as it is now.

        Args:
            name: that of the operation, `operations/5f0c...`; of the resource, `stylizations/5f0c...`; or the id.
            timeout: seconds, instead of the client's.

        Raises:
            JobUnknown: there is no such job.
        """
        return Job.from_operation(self._on_job(self._operations.GetOperation, GetOperationRequest, name, timeout))

    def jobs(self, *, ended: bool | None = None, timeout: float | None = None) -> Iterator[Job]:
        """Iterate over the caller's jobs, newest first. They are fetched a page at a time.

        Args:
            ended: only those that have ended, or only those that have not; all by default.
            timeout: seconds for each page, instead of the client's.
        """
        request = list_request(ended)
        while True:
            page = self._call(self._operations.ListOperations, request, self._patience(timeout))
            yield from map(Job.from_operation, page.operations)
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def watch(
        self,
        name: str,
        *,
        preview_interval: float | None = None,
        timeout: float | None = None,
        on_lost: OnLost | None = None,
    ) -> Iterator[JobUpdate]:
        """Iterate over a job's states: as it is now, at each change, and last when it has ended.

        While the server is away, or the connection, it is tried again, so the end is never missed.

        Args:
            name: as for `job`.
            preview_interval: seconds, at least 0.2, between previews; without it there are none.
            timeout: seconds; as long as it takes by default, and as long as the server is away.
            on_lost: called with the error each time that the server could not be reached, or was lost.

        Raises:
            JobUnknown: there is no such job.
            DeadlineExceeded: the job had not ended in time.
        """
        watch = Watch(name, preview_interval)
        return self._follow(self._stub.WatchStylization, watch, self._holding_on(name, timeout, on_lost))

    def wait(self, name: str, *, timeout: float | None = None, on_lost: OnLost | None = None) -> Job:
        """Return a job once it has ended, in whichever way.

        Arguments, without previews, and errors are those of `watch`.
        """
        patience = self._holding_on(name, timeout, on_lost)
        for _ in self._follow(self._stub.WatchStylization, Watch(name), patience):
            pass
        return self._get(name, patience)

    def result(self, name: str, *, timeout: float | None = None) -> Stylized:
        """Return what a job has made.

        Where the connection breaks on the way it goes on with the byte that is due. The stage times are the wait for a
        worker, `queue`, and the painting, `engine`.

        Args:
            name: as for `job`.
            timeout: seconds; as long as it takes by default, and as long as the server is away.

        Raises:
            JobUnfinished, JobFailed, JobCancelled, JobUnknown: there is no result; `wait` waits for it.
            DeadlineExceeded: it had not come in time.
        """
        patience = self._holding_on(name, timeout)
        download = Download(self._get(name, patience))
        for _ in self._follow(self._stub.ReadStylization, download, patience):
            pass
        return download.stylized()

    def cancel(self, name: str, *, timeout: float | None = None) -> None:
        """Cancel a job. One that is being painted ends within about a second.

        Args:
            name: as for `job`.
            timeout: seconds, instead of the client's.

        Raises:
            JobEnded: it had ended before, other than by being cancelled.
            JobUnknown: there is no such job.
        """
        self._on_job(self._operations.CancelOperation, CancelOperationRequest, name, timeout)

    def delete(self, name: str, *, timeout: float | None = None) -> None:
        """Delete all of a job: photo, paintings, previews, result. One that has not ended stops.

        Args:
            name: as for `job`.
            timeout: seconds, instead of the client's.

        Raises:
            JobUnknown: there is no such job.
        """
        self._on_job(self._operations.DeleteOperation, DeleteOperationRequest, name, timeout)

    def close(self) -> None:
        """End the connection, and every call that is still under way."""
        self._channel.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _get(self, name: str, patience: Patience) -> Job:
        request = GetOperationRequest(name=operation_name(name))
        return Job.from_operation(self._call(self._operations.GetOperation, request, patience))

    def _on_job(
        self, method: Callable[..., _Reply], request: Callable[..., Any], name: str, timeout: float | None
    ) -> _Reply:
        operation = operation_name(name)
        return self._call(method, request(name=operation), self._patience(timeout, operation))

    def _call(self, method: Callable[..., _Reply], request: Any, patience: Patience) -> _Reply:
        with traced(request) as span:
            while True:
                try:
                    return method(request, timeout=patience.left(), metadata=self._metadata(span))
                except grpc.RpcError as error:
                    time.sleep(patience.pause_after(error))

    def _follow(self, method: Callable[..., Any], following: Following[_Item], patience: Patience) -> Iterator[_Item]:
        with traced(following.request) as span:
            yield from self._followed(method, following, patience, self._metadata(span))

    def _followed(
        self, method: Callable[..., Any], following: Following[_Item], patience: Patience, metadata: Metadata
    ) -> Iterator[_Item]:
        while True:
            stream = method(following.request, timeout=patience.left(), metadata=metadata)
            try:
                for reply in stream:
                    patience.met()
                    yield from following.take(reply)
                following.close()
                pause = patience.pause()
            except grpc.RpcError as error:
                pause = 0.0 if following.complete else patience.pause_after(error)
            finally:
                stream.cancel()
            if following.complete:
                return
            time.sleep(pause)
