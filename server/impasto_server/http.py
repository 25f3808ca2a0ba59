"""The HTTP port: what Prometheus and Kubernetes ask."""

from __future__ import annotations

from aiohttp import web

from impasto_server.config import Address
from impasto_server.errors import CannotListen
from impasto_server.health import Health
from impasto_server.metrics import Metrics


class HttpPort:
    """/metrics; /livez, 200 while the process answers; /readyz, 503 with the reason while it should get no requests."""

    def __init__(self, metrics: Metrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health
        app = web.Application()
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_get("/livez", self._live)
        app.router.add_get("/readyz", self._ready)
        self._runner = web.AppRunner(app, access_log=None)

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
        return web.Response(text="ok\n")

    async def _ready(self, _: web.Request) -> web.Response:
        obstacle = self._health.obstacle
        return web.Response(status=503 if obstacle else 200, text=f"{obstacle or 'ok'}\n")
