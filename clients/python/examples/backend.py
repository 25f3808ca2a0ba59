"""A photo app's back end: it has uploads painted.

pip install impasto aiohttp
python backend.py --server 127.0.0.1:8500 --port 8080
curl --data-binary @photo.jpg 'http://127.0.0.1:8080/paint?style=starry-night' --output painted.jpg
curl http://127.0.0.1:8080/styles
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

from impasto_client import (
    DEFAULT_TARGET,
    AsyncClient,
    DeadlineExceeded,
    ImpastoClientError,
    InvalidRequest,
    MessageTooLarge,
    ServerBusy,
    ServerUnavailable,
    StyleUnknown,
)

MAX_UPLOAD = 20 * 2**20  # bytes
CLIENT = web.AppKey("client", AsyncClient)

# What went wrong, as HTTP says it. The first that fits counts: an unknown style is an invalid request, too.
STATUSES: dict[type[ImpastoClientError], int] = {
    StyleUnknown: 404,
    MessageTooLarge: 413,
    InvalidRequest: 400,
    ServerBusy: 503,
    ServerUnavailable: 503,
    DeadlineExceeded: 504,
}


async def paint(request: web.Request) -> web.Response:
    style = request.query.get("style", "starry-night")
    try:
        strength = float(request.query.get("strength", "1"))
    except ValueError as error:
        raise InvalidRequest("strength", "is no number; give 0 to 1") from error
    painted = await request.app[CLIENT].stylize(await request.read(), style, strength=strength)
    return web.Response(body=painted.image, content_type=painted.media_type)


async def styles(request: web.Request) -> web.Response:
    found = await request.app[CLIENT].styles()
    return web.json_response([{"id": style.id, "title": style.title, "artist": style.artist} for style in found])


@web.middleware
async def tell_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer a client's error with a status; what is none of these aiohttp logs, and answers with 500."""
    try:
        return await handler(request)
    except tuple(STATUSES) as error:
        status = next(status for kind, status in STATUSES.items() if isinstance(error, kind))
        wait = getattr(error, "retry_after", None)
        headers = {"Retry-After": str(math.ceil(wait))} if wait else {}
        return web.Response(status=status, text=f"{error}\n", headers=headers)


def application(server: str, token: str | None = None) -> web.Application:
    """Return the back end. Its one client is made with its event loop and closed with it."""

    async def connected(app: web.Application) -> AsyncIterator[None]:
        async with AsyncClient(server, token=token) as client:
            app[CLIENT] = client
            yield

    app = web.Application(client_max_size=MAX_UPLOAD, middlewares=[tell_errors])
    app.add_routes([web.post("/paint", paint), web.get("/styles", styles)])
    app.cleanup_ctx.append(connected)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Paint what is uploaded.")
    parser.add_argument("--server", default=DEFAULT_TARGET, help="the Impasto server (default: %(default)s)")
    parser.add_argument("--port", type=int, default=8080, help="to listen on (default: %(default)s)")
    given = parser.parse_args()
    web.run_app(application(given.server, os.environ.get("IMPASTO_TOKEN")), host="127.0.0.1", port=given.port)
