"""The studio's files: its page, and what that loads. They are read once, as they are few and small."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from impasto_server.studio.responses import Response, Scope, plain

FOLDER = Path(__file__).parent / "static"
"""What is built of `clients/web`."""

_INDEX = "index.html"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_ANY_TYPE = "application/octet-stream"
_HASHED = re.compile(r"assets/.+-[A-Za-z0-9_-]{8,}\.\w+")  # as Vite names files after what they hold
_FOR_EVER = "public, max-age=31536000, immutable"
_ASK_AGAIN = "no-cache"


class Pages:
    """Answers with files.

    Args:
        folder: what is served, its `index.html` at `/`.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        self._files: Mapping[str, Response] = {name: _file(name, path.read_bytes()) for name, path in files.items()}

    def answer(self, scope: Scope) -> Response:
        """Return the answer to a request for a file."""
        if scope["method"] not in ("GET", "HEAD"):
            return plain(405, "This address can be read, and no more.", allow="GET, HEAD")
        found = self._files.get(scope["path"].removeprefix("/") or _INDEX)
        if found is None:
            return plain(404, "There is nothing at this address. The studio is at /")
        if _asks_for(scope, found.headers["etag"]):
            return Response(304, headers={name: found.headers[name] for name in ("etag", "cache-control")})
        return found


def _file(name: str, data: bytes) -> Response:
    headers = {
        "content-type": _TYPES.get(Path(name).suffix, _ANY_TYPE),
        "etag": f'"{sha256(data).hexdigest()[:32]}"',
        "cache-control": _FOR_EVER if _HASHED.fullmatch(name) else _ASK_AGAIN,
    }
    return Response(200, data, headers)


def _asks_for(scope: Scope, etag: str) -> bool:
    """Return whether a browser asks for what it does not have, and has this."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"]
    known = {part.strip().removeprefix("W/") for value in values for part in value.split(",")}
    return bool(known & {etag, "*"})
