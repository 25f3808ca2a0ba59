"""What administrators do with the bundles of a running server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from impasto.v1 import admin_pb2 as pb
from impasto.v1.admin_pb2_grpc import AdminStub
from impasto_client.client import Client

DEFAULT_ADMIN_TARGET = "127.0.0.1:8502"
LOADING_TIMEOUT = 600.0
"""Seconds that loading may take: a bundle is fetched, its engine opened and tried, while others are served."""

_Reply = TypeVar("_Reply")


@dataclass(frozen=True)
class ServedBundle:
    """One version of a bundle.

    Attributes:
        name: the resource name, `bundles/starter/versions/3`.
        state: `current`, `pinnable` or `refused`.
        source: where it came from.
        transformer_digest: SHA-256, in hex, of its transformer; empty where it was refused.
        styles: the ids of its styles.
        loaded: when it was loaded or refused.
        reason: why it was refused; else empty.
    """

    name: str
    state: str
    source: str
    transformer_digest: str
    styles: tuple[str, ...]
    loaded: datetime
    reason: str

    @classmethod
    def from_proto(cls, message: pb.ServedBundle) -> ServedBundle:
        return cls(
            name=message.name,
            state=pb.ServedBundle.State.Name(message.state).lower(),
            source=message.source,
            transformer_digest=message.transformer_digest,
            styles=tuple(message.styles),
            loaded=message.load_time.ToDatetime(UTC),
            reason=message.reason,
        )


class BundleAdmin:
    """The bundles of a server.

        with Client("127.0.0.1:8502") as client:
            BundleAdmin(client).load("s3://bucket/bundles/mine")

    Args:
        client: connected to the server's port for administrators.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._stub = AdminStub(client._channel)  # type: ignore[no-untyped-call]

    def all(self, *, timeout: float | None = None) -> list[ServedBundle]:
        """Return every version of every bundle that is held or was refused, by name, the newest first."""
        return _read(self._call(self._stub.ListBundles, pb.ListBundlesRequest(), timeout))

    def load(self, source: str, *, timeout: float | None = LOADING_TIMEOUT) -> ServedBundle:
        """Have a bundle loaded, and served as its name's current version.

        Args:
            source: its folder as the server sees it, or a URL.
            timeout: seconds.

        Raises:
            InvalidRequest: the source is no place, or no bundle is there.
            ServerUnavailable: the server, or the source, cannot be reached.
            ImpastoClientError: the bundle was refused; `status` is FAILED_PRECONDITION. What was served is served on.
        """
        reply = self._call(self._stub.LoadBundle, pb.LoadBundleRequest(source=source), timeout)
        return ServedBundle.from_proto(reply.bundle)

    def unload(self, name: str, *, timeout: float | None = None) -> None:
        """Have a version taken out, once the requests that have begun with it have ended.

        Args:
            name: the resource name, or `starter@3`.
            timeout: seconds, instead of the client's.

        Raises:
            InvalidRequest: the server does not hold it.
            ImpastoClientError: it is the last of all; `status` is FAILED_PRECONDITION.
        """
        self._call(self._stub.UnloadBundle, pb.UnloadBundleRequest(name=_resource_name(name)), timeout)

    def refresh(self, *, timeout: float | None = LOADING_TIMEOUT) -> list[ServedBundle]:
        """Have the bundle store looked into now; return what was loaded or refused.

        Raises:
            ServerUnavailable: the server, or the store, cannot be reached.
            ImpastoClientError: no store is watched; `status` is FAILED_PRECONDITION.
        """
        return _read(self._call(self._stub.RefreshBundles, pb.RefreshBundlesRequest(), timeout))

    def _call(self, method: Callable[..., _Reply], request: Any, timeout: float | None) -> _Reply:
        return self._client._call(method, request, self._client._patience(timeout))


def _read(reply: pb.ListBundlesResponse | pb.RefreshBundlesResponse) -> list[ServedBundle]:
    return [ServedBundle.from_proto(bundle) for bundle in reply.bundles]


def _resource_name(name: str) -> str:
    bundle, at, version = name.partition("@")
    return f"bundles/{bundle}/versions/{version}" if at else name
