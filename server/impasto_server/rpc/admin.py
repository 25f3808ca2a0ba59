"""The gRPC service for administrators: what the server paints with, changed by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typing_extensions import override

from impasto.errors import InvalidInput
from impasto.logs import note
from impasto.v1 import admin_pb2 as pb
from impasto.v1.admin_pb2_grpc import AdminServicer
from impasto_server.bundles.shelf import Held, Refusal
from impasto_server.bundles.stock import Stock
from impasto_server.bundles.versions import oldest_first
from impasto_server.errors import BundleRefused

SERVICE = pb.DESCRIPTOR.services_by_name["Admin"].full_name


class Admin(AdminServicer):
    """Speaks the API's messages.

    Args:
        stock: the server's bundles.
    """

    def __init__(self, stock: Stock) -> None:
        self._stock = stock

    @override
    async def ListBundles(self, request: pb.ListBundlesRequest, context: Any) -> pb.ListBundlesResponse:
        shelf = self._stock.shelf
        held = [self._served(held) for held in shelf.held]
        return pb.ListBundlesResponse(bundles=_in_order([*held, *map(_refused, shelf.refusals.values())]))

    @override
    async def LoadBundle(self, request: pb.LoadBundleRequest, context: Any) -> pb.LoadBundleResponse:
        if not request.source:
            raise InvalidInput("source", "is empty; give a bundle's folder, or a URL such as s3://bucket/bundles/mine")
        loader = self._stock.loader
        try:
            held = await loader.load(request.source, by_hand=True)
        except BundleRefused as error:
            await loader.refuse(request.source, error)
            raise
        note(bundle=held.name)
        return pb.LoadBundleResponse(bundle=self._served(held))

    @override
    async def UnloadBundle(self, request: pb.UnloadBundleRequest, context: Any) -> pb.UnloadBundleResponse:
        name, version = _read_name(request.name)
        note(bundle=f"{name}@{version}")
        self._stock.loader.retire(name, version, "asked for by hand")
        return pb.UnloadBundleResponse()

    @override
    async def RefreshBundles(self, request: pb.RefreshBundlesRequest, context: Any) -> pb.RefreshBundlesResponse:
        outcomes = await self._stock.watching.look()
        found = [self._served(one) if isinstance(one, Held) else _refused(one) for one in outcomes]
        return pb.RefreshBundlesResponse(bundles=_in_order(found))

    def _served(self, held: Held) -> pb.ServedBundle:
        current = self._stock.shelf.current(held.bundle.name)
        message = pb.ServedBundle(
            name=_name(held.bundle.name, held.bundle.version),
            state=pb.ServedBundle.CURRENT if held is current else pb.ServedBundle.PINNABLE,
            source=held.source,
            transformer_digest=held.bundle.transformer,
            styles=held.bundle.styles,
        )
        message.load_time.FromDatetime(held.time)
        return message


def _refused(refusal: Refusal) -> pb.ServedBundle:
    message = pb.ServedBundle(
        name=_name(refusal.bundle, refusal.version),
        state=pb.ServedBundle.REFUSED,
        source=refusal.source,
        reason=refusal.reason,
    )
    message.load_time.FromDatetime(refusal.time)
    return message


def _in_order(bundles: Iterable[pb.ServedBundle]) -> list[pb.ServedBundle]:
    """Return them by name, the newest first: by their versions, else by when they were loaded or refused."""
    by_name: dict[str, list[pb.ServedBundle]] = {}
    for bundle in sorted(bundles, key=lambda bundle: bundle.load_time.ToNanoseconds()):
        by_name.setdefault(bundle.name.split("/")[1], []).append(bundle)
    return [
        bundle
        for _, several in sorted(by_name.items())
        for bundle in reversed(oldest_first(several, lambda bundle: bundle.name.split("/")[3]))
    ]


def _name(bundle: str, version: str) -> str:
    return f"bundles/{bundle}/versions/{version}"


def _read_name(name: str) -> tuple[str, str]:
    match name.split("/"):
        case ["bundles", bundle, "versions", version]:
            return bundle, version
        case _:
            raise InvalidInput(
                "name", f"{name[:100]!r} is no bundle's; give one of ListBundles: {_name('BUNDLE', 'VERSION')}"
            )
