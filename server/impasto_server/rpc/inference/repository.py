"""The part of the protocol that is for administrators: models loaded and let go."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from typing_extensions import override

from impasto.errors import InvalidInput
from impasto.inference import open_inference_pb2 as pb
from impasto.logs import note
from impasto_server.bundles.stock import Stock
from impasto_server.bundles.store import label
from impasto_server.errors import BundleRefused, LastBundle
from impasto_server.health import Health
from impasto_server.rpc.inference.interface import MOST_QUOTED
from impasto_server.rpc.inference.models import Models
from impasto_server.rpc.inference.servicer import InferenceDescriptions
from impasto_server.rpc.inference.statistics import Statistics

_SOURCE = "source"
_CONFIG = "config"


class InferenceRepository(InferenceDescriptions):
    """Speaks to administrators.

    Args:
        stock: the server's bundles.
    """

    def __init__(self, models: Models, statistics: Statistics, health: Health, stock: Stock) -> None:
        super().__init__(models, statistics, health)
        self._stock = stock

    @override
    async def RepositoryModelLoad(
        self, request: pb.RepositoryModelLoadRequest, context: Any
    ) -> pb.RepositoryModelLoadResponse:
        name, source = _read_name(request), _read_source(request.parameters)
        note(model=name)
        if source:
            await self._load(name, source)
        else:
            await self._stock.watching.look()
        self._models.find(name)
        return pb.RepositoryModelLoadResponse()

    @override
    async def RepositoryModelUnload(
        self, request: pb.RepositoryModelUnloadRequest, context: Any
    ) -> pb.RepositoryModelUnloadResponse:
        name = _read_name(request)
        note(model=name)
        self._models.find(name)
        if list(self._models.library.current) == [name]:
            raise LastBundle(
                f"{name!r} is the last model, without which nothing would be served; load another one first"
            )
        for bundle in reversed(self._models.versions(name)):
            self._stock.loader.retire(name, bundle.version, "asked for by hand")
        return pb.RepositoryModelUnloadResponse()

    async def _load(self, name: str, source: str) -> None:
        loader = self._stock.loader
        try:
            found, _ = await loader.on_thread(label, source)
            if found != name:
                raise InvalidInput(
                    "model_name", f"is {name[:MOST_QUOTED]!r}, and the bundle there is {found!r}; give that name"
                )
            await loader.load(source, by_hand=True)
        except BundleRefused as error:
            await loader.refuse(source, error)
            raise


def _read_name(request: pb.RepositoryModelLoadRequest | pb.RepositoryModelUnloadRequest) -> str:
    name = request.model_name or request.repository_name  # by the number of which kserve's own proto sends the name
    if not name:
        raise InvalidInput("model_name", "is empty; give a bundle's name, of RepositoryIndex")
    return name


def _read_source(parameters: Mapping[str, pb.ModelRepositoryParameter]) -> str:
    """Return where a bundle lies; empty where nothing is said of it."""
    for name in parameters:
        if name not in (_SOURCE, _CONFIG):
            raise InvalidInput(
                "parameters", f"{name[:MOST_QUOTED]!r} is not known; give {_SOURCE}, or {_CONFIG} with it, or none"
            )
    if _SOURCE in parameters:
        return parameters[_SOURCE].string_param
    return _source_in(parameters[_CONFIG].string_param) if _CONFIG in parameters else ""


def _source_in(config: str) -> str:
    """Return the source in a configuration: clients that can send no parameters of their own can send that."""
    try:
        source = json.loads(config)[_SOURCE]
    except (ValueError, LookupError, TypeError, RecursionError):
        source = None
    if not isinstance(source, str):
        raise InvalidInput(_CONFIG, 'has no source; give {"source": "s3://bucket/bundles/mine"}, or none of it')
    return source
