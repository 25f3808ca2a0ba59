"""What the server measures, in a registry of its own.

Labels are bounded: methods that exist, status codes, stages, reasons, the bundles served. Add a metric here, a method
that says when it happens, and a line in the table of docs/monitoring.md; no other module knows the library.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from impasto import __version__
from impasto.bundle import Bundle
from impasto.engine import Engine
from impasto.jobs import State
from impasto_server.painting import Painting

_BATCHES = (1, 2, 4, 8, 16, 32)
_PIXELS = tuple(4**k for k in range(6, 13))  # 64 px a side to 4096
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

# Of whole calls, from a small picture on a GPU to the longest wait that a server lets anyone have. A quantile is a
# guess within a bucket, so each is at most twice the one before; the objective of latency is about 2 s.
_CALL_SECONDS = (
    *(0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75),
    *(1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 30.0),
)

# Shown as 0 before they happen: Prometheus sees a counter grow only from the second time that it meets it, so that the
# first failure of a server would be in no rate.
_OK_AND_FAILURES = ("OK", "INTERNAL", "UNAVAILABLE", "UNKNOWN", "DATA_LOSS")
_SATURATED = ("OVERLOADED", "DEADLINE_UNREACHABLE", "QUEUE_FULL")
_CUT_OFF = ("caller", "deadline", "job")
_LOADS = ("loaded", "refused", "unreachable")
_LOOKS = ("hit", "miss")

disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each, of which Prometheus makes nothing


class Metrics:
    """Counts, and shows its counts in Prometheus' text format."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter("impasto_requests", "Calls that ended.", ("method", "code"), registry=self._registry)
        self._calls = Histogram(
            "impasto_request_seconds",
            "How long calls took that ended OK and had one answer, their upload included; none that waited for a job.",
            ("method",),
            buckets=_CALL_SECONDS,
            registry=self._registry,
        )
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
        self._places = Gauge(
            "impasto_max_concurrent_requests", "Photos that may be in the works.", registry=self._registry
        )
        self._ready = Gauge("impasto_ready", "Whether requests are welcome.", registry=self._registry)
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
            "Calls cut off by the caller or by its deadline, or at its deadline while they waited for a job.",
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
        self._oldest = Gauge(
            "impasto_oldest_waiting_job_seconds",
            "How long the job has waited that has waited longest, as of a few seconds ago; 0 where none waits.",
            registry=None,
        )
        self._job_store = Gauge(
            "impasto_job_store_reachable", "Whether the job store was there at the latest look.", registry=None
        )
        self._certificate = Gauge(
            "impasto_certificate_expiry_timestamp_seconds",
            "When callers will not accept the server's certificate any more, as seconds since 1970.",
            registry=None,
        )
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
            "Whether the store of bundles was there at the latest look.",
            registry=None,
        )
        self._shown: set[Gauge] = set()
        self._begin_at_zero()

    def expect(self, method: str, *, timed: bool) -> None:
        """Show what a method may come to before it happens.

        Args:
            method: as calls name it.
            timed: whether it has one answer.
        """
        for code in _OK_AND_FAILURES:
            self._requests.labels(method, code)
        for reason in _SATURATED:
            self._refused.labels(method, reason)
        for reason in _CUT_OFF:
            self._cut_off.labels(method, reason)
        if timed:
            self._calls.labels(method)

    def watch(
        self,
        *,
        in_flight: Callable[[], float],
        queue_depth: Callable[[], float],
        predicted_wait: Callable[[], float],
        cache_bytes: Callable[[], float],
        places: int,
    ) -> None:
        """Ask these whenever the metrics are read.

        Args:
            in_flight, queue_depth: photos.
            predicted_wait: s.
            cache_bytes: that kept results take.
            places: photos that may be in flight.
        """
        self._places.set(places)
        self._in_flight.set_function(in_flight)
        self._depth.set_function(queue_depth)
        self._wait.set_function(predicted_wait)
        self._cache_size.set_function(cache_bytes)

    def watch_readiness(self, ready: Callable[[], bool]) -> None:
        """Ask this whenever the metrics are read."""
        self._ready.set_function(ready)

    def watch_certificate(self, expires: Callable[[], datetime]) -> None:
        """Ask this whenever the metrics are read; without TLS there is nothing to tell."""
        self._show(self._certificate)
        self._certificate.set_function(lambda: expires().timestamp())

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
        """Tell of a look into the store of bundles; where none is watched, nothing is shown of it."""
        self._show(self._store)
        self._store.set(reachable)

    def called(self, method: str, code: str) -> None:
        self._requests.labels(method, code).inc()

    def took(self, method: str, seconds: float) -> None:
        """Count a call with one answer that ended OK."""
        self._calls.labels(method).observe(seconds)

    def refused(self, method: str, reason: str) -> None:
        self._refused.labels(method, reason).inc()

    def cut_off(self, method: str, reason: str) -> None:
        """Count a call cut off by the `caller` or by its `deadline`, or at its deadline while it waited for a `job`."""
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

    def jobs(self, counts: Mapping[State, int], oldest: float) -> None:
        """Tell what the job store holds.

        Args:
            counts: jobs in each state.
            oldest: s, that the one has waited that has waited longest.
        """
        for state in State:
            self._jobs.labels(state.value).set(counts.get(state, 0))
        self._show(self._oldest)
        self._oldest.set(oldest)

    def job_store(self, reachable: bool) -> None:
        """Tell of a look into the job store; where no jobs are served, nothing is shown of it."""
        self._show(self._job_store)
        self._job_store.set(reachable)

    def workers(self, count: int) -> None:
        self._workers.set(count)

    def page(self) -> bytes:
        """Return everything as /metrics shows it."""
        return generate_latest(self._registry)

    def _begin_at_zero(self) -> None:
        for code in _OK_AND_FAILURES:
            self._items.labels(code)
        for result in _LOADS:
            self._loads.labels(result)
        for result in _LOOKS:
            self._cached.labels(result)

    def _show(self, gauge: Gauge) -> None:
        """Show a gauge from now on: one that there is nothing to tell of is better missing than 0."""
        if gauge not in self._shown:
            self._shown.add(gauge)
            self._registry.register(gauge)
