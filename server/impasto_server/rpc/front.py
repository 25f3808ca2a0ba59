"""The two gRPC servers: one for those who call, one for administrators, on ports of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator

import grpc
from google.longrunning.operations_pb2_grpc import add_OperationsServicer_to_server
from google.protobuf.descriptor_pool import Default
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from impasto.inference.open_inference_pb2_grpc import add_GRPCInferenceServiceServicer_to_server
from impasto.logs import Log
from impasto.tracing import Tracing
from impasto.v1.admin_pb2_grpc import add_AdminServicer_to_server
from impasto.v1.stylizer_pb2_grpc import add_StylizerServicer_to_server
from impasto_server.bundles.stock import Stock
from impasto_server.config import Address, Config
from impasto_server.fast.codec import Codec
from impasto_server.fast.painter import Paints
from impasto_server.health import Health
from impasto_server.identity.browsers import Passage
from impasto_server.identity.certificates import Certificate
from impasto_server.identity.recognition import Recognizes
from impasto_server.identity.reloading import Reloading
from impasto_server.identity.roles import Role
from impasto_server.jobs.desk import JobDesk
from impasto_server.metrics import Metrics
from impasto_server.rpc.admin import SERVICE as ADMIN
from impasto_server.rpc.admin import Admin
from impasto_server.rpc.allowances import allowances_of
from impasto_server.rpc.budget import Budget
from impasto_server.rpc.entrance import Entrance
from impasto_server.rpc.gate import Gate
from impasto_server.rpc.incoming import Incoming
from impasto_server.rpc.inference.elsewhere import on_administrators_port, on_callers_port
from impasto_server.rpc.inference.opening import open_inference
from impasto_server.rpc.inference.servicer import SERVICE as INFERENCE
from impasto_server.rpc.interceptor import Interceptor
from impasto_server.rpc.operations import SERVICE as OPERATIONS
from impasto_server.rpc.operations import Operations
from impasto_server.rpc.streams import Streams
from impasto_server.rpc.stylizer import SERVICE as STYLIZER
from impasto_server.rpc.stylizer import Stylizer
from impasto_server.rpc.transfers import Transfers
from impasto_server.rpc.transport import transport_options

SERVICES = (STYLIZER, OPERATIONS, INFERENCE)
"""What is served to those who call, beside health and reflection."""

# What is expected of the protocol's methods; the others tell of the server, and of them there is little to count.
_PAINTING = ((f"/{INFERENCE}/ModelInfer", True), (f"/{INFERENCE}/ModelStreamInfer", False))

_EVERYONE = (Role.STYLIZE, Role.JOBS)  # what everyone may do where there is no callers file
_HEALTH = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


class Front:
    """Answers calls. To be made inside a running event loop.

    Args:
        config: as read at start.
        stock: the bundles.
        painter: what paints photos in their styles.
        codec: what reads requests that are all numbers.
        jobs: what takes jobs.
        health: what the server says of itself.
        metrics: of calls.
        tracing: of calls, too.
        log: a line for each call.

    Attributes:
        address: where it listens, once it does: with the port that was chosen.
        admin_address: where it listens for administrators; None if nowhere.

    Raises:
        CallersUnreadable, CertificateUnusable: a file cannot be used.
    """

    def __init__(
        self,
        config: Config,
        stock: Stock,
        painter: Paints,
        codec: Codec,
        jobs: JobDesk,
        health: Health,
        metrics: Metrics,
        tracing: Tracing,
        log: Log,
    ) -> None:
        self.address = Address.parse(config.listen)
        self.admin_address = config.admin_address
        self._config = config
        self._metrics = metrics
        self._tracing = tracing
        self._log = log
        self._entrance = Entrance(config, metrics, log)
        self._transfers = Transfers(
            receive_seconds=config.receive_seconds,
            send_seconds=config.stream_idle_seconds,
            at_once=config.max_uploads,
        )
        self._incoming, budget = Incoming(), Budget(config.stream_bytes)
        streams = Streams(
            stock.shelf,
            painter,
            metrics,
            log,
            window=config.stream_window,
            incoming=self._incoming,
            budget=budget,
            idle_seconds=config.stream_idle_seconds,
            max_working_size=config.max_working_size,
            max_pixels=config.max_pixels,
        )
        stylizer = Stylizer(config, stock.shelf, painter, streams, jobs, health, metrics)
        self._callers = self._server(_EVERYONE, on_callers_port)
        add_StylizerServicer_to_server(stylizer, self._callers)  # type: ignore[no-untyped-call]
        add_OperationsServicer_to_server(Operations(jobs), self._callers)
        inference, repository = open_inference(
            config, stock, painter, codec, health, metrics, log, incoming=self._incoming, budget=budget
        )
        add_GRPCInferenceServiceServicer_to_server(inference, self._callers)  # type: ignore[no-untyped-call]
        _complete(self._callers, health, SERVICES)
        for method, timed in (*_methods((STYLIZER, OPERATIONS)), *_PAINTING):
            metrics.expect(method, timed=timed)
        self._administrators = self._server((Role.ADMIN, Role.STYLIZE), on_administrators_port)
        add_AdminServicer_to_server(Admin(stock), self._administrators)  # type: ignore[no-untyped-call]
        add_GRPCInferenceServiceServicer_to_server(repository, self._administrators)  # type: ignore[no-untyped-call]
        _complete(self._administrators, health, (ADMIN, INFERENCE))

    @property
    def recognizes(self) -> Recognizes:
        """What tells those who call apart."""
        return self._entrance.recognizes(_EVERYONE)

    @property
    def passage(self) -> Passage:
        """How the studio's calls say whose they are."""
        return self._entrance.passage

    @property
    def certificate(self) -> Reloading[Certificate] | None:
        """What the server shows, which may change; None where it speaks plain text."""
        return self._entrance.certificate

    async def listen(self) -> None:
        """Open the ports.

        Raises:
            CannotListen: an address cannot be had.
        """
        self.address = self._entrance.open(self._callers, self.address)
        if self._config.studio:
            self._entrance.open_passage(self._callers)
        await self._callers.start()
        if self.admin_address:
            self.admin_address = self._entrance.open(self._administrators, self.admin_address)
            await self._administrators.start()
        self._entrance.start()

    def close_streams(self) -> None:
        """Read no further photos of streams; those that have been read are answered."""
        self._incoming.close()

    async def stop(self, seconds: float) -> None:
        """Accept nothing new, and let what is in flight finish within so many seconds."""
        await asyncio.gather(self._callers.stop(seconds), self._administrators.stop(seconds))
        await self._entrance.stop()

    def _server(self, everyone: Collection[Role], on_port: Callable[[Gate], Gate]) -> grpc.aio.Server:
        """Return a server without services, which lets everyone do this where there is no callers file."""
        allowances = allowances_of(self._config, behind=on_port(self._entrance.gate(everyone)))
        return grpc.aio.server(
            interceptors=[Interceptor(self._metrics, self._log, allowances, self._transfers, self._tracing)],
            options=transport_options(self._config),
            maximum_concurrent_rpcs=self._config.max_calls,
            compression=grpc.Compression.NoCompression,
        )


def _methods(services: Collection[str]) -> Iterator[tuple[str, bool]]:
    """Yield the methods of services, as calls name them, and whether each has one answer."""
    for service in services:
        for method in Default().FindServiceByName(service).methods:
            yield f"/{service}/{method.name}", not method.server_streaming


def _complete(server: grpc.aio.Server, health: Health, services: Collection[str]) -> None:
    """Add health and reflection."""
    add_HealthServicer_to_server(health, server)
    reflection.enable_server_reflection([*services, _HEALTH, reflection.SERVICE_NAME], server)
