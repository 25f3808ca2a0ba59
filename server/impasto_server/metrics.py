"""What the server measures, in a registry of its own.

Labels are bounded: methods that exist, status codes, stages, reasons, the bundles served. Add a metric here and a
method that says when it happens; no other module knows the library.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from impasto import __version__
from impasto.bundle import Bundle
from impasto.engine import Engine
from impasto.jobs import State
from impasto_server.painting import Painting

_BATCHES = (1, 2, 4, 8, 16, 32)
_PIXELS = tuple(4**k for k in range(6, 13))  # 64 px a side to 4096
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """Counts, and shows its counts in Prometheus' text format."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter("impasto_requests", "Calls that ended.", ("method", "code"), registry=self._registry)
        self._stages = Histogram(
            "impasto_stage_seconds",
            "Where the time of painted photos went.",
            ("stage", "bundle", "method"),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "impasto_requests_in_flight", "Photos in the works, waiting ones included.", registry=self._registry
        )
        self._pixels = Counter("impasto_painted_pixels", "Pixels that engines have painted.", registry=self._registry)
        self._batches = Histogram(
            "impasto_batch_pictures",
            "Of each picture painted, how many were painted at once.",
            ("bundle",),
            buckets=_BATCHES,
            registry=self._registry,
        )
        self._sizes = Histogram(
            "impasto_picture_pixels",
            "Pixels of each picture painted.",
            ("bundle",),
            buckets=_PIXELS,
            registry=self._registry,
        )
        self._depth = Gauge("impasto_queue_depth", "Pictures that wait for an engine.", registry=self._registry)
        self._wait = Gauge(
            "impasto_predicted_wait_seconds",
            "How long the next picture would probably wait for an engine.",
            registry=self._registry,
        )
        self._refused = Counter(
            "impasto_rejections", "Requests refused, by reason.", ("method", "reason"), registry=self._registry
        )
        self._cut_off = Counter(
            "impasto_cancellations",
            "Calls cut off by the caller, or by its deadline.",
            ("method", "reason"),
            registry=self._registry,
        )
        self._items = Counter(
            "impasto_stream_items", "Photos of streams that were answered.", ("code",), registry=self._registry
        )
        self._cached = Counter(
            "impasto_cache_requests", "Results looked for among those kept.", ("result",), registry=self._registry
        )
        self._cache_size = Gauge("impasto_cache_bytes", "Memory that kept results take.", registry=self._registry)
        self._engines = Gauge(
            "impasto_engine",
            "1 for each transformer's engine.",
            ("bundle", "provider", "precision"),
            registry=self._registry,
        )
        self._jobs = Gauge("impasto_jobs", "Jobs, as of a few seconds ago.", ("state",), registry=self._registry)
        self._workers = Gauge("impasto_workers", "Worker processes beside this server.", registry=self._registry)
        self._info = Info("impasto", "This server.", registry=self._registry)
        self._bundles = Gauge(
            "impasto_bundle_info",
            "1 for each version of a bundle that is held.",
            ("bundle", "version", "state"),
            registry=self._registry,
        )
        self._loads = Counter(
            "impasto_bundle_loads",
            "Bundles that were to be loaded, by what came of it.",
            ("result",),
            registry=self._registry,
        )
        self._store = Gauge(
            "impasto_bundle_store_reachable",
            "Whether the store of bundles was there at the latest look; 0 too where none is watched.",
            registry=self._registry,
        )

    def watch(
        self,
        *,
        in_flight: Callable[[], float],
        queue_depth: Callable[[], float],
        predicted_wait: Callable[[], float],
        cache_bytes: Callable[[], float],
    ) -> None:
        """Ask these whenever the metrics are read."""
        self._in_flight.set_function(in_flight)
        self._depth.set_function(queue_depth)
        self._wait.set_function(predicted_wait)
        self._cache_size.set_function(cache_bytes)

    def serving(self, bundles: Sequence[Bundle], current: Collection[Bundle], engines: Mapping[str, Engine]) -> None:
        """Tell what is held, which of it is current, and on which engine, by the transformer's digest."""
        self._engines.clear()
        self._bundles.clear()
        for bundle in bundles:
            engine = engines[bundle.transformer]
            self._engines.labels(bundle.name, engine.name, engine.precision).set(1)
            is_current = any(bundle is one for one in current)
            self._bundles.labels(bundle.name, bundle.version, "current" if is_current else "pinnable").set(1)
        names = ",".join(f"{bundle.name}@{bundle.version}" for bundle in current)
        provider = ",".join(sorted({engines[bundle.transformer].name for bundle in bundles}))
        self._info.info({"version": __version__, "provider": provider, "bundles": names})

    def bundle_loaded(self, result: str) -> None:
        """Count a bundle that was to be loaded: `loaded`, `refused` or `unreachable`."""
        self._loads.labels(result).inc()

    def bundle_store(self, reachable: bool) -> None:
        self._store.set(reachable)

    def called(self, method: str, code: str) -> None:
        self._requests.labels(method, code).inc()

    def refused(self, method: str, reason: str) -> None:
        self._refused.labels(method, reason).inc()

    def cut_off(self, method: str, reason: str) -> None:
        self._cut_off.labels(method, reason).inc()

    def item(self, code: str) -> None:
        """Count a photo of a stream."""
        self._items.labels(code).inc()

    def looked_up(self, found: bool) -> None:
        """Count a result that was looked for."""
        self._cached.labels("hit" if found else "miss").inc()

    def painted(self, painting: Painting, method: str) -> None:
        for stage, seconds in painting.seconds.items():
            self._stages.labels(stage, painting.bundle, method).observe(seconds)
        if painting.pixels:
            self._pixels.inc(painting.pixels)
            self._sizes.labels(painting.bundle).observe(painting.pixels)
            self._batches.labels(painting.bundle).observe(painting.batch)

    def jobs(self, counts: Mapping[State, int]) -> None:
        for state in State:
            self._jobs.labels(state.value).set(counts.get(state, 0))

    def workers(self, count: int) -> None:
        self._workers.set(count)

    def page(self) -> bytes:
        """Return everything as /metrics shows it."""
        return generate_latest(self._registry)
