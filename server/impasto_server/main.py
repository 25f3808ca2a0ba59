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
from impasto_server.config import PROGRAM, Config, ConfigError, load
from impasto_server.fast import codec, engines
from impasto_server.jobs import store
from impasto_server.server import running

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_CANNOT_START = 1
_BAD_CONFIGURATION = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT, and return the exit status."""
    try:
        config = load(sys.argv[1:] if arguments is None else arguments)
    except ConfigError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return _BAD_CONFIGURATION
    log = make_log(config.log_level, config.log_format)
    adopt_library_logs(log)
    logging.getLogger("grpc._cython.cygrpc").addFilter(_of_interest)
    try:
        asyncio.run(serve(config, log))
    except (ImpastoError, OSError) as error:
        log.critical("cannot start", reason=str(error))
        return _CANNOT_START
    _leave_runs_behind()
    return 0


async def serve(config: Config, log: Log) -> None:
    """Serve until a signal, which stops a start-up as well; a second one ends the process at once."""
    serving = asyncio.ensure_future(_serve_for_ever(config, log))

    def stop() -> None:
        serving.cancel()
        for signal_number in _SIGNALS:
            loop.remove_signal_handler(signal_number)
            signal.signal(signal_number, signal.SIG_DFL)

    loop = asyncio.get_running_loop()
    for signal_number in _SIGNALS:
        loop.add_signal_handler(signal_number, stop)
    with suppress(asyncio.CancelledError):
        await serving


async def _serve_for_ever(config: Config, log: Log) -> None:
    async with running(config, log=log):
        await asyncio.Event().wait()


def _of_interest(record: logging.LogRecord) -> bool:
    """Leave out that a caller went away while it was being sent something: the call's own line says so."""
    return not record.getMessage().startswith("ExecuteBatchError raised in core by servicer method")


def _leave_runs_behind() -> None:
    """End at once if a picture or a question that the deadline overtook is in the works: Python would wait for it."""
    ours = (engines.THREAD_NAME, codec.THREAD_NAME, store.THREAD_NAME)
    if any(thread.name.startswith(ours) for thread in threading.enumerate()):
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
