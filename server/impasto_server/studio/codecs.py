"""How messages are written. One in protobuf passes through as it came; one in JSON is turned into protobuf."""

from __future__ import annotations

from dataclasses import dataclass

from google.protobuf import json_format
from google.protobuf.message import Message


@dataclass
class Packed:
    """A message as protobuf's bytes, of a kind."""

    kind: type[Message]
    data: bytes

    def take(self) -> bytes:
        """Return the bytes, and hold them no longer: a call may last, and a photo is large."""
        data, self.data = self.data, b""
        return data


class Binary:
    """Protobuf, untouched: the gRPC server reads it, and tells what is wrong with it."""

    def name(self) -> str:
        return "proto"

    def encode(self, message: Packed) -> bytes:
        return message.data

    def decode(self, data: bytes | bytearray, message_class: type[Message]) -> Packed:
        return Packed(message_class, bytes(data))


class Json:
    """JSON, as programs without protobuf speak it.

    The event loop stands still while it is turned into protobuf, so `Uploads` lets in no more than a little of it.
    """

    def name(self) -> str:
        return "json"

    def encode(self, message: Packed) -> bytes:
        return json_format.MessageToJson(message.kind.FromString(message.data), indent=None).encode()

    def decode(self, data: bytes | bytearray, message_class: type[Message]) -> Packed:
        message = json_format.Parse(bytes(data) or b"{}", message_class(), ignore_unknown_fields=True)
        return Packed(message_class, message.SerializeToString())
