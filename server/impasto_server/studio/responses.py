"""What is sent to browsers: answers that are ready, and the headers that each answer has."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_POLICY = {
    "default-src": "'self'",
    "img-src": "'self' blob: data:",
    "media-src": "'self' blob:",
    "style-src": "'self'",
    "connect-src": "'self'",
    "object-src": "'none'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
_ON_EVERYTHING = {
    "content-security-policy": "; ".join(f"{what} {who}" for what, who in _POLICY.items()),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_SAFE = [(name.encode(), value.encode()) for name, value in _ON_EVERYTHING.items()]
_NOT_KEPT = (b"cache-control", b"no-store")


@dataclass(frozen=True)
class Response:
    """An answer that is ready."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send_to(self, send: Send) -> None:
        length = {} if self.status == 304 else {"content-length": str(len(self.body))}
        headers = [(name.encode(), value.encode()) for name, value in {**self.headers, **length}.items()]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def header(scope: Scope, name: bytes) -> str:
    """Return a header of a request; empty where there is none, and the first where there are several."""
    values = (value.decode("latin-1") for key, value in scope["headers"] if key == name)
    return next(values, "")


def plain(status: int, text: str, **headers: str) -> Response:
    """Return an answer in plain words, for people."""
    return Response(status, f"{text}\n".encode(), {"content-type": "text/plain; charset=utf-8", **headers})


def guarded(send: Send) -> Send:
    """Return a `send` that adds the headers which keep the page from being misused, and others from keeping answers."""

    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            kept = any(name == b"cache-control" for name, _ in headers)
            message = {**message, "headers": [*headers, *_SAFE, *(() if kept else (_NOT_KEPT,))]}
        await send(message)

    return send_guarded
