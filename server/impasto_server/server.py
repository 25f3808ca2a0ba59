"""The life of a server: start up, serve, shut down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress

import grpc
from google.longrunning.operations_pb2_grpc import add_OperationsServicer_to_server
from grpc_health.v1 import health_pb2
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha import reflection

from impasto import __version__
from impasto.errors import StoreUnavailable
from impasto.jobs import Jobs
from impasto.logs import Log, make_log
from impasto.v1.admin_pb2_grpc import add_AdminServicer_to_server
from impasto.v1.stylizer_pb2_grpc import add_StylizerServicer_to_server
from impasto_server.bundles.canary import Canary
from impasto_server.bundles.library import Library
from impasto_server.bundles.probing import NoProbe, Probe
from impasto_server.bundles.stock import Stock, starting_library
from impasto_server.config import Address, Config
from impasto_server.errors import NotSupported
from impasto_server.fast.admission import Admission
from impasto_server.fast.cache import CachingPainter, Results
from impasto_server.fast.codec import Codec
from impasto_server.fast.engines import Engines, OpenEngine, onnx_engines
from impasto_server.fast.forecast import Forecast
from impasto_server.fast.pace import Pace
from impasto_server.fast.painter import Painter, Paints
from impasto_server.fast.scheduler import STUCK_TIMES, Scheduler
from impasto_server.health import Health
from impasto_server.http import HttpPort
from impasto_server.identity.roles import Role
from impasto_server.jobs.desk import JobDesk
from impasto_server.jobs.store import Store
from impasto_server.jobs.supervisor import supervised_workers
from impasto_server.jobs.upkeep import Upkeep
from impasto_server.life.watchdog import Overdue, Watchdog
from impasto_server.metrics import Metrics
from impasto_server.rpc.admin import SERVICE as ADMIN
from impasto_server.rpc.admin import Admin
from impasto_server.rpc.allowances import allowances_of
from impasto_server.rpc.entrance import Entrance
from impasto_server.rpc.interceptor import Interceptor
from impasto_server.rpc.operations import SERVICE as OPERATIONS
from impasto_server.rpc.operations import Operations
from impasto_server.rpc.statuses import RETRY_AFTER
from impasto_server.rpc.streams import Streams
from impasto_server.rpc.stylizer import SERVICE as STYLIZER
from impasto_server.rpc.stylizer import Stylizer
from impasto_server.rpc.transfers import Transfers
from impasto_server.rpc.transport import transport_options

_HEALTH_SERVICE = health_pb2.DESCRIPTOR.services_by_name["Health"].full_name


class Server:
    """The gRPC service and its HTTP port. To be made inside a running event loop.

    Args:
        config: as read at start.
        library: the bundles to begin with, in the order in which the configuration has them.
        open_engine: makes an engine for a bundle; the real ones by default.
        probe: what every bundle has to pass before it is served; the canary by default, for real engines.
        log: where to; standard error by default, as the configuration says.

    Attributes:
        address, http_address: where it listens, once it does: with the ports that were chosen.
        admin_address: where it listens for administrators; None if nowhere.
    """

    def __init__(
        self,
        config: Config,
        library: Library,
        *,
        open_engine: OpenEngine | None = None,
        probe: Probe | None = None,
        log: Log | None = None,
    ) -> None:
        self._config = config
        self._log = log or make_log(config.log_level, config.log_format)
        self._entrance = Entrance(config, self._log)
        self._stuck = asyncio.Event()
        self._watchdog = Watchdog(
            [
                lambda: self._scheduler.overdue(config.engine_stuck_seconds, STUCK_TIMES),
                lambda: self._codec.overdue(config.engine_stuck_seconds),
            ],
            found=self._give_up,
            log=self._log,
        )
        self.address = Address.parse(config.listen)
        self.http_address = Address.parse(config.http)
        self.admin_address = config.admin_address
        self._metrics = Metrics()
        stand_in = open_engine is not None
        open_engine = open_engine or onnx_engines(config.provider, config.engine_threads, self._log)
        pace = Pace()
        self._engines = Engines(open_engine, pace, config.max_batch or None, config.working_size)
        self._stock = Stock(
            config,
            library,
            self._engines.open,
            probe or self._probe(real=not stand_in),
            changed=self._show_library,
            metrics=self._metrics,
            log=self._log,
        )
        self._scheduler = Scheduler(self._engines, config.engine_runs, pace)
        forecast = Forecast(self._scheduler, config.engine_runs, config.max_wait_seconds)
        self._admission = Admission(config.max_concurrent_requests, forecast.wait)
        self._codec = Codec(config.codec_threads)
        self._results = Results(config.cache_bytes)
        sizes = {"default_working_size": config.working_size, "max_pixels": config.max_pixels}
        self._painter: Paints = Painter(
            self._scheduler, self._admission, forecast, self._codec, **sizes, mark=config.mark
        )
        if config.cache_bytes:
            self._painter = CachingPainter(
                self._painter,
                self._results,
                self._codec,
                precision=lambda transformer: self._engines.equipment[transformer].engine.precision,
                asked=self._metrics.looked_up,
            )
        self._streams = Streams(
            self._stock.shelf,
            self._painter,
            self._metrics,
            self._log,
            window=config.stream_window,
            held_bytes=config.stream_bytes,
            idle_seconds=config.stream_idle_seconds,
            max_working_size=config.max_working_size,
            max_pixels=config.max_pixels,
        )
        self._transfers = Transfers(
            receive_seconds=config.receive_seconds,
            send_seconds=config.stream_idle_seconds,
            at_once=config.max_uploads,
        )
        self._store = Store(lambda: _open_jobs(config), self._log)
        storing = Admission(config.max_concurrent_requests, lambda _: RETRY_AFTER)
        self._jobs = JobDesk(self._store, self._admission, storing, self._codec, **sizes)
        self._health = Health([STYLIZER, OPERATIONS])
        self._metrics.watch(
            in_flight=lambda: self._admission.in_flight,
            queue_depth=lambda: self._scheduler.depth,
            predicted_wait=lambda: forecast.wait(""),
            cache_bytes=lambda: self._results.size,
        )
        self._workers = supervised_workers(config, alive=self._metrics.workers, log=self._log)
        self._upkeep = Upkeep(self._store, counted=self._metrics.jobs, log=self._log)
        self._http = HttpPort(self._metrics, self._health)
        self._grpc = self._services()
        self._admin = self._administration()

    async def listen(self) -> None:
        """Open both ports; the server answers, and says that it is not ready.

        Raises:
            CannotListen: an address cannot be had.
            OSError: the ports' file cannot be written.
        """
        self.http_address = await self._http.start(self.http_address)
        self.address = self._entrance.open(self._grpc, self.address)
        await self._grpc.start()
        if self.admin_address:
            self.admin_address = self._entrance.open(self._admin, self.admin_address)
            await self._admin.start()
        self._entrance.start()
        self._write_ports()
        admin = {"admin": str(self.admin_address)} if self.admin_address else {}
        self._log.info("listening", version=__version__, grpc=str(self.address), http=str(self.http_address), **admin)

    async def warm_up(self) -> None:
        """Open the engines, paint once with each bundle, and be ready; then let workers begin.

        Raises:
            EngineError, MissingDependency: a bundle cannot be painted with here.
            InvalidInput, MissingDependency: jobs cannot be kept where they should be, now or ever.
        """
        await asyncio.gather(self._stock.begin(), self._open_store())
        self._health.ready()
        batches = [dict(equipment.batches.measured) for equipment in self._engines.equipment.values()]
        self._log.info(
            "ready",
            bundles=[held.name for held in self._stock.shelf.held],
            styles=len(self._stock.shelf.library.styles),
            batches_by_pixels=batches,
            jobs=self._config.serves_jobs,
        )
        self._watchdog.start()
        if self._config.serves_jobs:
            self._upkeep.start()
            self._workers.start()

    @property
    def health(self) -> Health:
        """What it says of itself."""
        return self._health

    async def until_stuck(self) -> None:
        """Wait until something has got stuck that only the end of the process ends."""
        await self._stuck.wait()

    async def stop(self, *, abruptly: bool = False) -> None:
        """Shut down: not ready, wait, accept nothing new, let what is in flight finish within the deadline, close.

        Args:
            abruptly: without the two waits.
        """
        self._log.info("shutting down", in_flight=self._admission.in_flight)
        self._health.drain()
        await asyncio.sleep(0 if abruptly else self._config.drain_delay_seconds)
        self._health.close()
        self._jobs.close()
        self._streams.close()
        deadline = 0 if abruptly else self._config.drain_seconds
        await asyncio.gather(
            self._grpc.stop(deadline),
            self._admin.stop(deadline),
            self._workers.stop(deadline),
            self._upkeep.stop(),
            self._stock.stop(),
            self._watchdog.stop(),
        )
        await asyncio.gather(self._http.stop(), self._entrance.stop())
        self._codec.close()
        self._scheduler.close()
        await self._store.close()
        self._log.info("stopped")

    def _probe(self, *, real: bool) -> Probe:
        """Return what bundles have to pass; engines that are not real paint nothing worth looking at."""
        return Canary(self._config.engine_threads) if real and self._config.bundle_probe == "on" else NoProbe()

    def _show_library(self, library: Library) -> None:
        self._metrics.serving(library.bundles, library.current.values(), self._engines.engines)

    def _give_up(self, overdue: Overdue) -> None:
        """Take nothing more to paint, and send away what waits: others can do it."""
        self._health.fail(f"{overdue.what} is stuck")
        overdue.give_up()
        self._scheduler.close()
        self._stuck.set()

    async def _open_store(self) -> None:
        """Open the job store. One that is away is no reason not to serve: it is opened when it comes back."""
        if self._config.serves_jobs:
            with suppress(StoreUnavailable):
                await self._store.open()

    def _services(self) -> grpc.aio.Server:
        server = self._grpc_server(everyone=(Role.STYLIZE, Role.JOBS))
        servicer = Stylizer(
            self._config, self._stock.shelf, self._painter, self._streams, self._jobs, self._health, self._metrics
        )
        add_StylizerServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
        add_OperationsServicer_to_server(Operations(self._jobs), server)
        add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection([STYLIZER, OPERATIONS, _HEALTH_SERVICE, reflection.SERVICE_NAME], server)
        return server

    def _administration(self) -> grpc.aio.Server:
        server = self._grpc_server(everyone=(Role.ADMIN,))
        add_AdminServicer_to_server(Admin(self._stock), server)  # type: ignore[no-untyped-call]
        add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection([ADMIN, _HEALTH_SERVICE, reflection.SERVICE_NAME], server)
        return server

    def _grpc_server(self, everyone: Collection[Role]) -> grpc.aio.Server:
        """Return a server without services, which lets everyone do this where there is no callers file."""
        gate = self._entrance.gate(everyone)
        allowances = allowances_of(self._config, behind=gate)
        return grpc.aio.server(
            interceptors=[Interceptor(self._metrics, self._log, allowances, self._transfers)],
            options=transport_options(self._config),
            maximum_concurrent_rpcs=self._config.max_calls,
            compression=grpc.Compression.NoCompression,
        )

    def _write_ports(self) -> None:
        """Write the file in one step, so that who waits for it never reads half of it."""
        file = self._config.ports_file
        if file is None:
            return
        draft = file.with_name(f".{file.name}.draft")
        ports = {"grpc": self.address.port, "http": self.http_address.port}
        if self.admin_address:
            ports["admin"] = self.admin_address.port
        draft.write_text(json.dumps(ports) + "\n")
        draft.replace(file)


def _open_jobs(config: Config) -> Jobs:
    if not config.serves_jobs:
        raise NotSupported(
            "this server does no jobs, and so paints no style_images; start it with --jobs on, or give style_id or "
            "blend, with ids from ListStyles"
        )
    return Jobs.open(
        config.database_url,
        config.blobs_url,
        queue_limit=config.job_queue_limit,
        keep_seconds=config.job_keep_seconds,
    )


@asynccontextmanager
async def running(
    config: Config, *, open_engine: OpenEngine | None = None, probe: Probe | None = None, log: Log | None = None
) -> AsyncIterator[Server]:
    """Run a server in this event loop, ready on entry, and shut it down on exit.

        config = Config(listen="127.0.0.1:0", http="127.0.0.1:0", bundles=(path,))
        async with running(config, open_engine=lambda bundle: FakeEngine()) as server:
            channel = grpc.aio.insecure_channel(str(server.address))

    Raises:
        BundleError, EngineError, MissingDependency, CannotListen: it cannot start.
    """
    library = await asyncio.to_thread(starting_library, config)
    server = Server(config, library, open_engine=open_engine, probe=probe, log=log)
    try:
        await server.listen()
        await server.warm_up()
    except BaseException:
        await server.stop(abruptly=True)
        raise
    try:
        yield server
    finally:
        await server.stop()
