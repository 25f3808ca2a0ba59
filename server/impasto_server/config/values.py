"""Kinds of values: addresses, amounts, lists."""

from __future__ import annotations

import os
import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from impasto.amounts import byte_count

_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?", re.ASCII)


class Address(NamedTuple):
    """Where to listen; port 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether this machine alone can reach it. A name other than localhost may mean anything."""
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read `host:port` or `[IPv6]:port`."""
        host, colon, port = text.rpartition(":")
        if not (host and colon and port.isascii() and port.isdigit() and int(port) <= 65535):
            raise ValueError(
                "Input should be host:port, such as 127.0.0.1:8500, the port from 0 (any free one) to 65535"
            )
        return cls(host.removeprefix("[").removesuffix("]"), int(port))


def _checked_address(text: str) -> str:
    Address.parse(text)
    return text


def split(value: object) -> object:
    """Flags and the environment give one string, a file and code a list."""
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _split_places(value: object) -> object:
    parts = split(value)
    if isinstance(parts, list | tuple):
        return [os.fspath(part) if isinstance(part, Path) else part for part in parts]
    return parts


def _checked_memory(text: str) -> str:
    try:
        byte_count(text)
    except ValueError:
        raise ValueError("Input should be an amount of memory, such as 4GB or 512MiB") from None
    return text


def _checked_devices(devices: tuple[str, ...]) -> tuple[str, ...]:
    if not all(_DEVICE.fullmatch(device) for device in devices):
        raise ValueError("Input should be auto, cpu, cuda or cuda:N, for each worker one, separated by commas")
    return devices


AddressText = Annotated[str, AfterValidator(_checked_address)]
MemoryText = Annotated[str, AfterValidator(_checked_memory)]
Devices = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split), AfterValidator(_checked_devices)]
Places = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_places)]
