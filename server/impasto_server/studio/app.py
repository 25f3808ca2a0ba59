"""What answers a browser's requests: calls, the page's files, and what the page has to know of this server."""

from __future__ import annotations

import json

from impasto import __version__, images
from impasto_server.config import Config
from impasto_server.studio.endpoints import PATHS, Calls
from impasto_server.studio.pages import Pages
from impasto_server.studio.responses import Receive, Response, Scope, Send, guarded, header, plain
from impasto_server.studio.tunnel import Tunnel
from impasto_server.studio.uploads import Uploads
from impasto_server.studio.visitors import Visitors

_FACTS = "/studio.json"
_GRPC = "application/grpc"
_GRPC_WEB = "application/grpc-web"


class App:
    """An ASGI application.

    Args:
        config: as read at start.
        tunnel: to the gRPC server.
        uploads: how calls' requests come in.
    """

    def __init__(self, config: Config, tunnel: Tunnel, uploads: Uploads) -> None:
        self._uploads = uploads
        self._visitors = Visitors(config.studio_hosts)
        self._calls = Calls(tunnel, config.max_message_bytes)
        self._pages = Pages()
        self._facts = facts_of(config)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        send = guarded(send)
        if refusal := self._visitors.refusal(scope):
            await refusal.send_to(send)
        elif scope["path"] in PATHS:
            await self._call(scope, receive, send)
        elif scope["path"] == _FACTS and scope["method"] in ("GET", "HEAD"):
            await self._facts.send_to(send)
        else:
            await self._pages.answer(scope).send_to(send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        if refusal := _is_no_call(scope):
            await refusal.send_to(send)
            return
        async with self._uploads.reading(scope, receive) as read:
            await self._calls(scope, read, send)


def _is_no_call(scope: Scope) -> Response | None:
    """Return what to answer to a request that is none of the kinds of calls."""
    if scope["method"] != "POST":
        return plain(405, "Methods are called by POST, over Connect or gRPC-Web.", allow="POST")
    kind = header(scope, b"content-type")
    if kind.startswith(_GRPC) and not kind.startswith(_GRPC_WEB):
        return plain(415, "gRPC itself is served on the port of gRPC; here are Connect and gRPC-Web.")
    return None


def facts_of(config: Config) -> Response:
    """Return what the page has to know of this server, as JSON."""
    facts = {
        "version": __version__,
        "jobs": config.serves_jobs,
        "max_message_bytes": config.max_message_bytes,
        "max_pixels": config.max_pixels,
        "max_working_size": config.max_working_size,
        "formats": list(images.readable_formats()),
        "token_needed": config.callers_file is not None,
    }
    return Response(200, json.dumps(facts).encode(), {"content-type": "application/json", "cache-control": "no-cache"})
