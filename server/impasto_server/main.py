"""The program `impasto-server`."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress

from impasto.errors import ImpastoError
from impasto.logs import Log, adopt_library_logs, make_log
from impasto_server.bundles import loading
from impasto_server.commands import COMMANDS
from impasto_server.config import PROGRAM, Config, ConfigError, load
from impasto_server.fast import codec, engines
from impasto_server.fast.engines import OpenEngine
from impasto_server.jobs import store
from impasto_server.life.ending import LastResort, Status
from impasto_server.life.files import allow_many_files
from impasto_server.life.pulse import Pulse
from impasto_server.server import running

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def main(arguments: Sequence[str] | None = None, *, open_engine: OpenEngine | None = None) -> int:
    """Run until SIGTERM or SIGINT, or do what the command says, and return the exit status.

    Args:
        arguments: the command line's, without the program's name.
        open_engine: makes an engine for a bundle; the real ones by default.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and (command := COMMANDS.get(arguments[0])):
            return command(arguments[1:]) or 0
        config = load(arguments)
    except ConfigError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return Status.BAD_CONFIGURATION
    log = make_log(config.log_level, config.log_format)
    adopt_library_logs(log)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_of_interest)
    allow_many_files()
    try:
        status = asyncio.run(serve(config, log, open_engine=open_engine))
    except (ImpastoError, OSError) as error:
        log.critical("cannot start", reason=str(error))
        status = Status.CANNOT_START
    _leave_runs_behind(status)
    return status


async def serve(config: Config, log: Log, *, open_engine: OpenEngine | None = None) -> Status:
    """Serve until a signal, which stops a start-up as well; a second one ends the process at once.

    Args:
        config: as read at start.
        log: where to.
        open_engine: makes an engine for a bundle; the real ones by default.

    Returns:
        what to end with: STUCK, if it was no signal.
    """
    last_resort = LastResort(config.drain_delay_seconds + config.drain_seconds + config.end_seconds, log)
    stuck = asyncio.Event()

    async def serve_on() -> None:
        async with running(config, open_engine=open_engine, log=log) as server:
            await server.until_stuck()
            last_resort.arm(Status.STUCK)
            stuck.set()

    def stop() -> None:
        if not stuck.is_set():  # or it stops already
            last_resort.arm(Status.NOT_IN_TIME)
            serving.cancel()
        for signal_number in _SIGNALS:
            loop.remove_signal_handler(signal_number)
            signal.signal(signal_number, signal.SIG_DFL)

    serving = asyncio.ensure_future(serve_on())
    loop = asyncio.get_running_loop()
    for signal_number in _SIGNALS:
        loop.add_signal_handler(signal_number, stop)
        # Python's own handler is called, too, and while the loop does not turn, as where nobody reads what it writes.
        signal.signal(signal_number, lambda *_: last_resort.arm(Status.NOT_IN_TIME))
    with Pulse(config.loop_stuck_seconds, log).watching(loop), suppress(asyncio.CancelledError):
        await serving
    return Status.STUCK if stuck.is_set() else Status.OK


def _of_interest(record: logging.LogRecord) -> bool:
    """Leave out that a caller went away while it was being sent something: the call's own line says so."""
    return not record.getMessage().startswith("ExecuteBatchError raised in core by servicer method")


def _leave_runs_behind(status: Status) -> None:
    """End at once if a picture or a question that the end overtook is in the works: Python would wait for it."""
    ours = (engines.THREAD_NAME, codec.THREAD_NAME, store.THREAD_NAME, loading.THREAD_NAME)
    if any(thread.name.startswith(ours) for thread in threading.enumerate()):
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
