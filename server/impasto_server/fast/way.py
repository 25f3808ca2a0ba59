"""All that a photo passes on the fast way, put together."""

from __future__ import annotations

from impasto_server.config import Config
from impasto_server.fast.admission import Admission
from impasto_server.fast.cache import CachingPainter, Results
from impasto_server.fast.codec import Codec, threads_beside
from impasto_server.fast.engines import Engines
from impasto_server.fast.forecast import Forecast
from impasto_server.fast.pace import Pace
from impasto_server.fast.painter import Painter, Paints
from impasto_server.fast.scheduler import STUCK_TIMES, Scheduler
from impasto_server.life.watchdog import Overdue
from impasto_server.metrics import Metrics


class FastWay:
    """Made from the configuration, around the engines.

    Args:
        config: as read at start.
        engines: what paints.
        pace: what they tell how long each run takes.
        metrics: of what waits, and of results that are kept.

    Attributes:
        painter: what paints orders.
        admission: who may come in.
        codec: what decodes, scales and encodes.
    """

    def __init__(self, config: Config, engines: Engines, pace: Pace, metrics: Metrics) -> None:
        self._stuck_after = config.engine_stuck_seconds
        self._scheduler = Scheduler(engines, config.engine_runs, pace)
        forecast = Forecast(self._scheduler, config.engine_runs, config.max_wait_seconds)
        self.admission = Admission(config.max_concurrent_requests, forecast.wait)
        self.codec = Codec(config.codec_threads or threads_beside(config.provider))
        results = Results(config.cache_bytes)
        self.painter: Paints = Painter(
            self._scheduler,
            self.admission,
            forecast,
            self.codec,
            default_working_size=config.working_size,
            max_pixels=config.max_pixels,
            mark=config.mark,
        )
        if config.cache_bytes:
            self.painter = CachingPainter(
                self.painter,
                results,
                self.codec,
                precision=lambda transformer: engines.equipment[transformer].engine.precision,
                asked=metrics.looked_up,
            )
        metrics.watch(
            in_flight=lambda: self.admission.in_flight,
            queue_depth=lambda: self._scheduler.depth,
            predicted_wait=lambda: forecast.wait(""),
            cache_bytes=lambda: results.size,
            places=config.max_concurrent_requests,
        )

    def overdue(self) -> Overdue | None:
        """Return a run or a picture that takes far longer than it should, if there is one."""
        return self._scheduler.overdue(self._stuck_after, STUCK_TIMES) or self.codec.overdue(self._stuck_after)

    def send_away(self) -> None:
        """Take nothing more to paint, and fail what waits; a run that has begun goes on to its end."""
        self._scheduler.close()

    def close(self) -> None:
        """Drop what waits; what has begun goes on to its end."""
        self.codec.close()
        self._scheduler.close()
