"""The program `impasto-worker`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext

from impasto.errors import ImpastoError, MissingDependency
from impasto.images import Limits
from impasto.jobs import Jobs
from impasto.logs import Log, adopt_library_logs, make_log
from impasto.metadata import MARK
from impasto.tracing import Tracing
from impasto.tracing.opening import open_tracing
from impasto_worker.http import http_port
from impasto_worker.loop import Worker
from impasto_worker.measuring import Counted, Measure
from impasto_worker.metrics import Metrics
from impasto_worker.options import PROGRAM, Options, load
from impasto_worker.painting import Paint
from impasto_worker.reporting import Pace
from impasto_worker.stopping import Stop, listening
from impasto_worker.stuck import Watched
from impasto_worker.vitals import Vitals

_CANNOT_START = 1
_SHARE_FOR_TRACES = 0.25

MakePainter = Callable[[Options, Log, Measure], Paint]


def main(arguments: Sequence[str] | None = None, make_painter: MakePainter | None = None) -> int:
    """Work until asked to stop, and return the exit status.

    Args:
        arguments: the command line's, without the program's name.
        make_painter: returns what paints; an `Optimizer` by default.
    """
    options = load(sys.argv[1:] if arguments is None else arguments)
    log = make_log(options.log_level, options.log_format)
    adopt_library_logs(log)
    stop = Stop(log, options.stop_seconds)
    with listening(stop, to_parent=options.stop_with_parent):
        try:
            vitals, port = _observed(options, stop)
            with port, _traced(options, log) as tracing:
                with stop.at_once():
                    paint = (make_painter or _optimizer)(options, log, vitals.measure)
                vitals.set_up()
                work(options, paint, stop, vitals, tracing, log)
        except (ImpastoError, OSError) as error:
            log.critical("cannot start", reason=str(error))
            return _CANNOT_START
    return 0


def work(options: Options, paint: Paint, stop: Stop, vitals: Vitals, tracing: Tracing, log: Log) -> None:
    """Paint jobs until asked to stop.

    Raises:
        InvalidInput: one of the store's URLs means nothing.
        MissingDependency: what reaches such a store is not installed.
    """
    Worker(
        lambda: Jobs.open(options.database, options.blobs, lease_seconds=options.lease_seconds),
        Watched(Counted(paint, vitals.measure), options.stuck_seconds, log, told=vitals.fail),
        name=options.unique_name,
        pace=Pace(preview_seconds=options.preview_seconds, checkpoint_seconds=options.checkpoint_seconds),
        lease_seconds=options.lease_seconds,
        limits=Limits(max_pixels=options.max_pixels),
        mark=MARK if options.mark_results else b"",
        stop=stop,
        vitals=vitals,
        tracing=tracing,
        log=log,
    ).run()


@contextmanager
def _traced(options: Options, log: Log) -> Iterator[Tracing]:
    """Yield what traces; what it has not sent at the end it may send within a share of the time to stop."""
    tracing = open_tracing(options.traces, PROGRAM, log)
    try:
        yield tracing
    finally:
        tracing.close(_SHARE_FOR_TRACES * options.stop_seconds)


def _observed(options: Options, stop: Stop) -> tuple[Vitals, AbstractContextManager[None]]:
    """Return what knows how the worker is, and what tells those who ask over HTTP: nobody, where it is off."""
    if options.http is None:
        return Vitals(stop), nullcontext()
    metrics = Metrics()
    vitals = Vitals(stop, metrics)
    return vitals, http_port(options.http, metrics, vitals, options.ports_file)


def _optimizer(options: Options, log: Log, measure: Measure) -> Paint:
    """Return the painter; torch is imported only now, for that takes seconds, in which a bad option is told of."""
    try:
        from impasto_worker.optimizing import Optimizer
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependency(error.name, "optimize") from error
    optimizer = Optimizer(options.device, weights=options.vgg_weights, memory=options.memory, log=log)
    measure.paints_on(optimizer.device, optimizer.perception)
    return optimizer


if __name__ == "__main__":
    sys.exit(main())
