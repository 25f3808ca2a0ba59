"""The life of a server: start up, serve, shut down."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from impasto import __version__
from impasto.errors import StoreUnavailable
from impasto.jobs import Jobs
from impasto.logs import Log, make_log
from impasto.tracing.opening import open_tracing
from impasto_server.bundles.canary import Canary
from impasto_server.bundles.library import Library
from impasto_server.bundles.probing import NoProbe, Probe
from impasto_server.bundles.stock import Stock
from impasto_server.config import PROGRAM, Address, Config
from impasto_server.errors import NotSupported
from impasto_server.fast.admission import Admission
from impasto_server.fast.engines import Engines, OpenEngine, onnx_engines
from impasto_server.fast.pace import Pace
from impasto_server.fast.way import FastWay
from impasto_server.health import Health
from impasto_server.http import HttpPort
from impasto_server.jobs.desk import JobDesk
from impasto_server.jobs.store import Store
from impasto_server.jobs.supervisor import supervised_workers
from impasto_server.jobs.upkeep import Upkeep
from impasto_server.life.watchdog import Overdue, Watchdog
from impasto_server.metrics import Metrics
from impasto_server.rpc.front import SERVICES, Front
from impasto_server.rpc.statuses import RETRY_AFTER
from impasto_server.studio.opening import open_studio

_STORE_WITHIN = 5.0  # s, that the start waits for a job store which does not answer


class Server:
    """The gRPC service and its HTTP port. To be made inside a running event loop.

    Args:
        config: as read at start.
        open_engine: makes an engine for a bundle; the real ones by default.
        probe: what every bundle has to pass before it is served; the canary by default, for real engines.
        log: where to; standard error by default, as the configuration says.

    Attributes:
        address, http_address: where it listens, once it does: with the ports that were chosen.
        admin_address: where it listens for administrators; None if nowhere.
        studio_address: where it listens for browsers; None if nowhere.
        health: what it says of itself.
    """

    def __init__(
        self,
        config: Config,
        *,
        open_engine: OpenEngine | None = None,
        probe: Probe | None = None,
        log: Log | None = None,
    ) -> None:
        self._config = config
        self._log = log or make_log(config.log_level, config.log_format)
        self._tracing = open_tracing(config.traces, PROGRAM, self._log)
        self._stuck = asyncio.Event()
        self._metrics = Metrics()
        pace = Pace()
        self._engines = Engines(
            open_engine or onnx_engines(config.provider, config.engine_threads, self._log),
            pace,
            config.max_batch or None,
            config.working_size,
        )
        self._stock = Stock(
            config,
            self._engines.open,
            probe or self._probe(real=open_engine is None),
            changed=self._show_library,
            metrics=self._metrics,
            log=self._log,
        )
        self._way = FastWay(config, self._engines, pace, self._metrics)
        self._store = Store(lambda: _open_jobs(config), self._log)
        self._jobs = JobDesk(
            self._store,
            self._way.admission,
            Admission(config.max_concurrent_requests, lambda _: RETRY_AFTER),
            self._way.codec,
            default_working_size=config.working_size,
            max_pixels=config.max_pixels,
        )
        self._workers = supervised_workers(config, alive=self._metrics.workers, log=self._log)
        self._upkeep = Upkeep(self._store, counted=self._metrics.jobs, reached=self._metrics.job_store, log=self._log)
        self._watchdog = Watchdog([self._way.overdue], found=self._give_up, log=self._log)
        self.health = Health(SERVICES)
        self._metrics.watch_readiness(lambda: self.health.obstacle is None)
        self.http_address = Address.parse(config.http)
        self._http = HttpPort(self._metrics, self.health)
        self._front = Front(
            config,
            self._stock,
            self._way.painter,
            self._way.codec,
            self._jobs,
            self.health,
            self._metrics,
            self._tracing,
            self._log,
        )
        self._studio = open_studio(config, self._front, self._metrics, self._log)

    @property
    def address(self) -> Address:
        return self._front.address

    @property
    def admin_address(self) -> Address | None:
        return self._front.admin_address

    @property
    def studio_address(self) -> Address | None:
        return self._studio.address

    async def listen(self) -> None:
        """Open the ports; the server answers, and says that it is not ready.

        Raises:
            CannotListen: an address cannot be had.
            OSError: the ports' file cannot be written.
        """
        self.http_address = await self._http.start(self.http_address)
        await self._front.listen()
        await self._studio.listen()
        self._write_ports()
        self._log.info("listening", version=__version__, **{name: str(at) for name, at in self._addresses.items()})

    async def warm_up(self) -> None:
        """Load the bundles, open the engines, paint once with each, and be ready; then let workers begin.

        Bundles that cannot be reached are waited for.

        Raises:
            BundleError, BundleRefused, EngineError, MissingDependency: a bundle cannot be painted with here.
            FolderUnusable: copies of bundles cannot be kept where they should be.
            InvalidInput, MissingDependency: a URL is of no use, now or ever.
        """
        await _all(self._stock.begin(self.health.waiting), self._open_store())
        self.health.ready()
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

    async def until_stuck(self) -> None:
        """Wait until something has got stuck that only the end of the process ends."""
        await self._stuck.wait()

    async def stop(self, *, abruptly: bool = False) -> None:
        """Shut down: not ready, wait, accept nothing new, let what is in flight finish within the deadline, close.

        Args:
            abruptly: without the two waits.
        """
        self._log.info("shutting down", in_flight=self._way.admission.in_flight)
        self.health.drain()
        await asyncio.sleep(0 if abruptly else self._config.drain_delay_seconds)
        self.health.close()
        self._jobs.close()
        self._front.close_streams()
        deadline = 0 if abruptly else self._config.drain_seconds
        await asyncio.gather(
            self._front.stop(deadline),
            self._studio.stop(deadline),
            self._workers.stop(deadline),
            self._upkeep.stop(),
            self._stock.stop(),
            self._watchdog.stop(),
        )
        await self._http.stop()
        self._way.close()
        await asyncio.gather(self._store.close(), asyncio.to_thread(self._tracing.close, self._config.end_seconds / 2))
        self._log.info("stopped")

    def _probe(self, *, real: bool) -> Probe:
        """Return what bundles have to pass; engines that are not real paint nothing worth looking at."""
        return Canary(self._config.engine_threads) if real and self._config.bundle_probe == "on" else NoProbe()

    def _show_library(self, library: Library) -> None:
        self._metrics.serving(library.bundles, library.current.values(), self._engines.engines)

    def _give_up(self, overdue: Overdue) -> None:
        """Take nothing more to paint, and send away what waits: others can do it."""
        self.health.fail(f"{overdue.what} is stuck")
        overdue.give_up()
        self._way.send_away()
        self._stuck.set()

    async def _open_store(self) -> None:
        """Open the job store. One that is away is no reason not to serve: it is opened when it comes back."""
        if self._config.serves_jobs:
            with suppress(StoreUnavailable, TimeoutError):
                await asyncio.wait_for(self._store.begin(), _STORE_WITHIN)

    @property
    def _addresses(self) -> Mapping[str, Address]:
        """Where it listens, by what for."""
        addresses = {
            "grpc": self.address,
            "http": self.http_address,
            "admin": self.admin_address,
            "studio": self.studio_address,
        }
        return {name: address for name, address in addresses.items() if address}

    def _write_ports(self) -> None:
        """Write the file in one step, so that who waits for it never reads half of it."""
        file = self._config.ports_file
        if file is None:
            return
        draft = file.with_name(f".{file.name}.draft")
        draft.write_text(json.dumps({name: at.port for name, at in self._addresses.items()}) + "\n")
        draft.replace(file)


async def _all(*works: Coroutine[Any, Any, None]) -> None:
    """Do several things at once; the first that fails breaks off the others."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


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
    """Run a server in this event loop, ready on entry, however long what it begins with is away; shut it down on exit.

        config = Config(listen="127.0.0.1:0", http="127.0.0.1:0", bundles=(path,))
        async with running(config, open_engine=lambda bundle: FakeEngine()) as server:
            channel = grpc.aio.insecure_channel(str(server.address))

    Raises:
        ImpastoError: it cannot start; see `Server`.
    """
    server = Server(config, open_engine=open_engine, probe=probe, log=log)
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
