"""The program `impasto-worker`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from impasto.errors import ImpastoError, MissingDependency
from impasto.images import Limits
from impasto.jobs import Jobs
from impasto.logs import Log, adopt_library_logs, make_log
from impasto.metadata import MARK
from impasto_worker.loop import Worker
from impasto_worker.options import Options, load
from impasto_worker.painting import Paint
from impasto_worker.reporting import Pace
from impasto_worker.stopping import Stop, listening
from impasto_worker.stuck import Watched

_CANNOT_START = 1


def main(arguments: Sequence[str] | None = None, make_painter: Callable[[Options, Log], Paint] | None = None) -> int:
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
            work(options, (make_painter or _optimizer)(options, log), stop, log)
        except (ImpastoError, OSError) as error:
            log.critical("cannot start", reason=str(error))
            return _CANNOT_START
    return 0


def work(options: Options, paint: Paint, stop: Stop, log: Log) -> None:
    """Paint jobs until asked to stop.

    Raises:
        InvalidInput: one of the store's URLs means nothing.
        MissingDependency: what reaches such a store is not installed.
    """
    Worker(
        lambda: Jobs.open(options.database, options.blobs, lease_seconds=options.lease_seconds),
        Watched(paint, options.stuck_seconds, log),
        name=options.unique_name,
        pace=Pace(preview_seconds=options.preview_seconds, checkpoint_seconds=options.checkpoint_seconds),
        lease_seconds=options.lease_seconds,
        limits=Limits(max_pixels=options.max_pixels),
        mark=MARK if options.mark_results else b"",
        stop=stop,
        log=log,
    ).run()


def _optimizer(options: Options, log: Log) -> Paint:
    """Return the painter; torch is imported only now, for that takes seconds, in which a bad option is told of."""
    try:
        from impasto_worker.optimizing import Optimizer
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependency(error.name, "optimize") from error
    return Optimizer(options.device, weights=options.vgg_weights, memory=options.memory, log=log)


if __name__ == "__main__":
    sys.exit(main())
