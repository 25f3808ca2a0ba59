"""Whether the server is ready, in one place: for gRPC's health service, for HTTP and for admission.

In place of grpcio's own servicer, for two reasons: there, one of two watchers that leaves makes the other deaf (the
condition that both wait on is dropped), and watchers never end, so that every shutdown takes its whole deadline.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from typing import Any

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthServicer
from typing_extensions import override

from impasto_server.errors import NotReady

_WARMING_UP = "warming up"
_SHUTTING_DOWN = "shutting down"


class Health(HealthServicer):
    """Starts as warming up, then is ready, then shuts down. All services of the server share one state.

    Attributes:
        obstacle: why the server is not ready; None when it is.
        failure: why the process is to be started anew; None while it is well.
    """

    def __init__(self, services: Collection[str]) -> None:
        self.obstacle: str | None = _WARMING_UP
        self._warm = False
        self.failure: str | None = None
        self._services = {"", *services}
        self._closed = False
        self._changed = asyncio.Event()

    def waiting(self, what: str) -> None:
        """Say what the start waits for; nothing if it goes on."""
        self.obstacle = f"{_WARMING_UP}; {what}" if what else _WARMING_UP

    def ready(self) -> None:
        self._warm = True
        self.obstacle = None
        self._announce()

    def fail(self, why: str) -> None:
        """Be ready no more, whatever comes."""
        self.failure = self.obstacle = why
        self._announce()

    def drain(self) -> None:
        self.obstacle = self.failure or _SHUTTING_DOWN
        self._announce()

    def close(self) -> None:
        """End every watch."""
        self._closed = True
        self._announce()

    def check_warm(self) -> None:
        """Raise NotReady until it has been ready. A server that shuts down still serves whoever reaches it."""
        if not self._warm:
            raise NotReady("the server is warming up; try again")

    @override
    async def Check(self, request: HealthCheckRequest, context: Any) -> HealthCheckResponse:
        if request.service not in self._services:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"unknown service; known: {', '.join(sorted(self._services))}"
            )
        return HealthCheckResponse(status=self._status(request.service))

    @override
    async def Watch(self, request: HealthCheckRequest, context: Any) -> AsyncIterator[HealthCheckResponse]:
        last = None
        while True:
            changed = self._changed
            status = self._status(request.service)
            if status != last:
                last = status
                yield HealthCheckResponse(status=status)
            if self._closed:
                return
            await changed.wait()

    def _status(self, service: str) -> int:
        if service not in self._services:
            return HealthCheckResponse.SERVICE_UNKNOWN
        return HealthCheckResponse.SERVING if self.obstacle is None else HealthCheckResponse.NOT_SERVING

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
