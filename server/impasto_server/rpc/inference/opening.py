"""The two services of the protocol, put together: one for each port."""

from __future__ import annotations

from impasto.logs import Log
from impasto_server.bundles.stock import Stock
from impasto_server.config import Config
from impasto_server.fast.codec import Codec
from impasto_server.fast.painter import Paints
from impasto_server.health import Health
from impasto_server.metrics import Metrics
from impasto_server.rpc.budget import Budget
from impasto_server.rpc.incoming import Incoming
from impasto_server.rpc.inference.models import Models
from impasto_server.rpc.inference.orders import Bounds
from impasto_server.rpc.inference.repository import InferenceRepository
from impasto_server.rpc.inference.servicer import OpenInference
from impasto_server.rpc.inference.sittings import Sittings
from impasto_server.rpc.inference.statistics import Statistics
from impasto_server.rpc.inference.streaming import InferenceStreams


def open_inference(
    config: Config,
    stock: Stock,
    painter: Paints,
    codec: Codec,
    health: Health,
    metrics: Metrics,
    log: Log,
    *,
    incoming: Incoming,
    budget: Budget,
) -> tuple[OpenInference, InferenceRepository]:
    """Return what speaks to callers, and what speaks to administrators.

    Args:
        config: the limits.
        stock: the bundles.
        painter: what paints photos.
        codec: what reads requests.
        health: what the server says of itself.
        metrics: of photos.
        log: of streams.
        incoming: reads streams.
        budget: of what streams hold.
    """
    models, statistics = Models(stock.shelf), Statistics()
    bounds = Bounds(config.max_working_size, config.max_pixels, config.max_message_bytes)
    sittings = Sittings(models, painter, codec, statistics, metrics, bounds=bounds, window=config.stream_window)
    streams = InferenceStreams(
        sittings,
        incoming,
        budget,
        metrics,
        log,
        window=config.stream_window,
        idle_seconds=config.stream_idle_seconds,
    )
    return (
        OpenInference(models, statistics, health, sittings, streams),
        InferenceRepository(models, statistics, health, stock),
    )
