"""Structured logs: one line an event, JSON unless asked for text, to one stream.

What is bound to the current request with `note` appears on each of its lines. Never note image bytes.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any, TextIO

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars, merge_contextvars
from structlog.typing import Processor

Log = structlog.typing.FilteringBoundLogger

note = bind_contextvars
noted = get_contextvars
forget_notes = clear_contextvars


def make_log(level: str = "info", format: str = "json", stream: TextIO | None = None) -> Log:
    """Return a logger.

    Args:
        level: the least severe line to write: debug, info, warning, error.
        format: json, or console for people.
        stream: where to; standard error by default.
    """
    target = stream or sys.stderr
    shared: list[Processor] = [
        merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if format == "json":
        ending: list[Processor] = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    else:
        # Not as structlog chooses: with some packages installed it prints variables, and so pictures.
        plain = structlog.dev.plain_traceback
        ending = [structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=plain)]
    log: Log = structlog.wrap_logger(
        structlog.WriteLogger(target),
        processors=[*shared, *ending],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    return log


def adopt_library_logs(log: Log) -> None:
    """Send to `log` what libraries log through the standard library, from warnings on, and errors that nobody catches:
    Python would print them between its lines."""
    sys.unraisablehook = lambda lost: log.error(
        "error lost", exc_info=lost.exc_value, where=f"{lost.err_msg or 'ignored in'} {lost.object!r}"
    )
    threading.excepthook = lambda lost: log.error(
        "thread died", exc_info=lost.exc_value, thread=lost.thread.name if lost.thread else None
    )
    logging.captureWarnings(capture=True)
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    root.handlers[:] = [_Forward(log)]


class _Forward(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        self._log.log(record.levelno, record.getMessage().replace("%", "%%"), **fields)
