"""The gRPC service: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from google.longrunning.operations_pb2 import Operation
from typing_extensions import override

from impasto.logs import note
from impasto.tracing import current_span
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerServicer
from impasto_server.bundles.shelf import Shelf
from impasto_server.callers import caller_of, current_job_quota, owner_of, require
from impasto_server.config import Config
from impasto_server.fast.painter import Paints
from impasto_server.health import Health
from impasto_server.identity.roles import Role
from impasto_server.jobs.desk import JobDesk, Made
from impasto_server.metrics import Metrics
from impasto_server.rpc import facts, job_messages, messages
from impasto_server.rpc.facts import Totals
from impasto_server.rpc.job_requests import read_job_id, read_job_order, read_offset, read_preview_interval
from impasto_server.rpc.paging import page
from impasto_server.rpc.previews import Previews
from impasto_server.rpc.requests import read_order
from impasto_server.rpc.streams import Streams
from impasto_server.rpc.timing import wait_for_job

SERVICE = pb.DESCRIPTOR.services_by_name["Stylizer"].full_name

OPERATION_KEY = "impasto-operation"
"""The initial metadata that holds the operation's name."""


class Stylizer(StylizerServicer):
    """Speaks the API's messages, and leaves the work to others."""

    def __init__(
        self,
        config: Config,
        shelf: Shelf,
        painter: Paints,
        streams: Streams,
        jobs: JobDesk,
        health: Health,
        metrics: Metrics,
    ) -> None:
        self._limits = {"max_working_size": config.max_working_size, "max_pixels": config.max_pixels}
        self._caller_max_jobs = config.caller_max_jobs
        self._shelf = shelf
        self._painter = painter
        self._streams = streams
        self._jobs = jobs
        self._health = health
        self._metrics = metrics

    @override
    async def Stylize(self, request: pb.StylizeRequest, context: Any) -> pb.StylizeResponse:
        if request.WhichOneof("style") == "style_images":
            made = await self._make(request, context)
            del request  # a call that waits need not hold its uploads
            return await self._stylized(made, context)
        order = read_order(request, **self._limits)
        self._health.check_warm()
        brush = self._shelf.library.brush(order.style, order.strength)
        note(**facts.of_order(order, brush))
        painting = await self._painter.paint(order, brush, caller_of(context))
        self._metrics.painted(painting, "Stylize")
        note(**facts.of_painting(painting))
        return messages.painted(painting)

    @override
    async def StylizeStream(
        self, requests: AsyncIterator[pb.StylizeStreamRequest], context: Any
    ) -> AsyncIterator[pb.StylizeStreamResponse]:
        self._health.check_warm()
        totals = Totals()
        try:
            async with aclosing(self._streams.paint(requests, caller_of(context), totals)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            note(**totals.facts)

    @override
    async def ListStyles(self, request: pb.ListStylesRequest, context: Any) -> pb.ListStylesResponse:
        self._health.check_warm()
        styles, next_token = page(self._shelf.library.styles, request.page_size, request.page_token)
        return pb.ListStylesResponse(
            styles=[messages.style(style, thumbnail=request.include_thumbnails, card=False) for style in styles],
            next_page_token=next_token,
        )

    @override
    async def GetStyle(self, request: pb.GetStyleRequest, context: Any) -> pb.Style:
        self._health.check_warm()
        style = self._shelf.library.find(_style_id(request.name), field="name")
        return messages.style(style, thumbnail=True, card=True)

    @override
    async def CreateStylization(self, request: pb.CreateStylizationRequest, context: Any) -> Operation:
        made = await self._make(request.stylize, context, priority=request.priority)
        return job_messages.operation(made.job)

    @override
    async def WatchStylization(
        self, request: pb.WatchStylizationRequest, context: Any
    ) -> AsyncIterator[pb.WatchStylizationResponse]:
        job_id, previews = read_job_id(request.name), Previews(self._jobs, read_preview_interval(request))
        note(job=job_id)
        async with aclosing(self._jobs.follow(job_id, owner_of(context))) as states:
            async for job in states:
                current_span().link(job.traceparent)
                preview = await previews.due(job)
                yield pb.WatchStylizationResponse(stylization=job_messages.stylization(job), preview=preview)

    @override
    async def ReadStylization(
        self, request: pb.ReadStylizationRequest, context: Any
    ) -> AsyncIterator[pb.ReadStylizationResponse]:
        job_id, offset = read_job_id(request.name), read_offset(request)
        note(job=job_id, read_offset=offset)
        job = await self._jobs.get(job_id, owner_of(context))
        async with aclosing(self._jobs.read(job, offset)) as chunks:
            async for chunk in chunks:
                yield pb.ReadStylizationResponse(data=chunk)

    async def _stylized(self, made: Made, context: Any) -> pb.StylizeResponse:
        """Wait for a job. Whatever ends the call before, the job goes on."""
        wait_for_job()
        await context.send_initial_metadata(((OPERATION_KEY, job_messages.operation_name(made.job)),))
        job = await self._jobs.done(made.job.id, made.job.owner)
        assert job.result is not None
        note(**facts.of_result(job.result))
        async with aclosing(self._jobs.read(job)) as chunks:
            file = b"".join([chunk async for chunk in chunks])
        return job_messages.stylized(job, job.result, file, made.decode)

    async def _make(self, request: pb.StylizeRequest, context: Any, priority: int = 0) -> Made:
        require(Role.JOBS)
        order = read_job_order(request, **self._limits, priority=priority)
        note(**facts.of_job_order(order))
        quota = current_job_quota(self._caller_max_jobs)
        made = await self._jobs.create(order, owner_of(context), caller_of(context).client, quota)
        note(job=made.job.id, decode_ms=facts.milliseconds(made.decode))
        return made


def _style_id(name: str) -> str:
    """Return the style id in a resource name; anything else is taken for an id."""
    match name.split("/"):
        case ["bundles", bundle, "styles", style]:
            return f"{bundle}/{style}"
        case _:
            return name
