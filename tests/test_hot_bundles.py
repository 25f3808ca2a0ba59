"""A real server, the real engine and the probe: a new version of the starter, published while it serves."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import grpc
import numpy as np
from safetensors.numpy import save

from impasto import images
from impasto.bundle import CODES, IDENTITY, STARTER, Bundle, load_bundle, write_bundle
from impasto.codes import Codes
from impasto.logs import make_log
from impasto.v1 import admin_pb2
from impasto.v1.admin_pb2_grpc import AdminStub
from impasto_server.config import Config
from impasto_server.server import running
from tests.server.hot_support import RARELY
from tests.server.support import Served, connect
from tests.support import gradient

STYLES = ("starry-night", "the-scream")


def starter(path: Path, version: str, **codes: Codes) -> Bundle:
    """Write two styles of the starter as a bundle of its transformer, with these codes instead of their own."""
    bundle = load_bundle(STARTER)
    names = [name for name in bundle.manifest["files"] if not name.startswith("styles/") or Path(name).stem in STYLES]
    files = {name: (STARTER / name).read_bytes() for name in names}
    own = {style: bundle.code(style) for style in STYLES}
    files[CODES] = save({**own, **codes, IDENTITY: bundle.identity})
    entries = [entry for entry in bundle.manifest["styles"] if entry["id"] in STYLES]
    manifest = {key: value for key, value in bundle.manifest.items() if key not in ("format_version", "files")}
    return write_bundle(path, {**manifest, "version": version, "styles": entries}, files)


async def test_a_new_version_of_the_starter_is_probed_and_served_and_a_broken_one_refused(tmp_path: Path) -> None:
    store, log = tmp_path / "store", io.StringIO()
    bundle = load_bundle(STARTER)
    starter(store / "starter" / "2", "2")
    config = Config(
        listen="127.0.0.1:0",
        http="127.0.0.1:0",
        admin="127.0.0.1:0",
        jobs="off",
        provider="cpu",
        max_batch=1,
        bundle_store=str(store),
        bundle_poll_seconds=RARELY,
        bundle_cache=tmp_path / "cache",
    )
    async with (
        running(config, log=make_log(stream=log)) as server,
        connect(server) as channel,
        grpc.aio.insecure_channel(str(server.admin_address)) as admin_channel,
    ):
        served, admin = Served(server, channel, log), AdminStub(admin_channel)  # type: ignore[no-untyped-call]
        before = await painted(served, "starry-night")
        half = bundle.identity + 0.7 * (bundle.code("starry-night") - bundle.identity)

        starter(store / "starter" / "3", "3", **{"starry-night": half.astype(np.float32)})
        await refresh(admin)

        assert not np.array_equal(await painted(served, "starry-night"), before)
        np.testing.assert_array_equal(await painted(served, "starter@2/starry-night"), before)
        assert [line["bundle"] for line in served.lines if line["event"] == "engine opened"] == ["starter"]

        grey = bundle.code("starry-night").copy()
        grey[-6:] = 0  # the gate lets nothing through
        starter(store / "starter" / "4", "4", **{"starry-night": grey})
        (refused,) = await refresh(admin)

    assert refused.state == admin_pb2.ServedBundle.REFUSED
    assert "starry-night" in refused.reason


async def painted(served: Served, style: str) -> images.Pixels:
    photo = images.encode(gradient(96, 64), format=images.Format.PNG)
    response = await served.stylize(image=photo, style_id=style)
    return images.decode(response.image)


async def refresh(admin: Any) -> list[admin_pb2.ServedBundle]:
    return list((await admin.RefreshBundles(admin_pb2.RefreshBundlesRequest())).bundles)
