"""Bundles loaded and taken out by hand."""

from __future__ import annotations

import shutil
from pathlib import Path

import grpc
import pytest

from impasto.v1 import admin_pb2 as pb
from tests.server.hot_support import hot
from tests.server.support import fetch, fields, reason, refusal
from tests.support import fake_bundle

FAILED_PRECONDITION = grpc.StatusCode.FAILED_PRECONDITION


async def test_the_list_tells_all_of_what_is_held_and_refused_the_newest_first(tmp_path: Path) -> None:
    bundles = [fake_bundle(tmp_path / version, version=version) for version in ("9", "10")]
    other = fake_bundle(tmp_path / "other", "wash", name="other")
    bad = fake_bundle(tmp_path / "bad", version="11").path
    (bad / "transformer.onnx").write_bytes(b"altered")
    async with hot(None, other, *bundles, cache=tmp_path / "cache") as served:
        await refusal(served.admin.LoadBundle(pb.LoadBundleRequest(source=str(bad))))
        listed = (await served.admin.ListBundles(pb.ListBundlesRequest())).bundles
    assert [(bundle.name, bundle.state) for bundle in listed] == [
        ("bundles/other/versions/1", pb.ServedBundle.CURRENT),
        ("bundles/test/versions/11", pb.ServedBundle.REFUSED),
        ("bundles/test/versions/10", pb.ServedBundle.CURRENT),
        ("bundles/test/versions/9", pb.ServedBundle.PINNABLE),
    ]
    first, refused = listed[:2]
    assert (first.source, first.transformer_digest) == (str(other.path), other.transformer)
    assert list(first.styles) == ["wash"]
    assert first.load_time.seconds > 0
    assert "transformer.onnx has SHA-256" in refused.reason
    assert not list(refused.styles)


async def test_a_bundle_loaded_by_hand_is_current_whatever_its_version_so_one_can_roll_back(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for version in ("1", "2"):
        fake_bundle(store / "test" / version, version=version, light=1 / int(version))
    async with hot(store, cache=tmp_path / "cache") as served:
        assert await served.light() == 0.5

        loaded = await served.admin.LoadBundle(pb.LoadBundleRequest(source=str(store / "test" / "1")))

        assert (loaded.bundle.name, loaded.bundle.state) == ("bundles/test/versions/1", pb.ServedBundle.CURRENT)
        assert await served.light() == 1.0
        await served.refresh()
        assert await served.light() == 1.0, "the store has nothing new"
        fake_bundle(store / "test" / "3", version="3", light=0.25)
        await served.refresh()
        assert await served.light() == 0.25
        assert await served.bundles() == {"test/versions/3": "CURRENT", "test/versions/1": "PINNABLE"}


async def test_what_is_loaded_by_hand_is_served_on_when_its_folder_is_gone(tmp_path: Path) -> None:
    async with hot(None, fake_bundle(tmp_path / "b"), cache=tmp_path / "cache") as served:
        new = fake_bundle(tmp_path / "new", name="new", light=0.5)
        await served.admin.LoadBundle(pb.LoadBundleRequest(source=str(new.path)))
        shutil.rmtree(new.path)
        assert await served.light("new/ink") == 0.5


@pytest.mark.parametrize(
    ("source", "says"),
    [("", "is empty"), ("nonsense://place", "fsspec does not know"), ("/nowhere/at/all", "there is no bundle.json")],
)
async def test_a_source_that_is_no_place_is_the_callers_mistake(tmp_path: Path, source: str, says: str) -> None:
    async with hot(None, fake_bundle(tmp_path / "b"), cache=tmp_path / "cache") as served:
        error = await refusal(served.admin.LoadBundle(pb.LoadBundleRequest(source=source)))
        assert await served.bundles() == {"test/versions/1": "CURRENT"}
    assert (error.code(), fields(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["source"])
    assert says in (error.details() or "")


async def test_a_bad_bundle_is_refused_at_once_with_the_reason(tmp_path: Path) -> None:
    async with hot(None, fake_bundle(tmp_path / "b"), cache=tmp_path / "cache") as served:
        bad = fake_bundle(tmp_path / "bad", version="2").path
        (bad / "styles" / "ink.jpg").unlink()
        error = await refusal(served.admin.LoadBundle(pb.LoadBundleRequest(source=str(bad))))
        assert await served.bundles() == {"test/versions/2": "REFUSED", "test/versions/1": "CURRENT"}
        assert await served.light() == 1.0
    assert (error.code(), reason(error)) == (FAILED_PRECONDITION, "impasto/BUNDLE_REFUSED")
    assert "cannot read styles/ink.jpg" in (error.details() or "")


async def test_a_source_that_cannot_be_reached_may_be_tried_again(tmp_path: Path) -> None:
    async with hot(None, fake_bundle(tmp_path / "b"), cache=tmp_path / "cache") as served:
        error = await refusal(served.admin.LoadBundle(pb.LoadBundleRequest(source="ftp://127.0.0.1:1/bundle")))
        _, metrics = await fetch(served.server, "/metrics")
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "impasto/BUNDLE_UNREACHABLE")
    assert 'impasto_bundle_loads_total{result="unreachable"} 1.0' in metrics


async def test_a_version_is_taken_out_and_the_newest_of_the_others_is_current(tmp_path: Path) -> None:
    bundles = [fake_bundle(tmp_path / version, version=version, light=1 / int(version)) for version in ("1", "2", "4")]
    async with hot(None, *bundles, cache=tmp_path / "cache", bundle_versions=3) as served:
        assert await served.light() == 0.25
        await served.admin.UnloadBundle(pb.UnloadBundleRequest(name="bundles/test/versions/4"))
        assert await served.light() == 0.5
        assert await served.bundles() == {"test/versions/2": "CURRENT", "test/versions/1": "PINNABLE"}
        (line,) = served.logged("bundle retired")
    assert (line["bundle"], line["reason"]) == ("test@4", "asked for by hand")


async def test_what_was_taken_out_by_hand_does_not_come_back_from_the_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for version in ("1", "2"):
        fake_bundle(store / "test" / version, version=version)
    async with hot(store, cache=tmp_path / "cache") as served:
        await served.admin.UnloadBundle(pb.UnloadBundleRequest(name="bundles/test/versions/2"))
        await served.refresh()
        assert await served.bundles() == {"test/versions/1": "CURRENT"}


@pytest.mark.parametrize(
    ("name", "code", "why"),
    [
        ("bundles/test/versions/9", grpc.StatusCode.NOT_FOUND, "VERSION_NOT_HELD"),
        ("bundles/nope/versions/1", grpc.StatusCode.NOT_FOUND, "VERSION_NOT_HELD"),
        ("bundles/test/versions/1", FAILED_PRECONDITION, "LAST_BUNDLE"),
        ("test@1", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_VALUE"),
        ("", grpc.StatusCode.INVALID_ARGUMENT, "INVALID_VALUE"),
    ],
)
async def test_what_cannot_be_taken_out_stays(tmp_path: Path, name: str, code: grpc.StatusCode, why: str) -> None:
    async with hot(None, fake_bundle(tmp_path / "b"), cache=tmp_path / "cache") as served:
        error = await refusal(served.admin.UnloadBundle(pb.UnloadBundleRequest(name=name)))
        assert await served.bundles() == {"test/versions/1": "CURRENT"}
    assert (error.code(), reason(error)) == (code, f"impasto/{why}")


async def test_looking_into_the_store_tells_what_came_of_it(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test")
    async with hot(store, cache=tmp_path / "cache") as served:
        assert await served.refresh() == []
        fake_bundle(store / "test", version="2")
        (bundle,) = (await served.admin.RefreshBundles(pb.RefreshBundlesRequest())).bundles
    assert (bundle.name, bundle.state) == ("bundles/test/versions/2", pb.ServedBundle.CURRENT)


async def test_without_a_store_there_is_nowhere_to_look(tmp_path: Path) -> None:
    async with hot(None, fake_bundle(tmp_path / "b"), cache=tmp_path / "cache") as served:
        error = await refusal(served.admin.RefreshBundles(pb.RefreshBundlesRequest()))
    assert (error.code(), reason(error)) == (FAILED_PRECONDITION, "impasto/NO_BUNDLE_STORE")


async def test_a_store_that_is_away_cannot_be_looked_into(tmp_path: Path) -> None:
    async with hot(tmp_path / "nowhere", fake_bundle(tmp_path / "b"), cache=tmp_path / "cache") as served:
        error = await refusal(served.admin.RefreshBundles(pb.RefreshBundlesRequest()))
        assert await served.light() == 1.0
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "impasto/BUNDLE_UNREACHABLE")
    assert "No such file or directory" in (error.details() or "")
