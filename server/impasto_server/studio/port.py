"""The studio's port: uvicorn, in the server's event loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext

import uvicorn
from typing_extensions import override

from impasto.logs import Log
from impasto_server.config import Address, Config
from impasto_server.identity.certificates import Certificate
from impasto_server.identity.reloading import Reloading
from impasto_server.metrics import Metrics
from impasto_server.rpc.front import Front
from impasto_server.studio.app import App
from impasto_server.studio.connections import Connection
from impasto_server.studio.sockets import bound
from impasto_server.studio.tls import context_of
from impasto_server.studio.tunnel import Tunnel
from impasto_server.studio.uploads import Uploads

_LAST_WORDS = 1.0  # s, for what gRPC has cut off to be told to browsers
_KEEP_ALIVE = 30  # s, that the head of a connection's next request may take


class StudioPort:
    """Serves the studio.

    Args:
        config: as read at start; `studio` is on.
        front: what answers its calls, and whose certificate it shows.
        metrics: of calls that do not come as far as gRPC.
        log: a line for each of those.
    """

    def __init__(self, config: Config, front: Front, metrics: Metrics, log: Log) -> None:
        self.address = config.studio_address
        self._config = config
        self._front = front
        self._log = log
        self._uploads = Uploads(config, front.recognizes, metrics, log)
        self._tunnel: Tunnel | None = None
        self._server: _Uvicorn | None = None
        self._serving: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        assert self.address is not None
        self._tunnel = Tunnel(self._front.passage)
        app = App(self._config, self._tunnel, self._uploads)
        options = _options(self._config, app, self._front.certificate, self._log)
        options.load()  # here, since what it raises has to end the start
        listener = bound(self.address, self._config)
        self.address = Address(self.address.host, listener.getsockname()[1])
        self._server = _Uvicorn(options)
        self._serving = asyncio.create_task(self._server.serve([listener]))
        await self._server.listening.wait()

    async def stop(self, seconds: float) -> None:
        if self._server and self._serving:
            self._server.end_within(seconds + _LAST_WORDS)
            await self._serving
        if self._tunnel:
            await self._tunnel.close()


class _Uvicorn(uvicorn.Server):
    """One that leaves signals to the program, and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    def end_within(self, seconds: float) -> None:
        self.config.timeout_graceful_shutdown = seconds  # type: ignore[assignment]
        self.should_exit = True

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @override
    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _options(config: Config, app: App, certificate: Reloading[Certificate] | None, log: Log) -> uvicorn.Config:
    files = config.tls_files
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=bool(config.studio_proxies),
        forwarded_allow_ips=list(config.studio_proxies),
        server_header=False,
        limit_concurrency=config.max_calls,
        timeout_keep_alive=_KEEP_ALIVE,
        reset_contextvars=True,
        ssl_context_factory=(lambda *_: context_of(certificate, files[0], log)) if certificate and files else None,
    )
