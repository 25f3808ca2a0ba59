"""As much of HTTP/2 as it takes to misbehave: calls that are sent in part, pings that are never answered."""

from __future__ import annotations

import socket
import struct
from collections import Counter
from dataclasses import dataclass
from types import TracebackType
from typing import Self

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK = _END_STREAM = 1
_END_HEADERS = 4
_INITIAL_WINDOW_SIZE = 4  # of the settings
_WINDOW = 65_535  # bytes
_FRAME = 16_384


@dataclass(frozen=True)
class Frame:
    """What came from the server."""

    kind: int
    flags: int
    stream: int
    payload: bytes


class RawConnection:
    """A connection of a client that does what a test says, and only that.

    Args:
        port: of a gRPC server on 127.0.0.1.
        answers_pings: whether it does.
        source: the address that it comes from.
    """

    def __init__(self, port: int, *, answers_pings: bool = True, source: str = "127.0.0.1") -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), source_address=(source, 0))
        self._answers_pings = answers_pings
        self._received = b""
        self._initial = _WINDOW
        self._window = _WINDOW
        self._windows: Counter[int] = Counter()  # what each stream may have had beside its initial window
        self._next = 1
        self.seen: Counter[int] = Counter()
        """How many frames of each kind have come."""
        self._socket.sendall(_PREFACE + _frame(_SETTINGS, 0, 0, b""))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._socket.close()

    def call(self, path: str) -> int:
        """Begin a call, and return its stream's number."""
        stream, self._next = self._next, self._next + 2
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": path,
            ":authority": "127.0.0.1",
            "content-type": "application/grpc",
            "te": "trailers",
        }
        block = b"".join(b"\0" + _text(name) + _text(value) for name, value in headers.items())  # HPACK, spelled out
        self._socket.sendall(_frame(_HEADERS, _END_HEADERS, stream, block))
        return stream

    def send(self, stream: int, data: bytes, *, seconds: float, last: bool = False) -> int:
        """Send as much of this as the server lets us, and return how much; give up once it lets us not for a while.

        Args:
            stream: of the call.
            data: what to send.
            seconds: how long a while is.
            last: whether nothing follows.
        """
        sent = 0
        while sent < len(data):
            room = min(_FRAME, len(data) - sent, self._window, self._initial + self._windows[stream])
            if room <= 0:
                if self.read(seconds) is None:
                    break
                continue
            end = _END_STREAM if last and sent + room == len(data) else 0
            self._socket.sendall(_frame(_DATA, end, stream, data[sent : sent + room]))
            self._window -= room
            self._windows[stream] -= room
            sent += room
        return sent

    def ping(self) -> None:
        self._socket.sendall(_frame(_PING, 0, 0, b"are you?"))

    def read(self, seconds: float) -> Frame | None:
        """Return the next frame; None where none comes in time, or the server has hung up."""
        self._socket.settimeout(seconds)
        try:
            header = self._take(9)
            length = int.from_bytes(header[:3], "big")
            kind, flags, stream = struct.unpack(">BBI", header[3:])
            frame = Frame(kind, flags, stream, self._take(length))
        except (TimeoutError, ConnectionError):
            return None
        finally:
            self._socket.settimeout(None)
        self._note(frame)
        return frame

    def read_until_closed(self, seconds: float) -> bool:
        """Return whether the server hangs up before it has been silent for so long."""
        while self.read(seconds) is not None:
            pass
        self._socket.settimeout(seconds)
        try:
            return self._socket.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    @property
    def goaways(self) -> int:
        return self.seen[_GOAWAY]

    @property
    def pongs(self) -> int:
        """How many of our pings were answered, and of the server's we know."""
        return self.seen[_PING]

    def _note(self, frame: Frame) -> None:
        self.seen[frame.kind] += 1
        if frame.kind == _SETTINGS and not frame.flags & _ACK:
            for at in range(0, len(frame.payload), 6):
                key, value = struct.unpack(">HI", frame.payload[at : at + 6])
                if key == _INITIAL_WINDOW_SIZE:
                    self._initial = value
            self._socket.sendall(_frame(_SETTINGS, _ACK, 0, b""))
        elif frame.kind == _PING and not frame.flags & _ACK and self._answers_pings:
            self._socket.sendall(_frame(_PING, _ACK, 0, frame.payload))
        elif frame.kind == _WINDOW_UPDATE:
            (more,) = struct.unpack(">I", frame.payload)
            if frame.stream:
                self._windows[frame.stream] += more
            else:
                self._window += more

    def _take(self, count: int) -> bytes:
        while len(self._received) < count:
            more = self._socket.recv(65_536)
            if not more:
                raise ConnectionError("the server has hung up")
            self._received += more
        taken, self._received = self._received[:count], self._received[count:]
        return taken


def message(length: int) -> bytes:
    """Return the beginning of a gRPC message of so many bytes: they follow."""
    return b"\0" + length.to_bytes(4, "big")


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _text(text: str) -> bytes:
    """Return a string of HPACK, shorter than 127 bytes."""
    return bytes([len(text)]) + text.encode()
