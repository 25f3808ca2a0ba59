"""What a worker measures, in a registry of its own. No other module of it knows the library."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from impasto import __version__
from impasto_worker.attempt import Outcome

_SECONDS = (1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0, 2500.0)


class Metrics:
    """Counts, as `Measure` says, and shows its counts in Prometheus' text format."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._info = Info("impasto_worker", "This worker.", registry=self._registry)
        self._jobs = Counter(
            "impasto_worker_jobs", "Attempts at jobs, by how they ended.", ("outcome",), registry=self._registry
        )
        self._seconds = Histogram(
            "impasto_worker_job_seconds",
            "How long this worker had each job that succeeded.",
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._busy = Gauge("impasto_worker_busy", "Whether there is a job in hand.", registry=self._registry)
        self._store = Gauge(
            "impasto_worker_store_reachable", "Whether the store of jobs last answered.", registry=self._registry
        )
        self._steps = Counter("impasto_worker_steps", "Steps of optimisation that were made.", registry=self._registry)
        for outcome in Outcome:
            self._jobs.labels(outcome.value)
        self.paints_on("", "")

    def paints_on(self, device: str, perception: str) -> None:
        self._info.info({"version": __version__, "device": device, "perception": perception})

    def store(self, reachable: bool) -> None:
        self._store.set(reachable)

    def begun(self) -> None:
        self._busy.set(1)

    def ended(self, outcome: str, seconds: float) -> None:
        self._busy.set(0)
        self._jobs.labels(outcome).inc()
        if outcome == Outcome.SUCCEEDED.value:
            self._seconds.observe(seconds)

    def step(self) -> None:
        self._steps.inc()

    def page(self) -> bytes:
        """Return everything as /metrics shows it."""
        return generate_latest(self._registry)
