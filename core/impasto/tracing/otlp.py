"""Spans on their way to a collector, by OTLP over gRPC, as OpenTelemetry's own environment variables say.

They wait in a queue of bounded length, and a thread of its own sends them: a collector that is away costs spans, and
neither time nor memory. It is told of once a minute.
"""

from __future__ import annotations

import logging
import math
import os
import socket
from threading import Thread
from time import monotonic

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from typing_extensions import override

from impasto import __version__
from impasto.errors import InvalidInput
from impasto.logs import Log
from impasto.tracing.recording import RecordingTracing

_LIBRARY = "opentelemetry"
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_WARN_EVERY = 60.0  # s


class OtlpTracing(RecordingTracing):
    """Sends spans to a collector.

    Args:
        service: what they are said to come from, unless the environment says otherwise.
        log: told that they cannot be sent.

    Raises:
        InvalidInput: a variable of OpenTelemetry's that cannot be used.
    """

    def __init__(self, service: str, log: Log) -> None:
        _check_protocol()
        self._warnings = _Warnings(log)
        self._warnings.adopt()
        try:
            self._exporter = OTLPSpanExporter()
            self._provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
            self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        except Exception as error:  # the library has classes of its own, without a common one
            self._warnings.abandon()
            raise InvalidInput("traces", f"OpenTelemetry cannot use its environment variables: {error}") from error
        super().__init__(self._provider.get_tracer("impasto", __version__), Context())

    @override
    def close(self, seconds: float) -> None:
        ending = Thread(target=self._provider.shutdown, name="impasto-traces", daemon=True)
        ending.start()
        ending.join(seconds / 2)
        if ending.is_alive():
            self._warnings.say("the collector did not take the last of them in time")
            self._exporter.shutdown()  # so that it is not tried again
            ending.join(seconds / 2)
            self._warnings.silence()
        else:
            self._warnings.abandon()


class _Warnings(logging.Handler):
    """What the library has to say, which it says each time that it tries: the first of it, and then once a minute.

    Args:
        log: where to.
    """

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log
        self._logger = logging.getLogger(_LIBRARY)
        self._since = -_WARN_EVERY
        self._left_out = 0

    def adopt(self) -> None:
        """Be the only one that hears it."""
        self._logger.addHandler(self)
        self._logger.propagate = False

    def abandon(self) -> None:
        self._logger.removeHandler(self)
        self._logger.propagate = True

    def silence(self) -> None:
        """Go on hearing it, and say nothing: of what was cut short there is more to come, and no news."""
        self._since = math.inf

    def emit(self, record: logging.LogRecord) -> None:
        now = monotonic()
        if now < self._since + _WARN_EVERY:
            self._left_out += 1
            return
        left_out, self._since, self._left_out = self._left_out, now, 0
        self.say(record.getMessage(), left_out)

    def say(self, reason: str, left_out: int = 0) -> None:
        self._log.warning("traces not sent", reason=reason, warnings_left_out=left_out)


def _check_protocol() -> None:
    for name in _PROTOCOLS:
        if os.environ.get(name, "grpc") not in ("", "grpc"):
            raise InvalidInput(name, f"{os.environ[name]!r} is not supported; give grpc, or leave it out")


def _resource(service: str) -> Resource:
    """Return what all spans have in common; OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win."""
    ours = {"service.name": service, "service.version": __version__, "host.name": socket.gethostname()}
    given = OTELResourceDetector().detect().attributes
    return Resource.create({name: value for name, value in ours.items() if name not in given})
