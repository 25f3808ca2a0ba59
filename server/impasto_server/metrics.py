"""What the server measures, in a registry of its own.

Labels are bounded: methods that exist, status codes, stages. Add a metric here and a method that says when it happens;
no other module knows the library.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from impasto import __version__
from impasto.bundle import Bundle
from impasto.jobs import State
from impasto_server.painter import Painting

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
            ("stage",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "impasto_requests_in_flight", "Photos in the works, waiting ones included.", registry=self._registry
        )
        self._pixels = Counter("impasto_painted_pixels", "Pixels that engines have painted.", registry=self._registry)
        self._jobs = Gauge("impasto_jobs", "Jobs, as of a few seconds ago.", ("state",), registry=self._registry)
        self._workers = Gauge("impasto_workers", "Worker processes beside this server.", registry=self._registry)
        self._info = Info("impasto", "This server.", registry=self._registry)

    def watch_in_flight(self, count: Callable[[], float]) -> None:
        """Ask `count` for the number of requests in flight whenever the metrics are read."""
        self._in_flight.set_function(count)

    def started(self, bundles: Iterable[Bundle], providers: Iterable[str]) -> None:
        names = ",".join(f"{bundle.name}@{bundle.version}" for bundle in bundles)
        provider = ",".join(sorted(set(providers)))
        self._info.info({"version": __version__, "provider": provider, "bundles": names})

    def called(self, method: str, code: str) -> None:
        self._requests.labels(method, code).inc()

    def painted(self, painting: Painting) -> None:
        for stage, seconds in painting.seconds.items():
            self._stages.labels(stage).observe(seconds)
        self._pixels.inc(painting.pixels)

    def jobs(self, counts: Mapping[State, int]) -> None:
        for state in State:
            self._jobs.labels(state.value).set(counts.get(state, 0))

    def workers(self, count: int) -> None:
        self._workers.set(count)

    def page(self) -> bytes:
        """Return everything as /metrics shows it."""
        return generate_latest(self._registry)
