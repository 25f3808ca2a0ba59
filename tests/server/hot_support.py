"""A running server whose bundles change, and places to publish them in."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import s3fs

from impasto.bundle import Bundle
from impasto.engine import FakeEngine
from impasto.logs import make_log
from impasto.v1 import admin_pb2 as pb
from impasto.v1.admin_pb2_grpc import AdminStub
from impasto_server.bundles.probing import NoProbe, Probe
from impasto_server.server import running
from tests.server.support import Served, connect, options, read
from tests.support import gradient

RARELY = 3_600.0  # s; tests that look by hand are not looked ahead of
OFTEN = 0.02  # s


@dataclass
class Hot(Served):
    """A running server with a port for administrators."""

    admin: Any = field(default=None, repr=False)

    async def refresh(self) -> list[pb.ServedBundle]:
        """Look into the store twice, as a bundle that is being copied needs, and return what came of it."""
        first = await self.admin.RefreshBundles(pb.RefreshBundlesRequest())
        second = await self.admin.RefreshBundles(pb.RefreshBundlesRequest())
        return [*first.bundles, *second.bundles]

    async def bundles(self) -> dict[str, str]:
        """Return the state of each bundle, by what ends its name: `test/versions/1`."""
        listed = await self.admin.ListBundles(pb.ListBundlesRequest())
        state = pb.ServedBundle.State.Name
        return {bundle.name.removeprefix("bundles/"): state(bundle.state) for bundle in listed.bundles}

    async def light(self, style: str = "ink") -> float:
        """Return how bright the photo's negative comes out in a style, as `fake_bundle` has it."""
        return lightness(await self.stylize(style_id=style))

    def logged(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["event"] == event]


def lightness(response: Any) -> float:
    negative = (255 - gradient()).astype(float)
    return round(float(read(response).astype(float).sum() / negative.sum()), 2)


@asynccontextmanager
async def hot(
    store: Path | str | None,
    *bundles: Bundle,
    cache: Path,
    open_engine: Callable[[Bundle], FakeEngine] = lambda _: FakeEngine(),
    probe: Probe | None = None,
    log: io.StringIO | None = None,
    **others: Any,
) -> AsyncIterator[Hot]:
    """Serve bundles and a store, which is looked into by hand unless it is said how often."""
    log = log or io.StringIO()
    config = options(
        *bundles,
        **{
            "admin": "127.0.0.1:0",
            "bundle_store": str(store) if store else None,
            "bundle_cache": cache,
            "bundle_poll_seconds": RARELY,
            **others,
        },
    )
    async with (
        running(config, open_engine=open_engine, probe=probe or NoProbe(), log=make_log(stream=log)) as server,
        connect(server) as channel,
        grpc.aio.insecure_channel(str(server.admin_address)) as admin,
    ):
        yield Hot(server, channel, log, AdminStub(admin))  # type: ignore[no-untyped-call]


def upload(bundle: Path, url: str) -> None:
    """Copy a bundle to a folder of S3."""
    s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False).put(str(bundle), url, recursive=True)


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(OFTEN)
