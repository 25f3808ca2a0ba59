"""The gRPC service of the Open Inference Protocol: decode, call, encode."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from typing_extensions import override

from impasto import __version__
from impasto.bundle import Bundle
from impasto.inference import open_inference_pb2 as pb
from impasto.inference.open_inference_pb2_grpc import GRPCInferenceServiceServicer
from impasto.logs import note
from impasto_server.callers import caller_of
from impasto_server.errors import ModelNotFound
from impasto_server.health import Health
from impasto_server.rpc.facts import Totals
from impasto_server.rpc.inference.models import Models, configuration
from impasto_server.rpc.inference.sittings import Sittings
from impasto_server.rpc.inference.statistics import Statistics
from impasto_server.rpc.inference.streaming import InferenceStreams

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].full_name

_NAME = "impasto"
_EXTENSIONS = ("model_configuration", "model_repository", "parameters", "statistics")


class InferenceDescriptions(GRPCInferenceServiceServicer):
    """Tells of the server and its models.

    Args:
        models: that there are.
        statistics: of them.
        health: of the server.
    """

    def __init__(self, models: Models, statistics: Statistics, health: Health) -> None:
        self._models = models
        self._statistics = statistics
        self._health = health

    @override
    async def ServerLive(self, request: pb.ServerLiveRequest, context: Any) -> pb.ServerLiveResponse:
        return pb.ServerLiveResponse(live=True)

    @override
    async def ServerReady(self, request: pb.ServerReadyRequest, context: Any) -> pb.ServerReadyResponse:
        return pb.ServerReadyResponse(ready=self._health.obstacle is None)

    @override
    async def ServerMetadata(self, request: pb.ServerMetadataRequest, context: Any) -> pb.ServerMetadataResponse:
        return pb.ServerMetadataResponse(name=_NAME, version=__version__, extensions=_EXTENSIONS)

    @override
    async def ModelReady(self, request: pb.ModelReadyRequest, context: Any) -> pb.ModelReadyResponse:
        try:
            self._models.find(request.name, request.version)
        except ModelNotFound:
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=self._health.obstacle is None)

    @override
    async def ModelMetadata(self, request: pb.ModelMetadataRequest, context: Any) -> pb.ModelMetadataResponse:
        return self._models.metadata(self._find(request.name, request.version))

    @override
    async def ModelConfig(self, request: pb.ModelConfigRequest, context: Any) -> pb.ModelConfigResponse:
        return pb.ModelConfigResponse(config=configuration(self._find(request.name, request.version)))

    @override
    async def ModelStatistics(self, request: pb.ModelStatisticsRequest, context: Any) -> pb.ModelStatisticsResponse:
        found = self._asked_of(request.name, request.version)
        return pb.ModelStatisticsResponse(model_stats=[self._statistics.of(bundle) for bundle in found])

    @override
    async def RepositoryIndex(self, request: pb.RepositoryIndexRequest, context: Any) -> pb.RepositoryIndexResponse:
        return self._models.index(ready=request.ready)

    def _find(self, name: str, version: str) -> Bundle:
        self._health.check_warm()
        return self._models.find(name, version)

    def _asked_of(self, name: str, version: str) -> Iterator[Bundle] | list[Bundle]:
        """Return the models that a name and a version mean, each of which may be empty for all."""
        if not name:
            return self._models.all()
        found = self._find(name, version)
        return [found] if version else list(self._models.versions(name))


class OpenInference(InferenceDescriptions):
    """Speaks to callers.

    Args:
        sittings: answers requests.
        streams: answers streams of them.
    """

    def __init__(
        self, models: Models, statistics: Statistics, health: Health, sittings: Sittings, streams: InferenceStreams
    ) -> None:
        super().__init__(models, statistics, health)
        self._sittings = sittings
        self._streams = streams

    @override
    async def ModelInfer(self, request: pb.ModelInferRequest, context: Any) -> pb.ModelInferResponse:
        self._health.check_warm()
        return await self._sittings.answer(request, caller_of(context), Totals(), method="ModelInfer", patient=False)

    @override
    async def ModelStreamInfer(
        self, requests: AsyncIterator[pb.ModelInferRequest], context: Any
    ) -> AsyncIterator[pb.ModelStreamInferResponse]:
        self._health.check_warm()
        totals = Totals()
        try:
            async with aclosing(self._streams.answers(requests, caller_of(context), totals)) as answers:
                async for answer in answers:
                    yield answer
        finally:
            note(**totals.facts)
