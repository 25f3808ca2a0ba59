"""The HTTP port: what Prometheus and Kubernetes ask."""

from __future__ import annotations

from aiohttp import web

from impasto_server.config import Address
from impasto_server.errors import CannotListen
from impasto_server.health import Health
from impasto_server.metrics import Metrics

_CLOSE_WITHIN = 2.0  # s, for pages that are being read


class HttpPort:
    """/metrics; /livez, 503 once the process should be started anew; /readyz, 503 while it should get no requests."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health
        app = web.Application()
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_CLOSE_WITHIN)

    async def start(self, address: Address) -> Address:
        """Listen, and return where: with the port that was chosen.

        Raises:
            CannotListen: the address cannot be had.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, address.host, address.port).start()
        except OSError as error:
            raise CannotListen(f"cannot listen for HTTP on {address}: {error.strerror or error}") from error
        return Address(address.host, self._runner.addresses[0][1])

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _show_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=self._metrics.page(), headers={"Content-Type": self._metrics.content_type})

    async def _live(self, _: web.Request) -> web.Response:
        return _well_unless(self._health.failure)

    async def _ready(self, _: web.Request) -> web.Response:
        return _well_unless(self._health.obstacle)


def _well_unless(trouble: str | None) -> web.Response:
    return web.Response(status=503 if trouble else 200, text=f"{trouble or 'ok'}\n")
