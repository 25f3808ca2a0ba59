"""Stores of bundles: that go away and come back, in folders, in S3 and elsewhere."""

from __future__ import annotations

import shutil
from pathlib import Path

import fsspec
import grpc
import pytest

from impasto.errors import InvalidInput
from impasto.v1 import admin_pb2 as pb
from impasto_server.bundles.store import BundleStore
from impasto_server.errors import BundleUnreachable
from tests.s3 import S3
from tests.server.hot_support import OFTEN, hot, until, upload
from tests.server.support import fetch, reason, refusal
from tests.support import fake_bundle


@pytest.fixture(params=["folder", "s3", "memory"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store of each kind."""
    if request.param == "s3":
        found: str = request.getfixturevalue("s3")
        return found
    return str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path}"


def put(bundle: Path, url: str) -> None:
    files, root = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
    files.put(f"{bundle}/", f"{root}/", recursive=True)


async def test_versions_come_and_go_in_every_kind_of_store(url: str, tmp_path: Path) -> None:
    for version in ("1", "2"):
        fake_bundle(tmp_path / version, version=version, light=1 / int(version))
    put(tmp_path / "1", f"{url}/test/1")
    async with hot(url, cache=tmp_path / "cache") as served:
        assert await served.light() == 1.0

        put(tmp_path / "2", f"{url}/test/2")
        await served.refresh()

        assert await served.light() == 0.5
        sources = [bundle.source for bundle in (await served.admin.ListBundles(pb.ListBundlesRequest())).bundles]
        assert sources == [f"{url}/test/2", f"{url}/test/1"]

        files, root = fsspec.url_to_fs(url, use_listings_cache=False, skip_instance_cache=True)
        files.rm(f"{root}/test/2", recursive=True)
        await served.refresh()

        assert await served.light() == 1.0


async def test_a_store_in_s3_goes_away_and_comes_back(s3: str, s3_server: S3, tmp_path: Path) -> None:
    put(fake_bundle(tmp_path / "1").path, f"{s3}/test/1")
    async with hot(s3, cache=tmp_path / "cache") as served:
        s3_server.stop()
        try:
            error = await refusal(served.admin.RefreshBundles(pb.RefreshBundlesRequest()))
            await refusal(served.admin.RefreshBundles(pb.RefreshBundlesRequest()))
            assert await served.light() == 1.0
            _, while_away = await fetch(served.server, "/metrics")
        finally:
            s3_server.start()
        put(fake_bundle(tmp_path / "2", version="2", light=0.5).path, f"{s3}/test/2")
        await served.refresh()

        assert await served.light() == 0.5
        _, once_back = await fetch(served.server, "/metrics")
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "impasto/BUNDLE_UNREACHABLE")
    assert [len(served.logged(event)) for event in ("bundle store away", "bundle store back")] == [1, 1]
    assert "impasto_bundle_store_reachable 0.0" in while_away
    assert "impasto_bundle_store_reachable 1.0" in once_back


async def test_a_server_that_starts_while_its_store_is_away_serves_what_was_last_served(tmp_path: Path) -> None:
    store, away, cache = tmp_path / "store", tmp_path / "away", tmp_path / "cache"
    for version in ("1", "2"):
        put(fake_bundle(tmp_path / version, version=version, light=1 / int(version)).path, f"{store}/test/{version}")
    async with hot(store, cache=cache) as before:
        assert await before.light() == 0.5
    store.rename(away)

    async with hot(store, cache=cache) as served:
        assert await served.light() == 0.5
        assert await served.light("test@1/ink") == 1.0

        shutil.move(away, store)
        shutil.rmtree(store / "test" / "2")
        await served.refresh()

        assert await served.light() == 1.0
        assert await served.bundles() == {"test/versions/1": "CURRENT"}
        assert [line["bundle"] for line in served.logged("bundle loaded")] == ["test@1", "test@2"]


async def test_a_spoilt_note_of_what_was_served_is_no_obstacle(tmp_path: Path) -> None:
    store, cache = tmp_path / "store", tmp_path / "cache"
    put(fake_bundle(tmp_path / "1").path, f"{store}/test/1")
    async with hot(store, cache=cache):
        (note,) = cache.glob(".served-*.json")
    note.write_text('[{"source": 1}, "nonsense"]')
    store.rename(tmp_path / "away")
    (tmp_path / "away").rename(store)

    async with hot(store, cache=cache) as served:
        assert await served.light() == 1.0


async def test_a_folder_that_is_unmounted_and_mounted_again_changes_nothing(tmp_path: Path) -> None:
    store, away = tmp_path / "store", tmp_path / "away"
    fake_bundle(store / "test")
    async with hot(store, cache=tmp_path / "cache", bundle_poll_seconds=OFTEN) as served:
        store.rename(away)
        await until(lambda: served.logged("bundle store away"))
        assert await served.light() == 1.0
        store.mkdir()  # the mount point is there before what is mounted
        await until(lambda: served.logged("bundle store back"))
        assert await served.light() == 1.0
        store.rmdir()
        shutil.move(away, store)
        fake_bundle(store / "more", name="more", light=0.5)
        await until(lambda: len(served.logged("bundle loaded")) == 2)
        assert await served.bundles() == {"more/versions/1": "CURRENT", "test/versions/1": "CURRENT"}
        assert not served.logged("bundle retired")


async def test_a_bundle_at_a_url_is_served_from_the_start(s3: str, tmp_path: Path) -> None:
    fake_bundle(tmp_path / "bundle")
    upload(tmp_path / "bundle", f"{s3}/mine")
    async with hot(None, cache=tmp_path / "cache", bundles=(f"{s3}/mine",)) as served:
        assert await served.light() == 1.0
        (listed,) = (await served.admin.ListBundles(pb.ListBundlesRequest())).bundles
    assert listed.source == f"{s3}/mine"


@pytest.mark.parametrize("url", ["nonsense://bundles", "s4://bucket"])
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="bundle_store: fsspec does not know"):
        BundleStore(url)


def test_credentials_in_a_url_are_not_told() -> None:
    store = BundleStore("ftp://painter:secret@127.0.0.1:1/bundles")
    assert store.name == "ftp://***@127.0.0.1:1/bundles"
    with pytest.raises(BundleUnreachable) as caught:
        store.offers()
    assert "secret" not in str(caught.value)
