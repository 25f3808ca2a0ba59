"""A name server whose one name has the addresses of whichever servers are ready, as a headless Service's has."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

_NAME = "impasto-headless.impasto.svc.cluster.local"
_LIFE = 5  # s, that an answer may be kept; Kubernetes' own
_ADDRESS = 1  # the type of records that are IPv4 addresses
_HEADER = struct.Struct(">HHHHHH")
_RECORD = struct.Struct(">HHHIH")
_ANSWER, _OK = 0x8180, 0  # flags: an answer, by a server that looks further where it has to
_THE_QUESTION = 0xC00C  # where the name stands that a record is about


class Names:
    """Answers every question for addresses with the same ones.

    Attributes:
        addresses: those; may be replaced at any time.
    """

    def __init__(self, addresses: list[str]) -> None:
        self.addresses = addresses
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))

    def target(self, port: int) -> str:
        """Return what gRPC's clients ask this server by for a name with a port."""
        return f"dns://127.0.0.1:{self._socket.getsockname()[1]}/{_NAME}:{port}"

    def serve(self) -> None:
        """Answer until an empty question comes."""
        while True:
            question, who = self._socket.recvfrom(4096)
            if not question:
                return
            self._socket.sendto(self._answer(question), who)

    def stop(self) -> None:
        self._socket.sendto(b"", self._socket.getsockname())

    def close(self) -> None:
        self._socket.close()

    def _answer(self, message: bytes) -> bytes:
        end = _end_of_name(message)
        (kind,) = struct.unpack_from(">H", message, end)
        found = self.addresses if kind == _ADDRESS else []
        header = _HEADER.pack(_HEADER.unpack_from(message)[0], _ANSWER | _OK, 1, len(found), 0, 0)
        records = (_RECORD.pack(_THE_QUESTION, _ADDRESS, 1, _LIFE, 4) + socket.inet_aton(address) for address in found)
        return b"".join([header, message[_HEADER.size : end + 4], *records])


def _end_of_name(message: bytes) -> int:
    """Return where the name in a question ends: labels, each behind its length, and an empty one."""
    at = _HEADER.size
    while message[at]:
        at += message[at] + 1
    return at + 1


@contextmanager
def naming(addresses: list[str]) -> Iterator[Names]:
    """Run one."""
    names = Names(addresses)
    thread = Thread(target=names.serve)
    thread.start()
    try:
        yield names
    finally:
        names.stop()
        thread.join()
        names.close()
