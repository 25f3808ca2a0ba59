"""The studio, or none."""

from __future__ import annotations

from typing import Protocol

from impasto.errors import MissingDependency
from impasto.logs import Log
from impasto_server.config import Address, Config
from impasto_server.metrics import Metrics
from impasto_server.rpc.front import Front

_NEEDED = ("connectrpc", "uvicorn", "protobuf", "h11")


class Studio(Protocol):
    """What browsers are served by.

    Attributes:
        address: where it listens; None where it is off.
    """

    address: Address | None

    async def listen(self) -> None:
        """Open the port.

        Raises:
            CannotListen: the address cannot be had.
            CertificateUnusable: the certificate that gRPC shows cannot be shown here.
        """

    async def stop(self, seconds: float) -> None:
        """Accept nothing new, and let what is in flight finish within so many seconds."""


class NoStudio:
    """Where it is off."""

    address: Address | None = None

    async def listen(self) -> None:
        pass

    async def stop(self, seconds: float) -> None:
        pass


def open_studio(config: Config, front: Front, metrics: Metrics, log: Log) -> Studio:
    """Return what serves the studio, or nothing; only for the former Connect and uvicorn are imported.

    Args:
        config: as read at start.
        front: what answers its calls.
        metrics: of calls that do not come as far as gRPC.
        log: a line for each of those.

    Raises:
        MissingDependency: of the extra `studio`.
    """
    if not config.studio:
        return NoStudio()
    try:
        from impasto_server.studio.port import StudioPort
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        if module not in _NEEDED:
            raise
        raise MissingDependency(module, "studio") from error
    return StudioPort(config, front, metrics, log)
