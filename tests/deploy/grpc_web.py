"""A page that speaks gRPC-Web, as a browser sends and reads it: framed by hand, over HTTP/1.1."""

from __future__ import annotations

import base64
import http.client
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message

BINARY = "application/grpc-web+proto"
TEXT = "application/grpc-web-text"
SERVICE = "impasto.v1.Stylizer"
_HEADER = struct.Struct(">BI")
_TRAILERS = 0x80
_PATIENCE = 60.0  # s

_Response = TypeVar("_Response", bound=Message)


@dataclass(frozen=True)
class Frame:
    """One of a body's: a message, or the trailers."""

    data: bytes
    is_trailers: bool

    @property
    def trailers(self) -> dict[str, str]:
        lines = self.data.decode().split("\r\n")
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines if line)}


@dataclass(frozen=True)
class Answer:
    """What a call came to.

    Attributes:
        headers: names are in lower case.
        messages: the bytes of each.
        trailers: those in the body; of an answer without a body, those among the headers.
    """

    headers: dict[str, str]
    messages: list[bytes]
    trailers: dict[str, str]


class Page:
    """A page of some origin, which a browser lets read what CORS allows it.

    Attributes:
        origin: scheme and host that it came from.
        kind: the content type that its client uses.
    """

    def __init__(self, address: str, origin: str, kind: str = BINARY, tls: ssl.SSLContext | None = None) -> None:
        self._address, self._tls = address, tls
        self.origin = origin
        self.kind = kind

    def preflight(self, method: str = "ListStyles") -> dict[str, str]:
        """Ask as a browser asks before it lets the page call; return the headers of the answer."""
        asked = {"access-control-request-method": "POST", "access-control-request-headers": "content-type,x-grpc-web"}
        with self._answered("OPTIONS", f"/{SERVICE}/{method}", b"", asked) as response:
            response.read()
            return _headers(response)

    def call(self, method: str, request: Message, *, service: str = SERVICE) -> Answer:
        """Make a call, and return all of its answer."""
        with self._called(method, request, service) as response:
            headers, frames = _headers(response), list(self._frames(response))
        trailers = frames.pop().trailers if frames and frames[-1].is_trailers else headers
        return Answer(headers, [frame.data for frame in frames], trailers)

    @contextmanager
    def streamed(self, method: str, request: Message) -> Iterator[Iterator[Frame]]:
        """Make a call, and yield the frames of its answer as they come."""
        with self._called(method, request, SERVICE) as response:
            yield self._frames(response)

    @contextmanager
    def _called(self, method: str, request: Message, service: str) -> Iterator[http.client.HTTPResponse]:
        data = request.SerializeToString()
        body = _HEADER.pack(0, len(data)) + data
        if self.kind == TEXT:
            body = base64.b64encode(body)
        headers = {"content-type": self.kind, "accept": self.kind, "x-grpc-web": "1"}
        with self._answered("POST", f"/{service}/{method}", body, headers) as response:
            yield response

    @contextmanager
    def _answered(self, verb: str, path: str, body: bytes, headers: Any) -> Iterator[http.client.HTTPResponse]:
        if self._tls is None:
            connection = http.client.HTTPConnection(self._address, timeout=_PATIENCE)
        else:
            connection = http.client.HTTPSConnection(self._address, timeout=_PATIENCE, context=self._tls)
        try:
            connection.request(verb, path, body, {"origin": self.origin, **headers})
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def _frames(self, response: http.client.HTTPResponse) -> Iterator[Frame]:
        coded, received = b"", b""
        while piece := response.read1():
            if self.kind == TEXT:
                coded += piece
                whole = len(coded) // 4 * 4
                received += _decoded(coded[:whole])
                coded = coded[whole:]
            else:
                received += piece
            while len(received) >= _HEADER.size:
                flag, length = _HEADER.unpack_from(received)
                if len(received) < _HEADER.size + length:
                    break
                yield Frame(received[_HEADER.size : _HEADER.size + length], flag == _TRAILERS)
                received = received[_HEADER.size + length :]
        assert received == b"", "the body ends in the middle of a frame"


def parsed(kind: type[_Response], answer: Answer) -> _Response:
    """Return the one message of an answer that is OK."""
    assert answer.trailers["grpc-status"] == "0", answer
    (data,) = answer.messages
    return kind.FromString(data)


def _headers(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def _decoded(text: bytes) -> bytes:
    """Return what base64 holds that is padded wherever its sender flushed."""
    return b"".join(base64.b64decode(text[at : at + 4]) for at in range(0, len(text), 4))
