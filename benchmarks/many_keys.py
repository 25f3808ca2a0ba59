"""A bucket with as many keys as one likes: an S3 that makes its listing up, page by page, and holds nothing.

with many_keys(1_000_000, photo) as bucket:
    os.environ |= bucket.environment
    ...  # s3://many/photos has a million photos in one flat folder
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

URL = "s3://many/photos"
NONE_REFUSED: Mapping[int, int] = {}

_PAGE = 1_000  # keys, as S3 has it
_PREFIX = "photos/"
_CODES = {403: "AccessDenied", 404: "NoSuchKey", 500: "InternalError"}  # in the words of S3


@dataclass
class Bucket:
    """What it is asked for, and how to reach it.

    Attributes:
        environment: variables that lead s3fs here.
        pages: of the listing that were asked for.
        read: keys of the photos that were.
    """

    environment: Mapping[str, str]
    pages: int = 0
    read: list[str] = field(default_factory=list)


@contextmanager
def many_keys(
    count: int, photo: bytes, refused: Mapping[int, int] = NONE_REFUSED, *, seconds: float = 0.0
) -> Iterator[Bucket]:
    """Serve so many keys on loopback, `photos/0000000.png` and so on, each of which is this photo.

    Args:
        refused: numbers of those that are listed, and answered with this HTTP status when they are to be read.
        seconds: that each answer takes longer, as over a long way.
    """
    bucket = Bucket({})

    class Handler(_Handler):
        served = (bucket, count, photo, refused)
        seconds_more = seconds

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    bucket.environment = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield bucket
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: tuple[Bucket, int, bytes, Mapping[int, int]]
    seconds_more: float

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if "list-type=2" in asked.query:
            self._list({key: values[0] for key, values in parse_qs(asked.query).items()})
        else:
            self._read(asked.path.rsplit("/", 1)[-1])

    def log_message(self, *_: Any) -> None:
        pass

    def _list(self, query: Mapping[str, str]) -> None:
        bucket, count, photo, _ = self.served
        bucket.pages += 1
        first = int(query.get("continuation-token", 0))
        numbers = range(first, min(first + _PAGE, count)) if query.get("prefix") == _PREFIX else range(0)
        contents = "".join(
            f"<Contents><Key>{_PREFIX}{number:07}.png</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
            f"<ETag>&quot;{number:032x}&quot;</ETag><Size>{len(photo)}</Size></Contents>"
            for number in numbers
        )
        more = bool(numbers) and numbers.stop < count
        token = f"<NextContinuationToken>{numbers.stop}</NextContinuationToken>" if more else ""
        self._answer(
            200,
            '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{contents}</ListBucketResult>".encode(),
        )

    def _read(self, name: str) -> None:
        bucket, _, photo, refused = self.served
        bucket.read.append(name)
        status = refused.get(int(name.split(".")[0]))
        if status is None:
            self._answer(200, photo)
        else:
            code = _CODES[status]
            self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def _answer(self, status: int, body: bytes) -> None:
        time.sleep(self.seconds_more)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
