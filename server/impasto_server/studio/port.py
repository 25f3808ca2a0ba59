"""The studio's port: uvicorn, in the server's event loop."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext

import uvicorn
from typing_extensions import override

from impasto.logs import Log
from impasto_server.config import Address, Config
from impasto_server.errors import CannotListen
from impasto_server.identity.certificates import Certificate
from impasto_server.identity.reloading import Reloading
from impasto_server.metrics import Metrics
from impasto_server.rpc.front import Front
from impasto_server.studio.app import App
from impasto_server.studio.tls import context_of
from impasto_server.studio.tunnel import Tunnel
from impasto_server.studio.uploads import Uploads

_BACKLOG = 128  # connections that wait to be accepted
_LAST_WORDS = 1.0  # s, for what gRPC has cut off to be told to browsers
_KEEP_ALIVE = 30  # s, that a connection may wait for its next request


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
        self._metrics = metrics
        self._log = log
        self._tunnel: Tunnel | None = None
        self._server: _Uvicorn | None = None
        self._serving: asyncio.Task[None] | None = None

    async def listen(self) -> None:
        assert self.address is not None
        listener = _bound(self.address)
        self.address = Address(self.address.host, listener.getsockname()[1])
        self._tunnel = Tunnel(self._front.passage)
        uploads = Uploads(self._config, self._front.recognizes, self._metrics, self._log)
        app = App(self._config, self._tunnel, uploads)
        self._server = _Uvicorn(_options(self._config, app, self._front.certificate))
        self._serving = asyncio.create_task(self._server.serve([listener]))
        await self._server.listening.wait()

    async def stop(self, seconds: float) -> None:
        if self._server is None or self._serving is None or self._tunnel is None:
            return
        self._server.end_within(seconds + _LAST_WORDS)
        await self._serving
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


def _options(config: Config, app: App, certificate: Reloading[Certificate] | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
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
        ssl_context_factory=(lambda *_: context_of(certificate)) if certificate else None,
    )


def _bound(address: Address) -> socket.socket:
    """Return a socket at an address.

    Raises:
        CannotListen: the address cannot be had.
    """
    try:
        family, *_, where = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(where, family=family, backlog=_BACKLOG)
    except OSError as error:
        raise CannotListen(f"cannot listen for the studio on {address}: {error.strerror or error}") from error
