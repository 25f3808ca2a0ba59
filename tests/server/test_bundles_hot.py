"""Bundles that come and go while a server serves."""

from __future__ import annotations

import asyncio
import io
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from threading import Event

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine import Cancellation, Engine, FakeEngine
from impasto.errors import EngineError
from impasto.images import Planes
from impasto.v1 import admin_pb2
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.errors import BundleRefused
from tests.server.hot_support import OFTEN, hot, lightness, until
from tests.server.support import Held, fetch, photo, reason, refusal
from tests.support import fake_bundle

CURRENT, PINNABLE, REFUSED = "CURRENT", "PINNABLE", "REFUSED"


async def test_a_new_version_takes_over_while_calls_go_on_and_none_fails(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test" / "1", version="1", graph="one")
    async with hot(store, cache=tmp_path / "cache", bundle_poll_seconds=OFTEN) as served:
        results: list[list[float]] = [[], [], []]
        enough = asyncio.Event()

        async def call(mine: list[float]) -> None:
            while not enough.is_set():
                mine.append(await served.light())
                if all(one.count(0.5) > 3 for one in results):
                    enough.set()

        calls = [asyncio.create_task(call(mine)) for mine in results]
        await until(lambda: all(len(mine) > 3 for mine in results))
        fake_bundle(store / "test" / "2", version="2", graph="two", light=0.5)
        await asyncio.gather(*calls)  # which raises what a call failed with

        for mine in results:
            assert set(mine) == {1.0, 0.5}
            assert mine == sorted(mine, reverse=True), "once the new version is there the old one is not met any more"
        assert (await served.health.Check(HealthCheckRequest())).status == HealthCheckResponse.SERVING
        assert await served.bundles() == {"test/versions/2": CURRENT, "test/versions/1": PINNABLE}
        loaded = served.logged("bundle loaded")
    assert [(line["bundle"], line["state"]) for line in loaded] == [("test@1", "current"), ("test@2", "current")]


async def test_a_request_in_flight_ends_with_the_version_that_it_began_with(tmp_path: Path) -> None:
    store, engines = tmp_path / "store", {"1": Held(), "2": FakeEngine()}
    fake_bundle(store / "test", version="1", graph="one")
    opened: Callable[[Bundle], FakeEngine] = lambda bundle: engines[bundle.version]  # noqa: E731
    async with hot(store, cache=tmp_path / "cache", open_engine=opened, engine_runs=2) as served:
        old = engines["1"]
        assert isinstance(old, Held)
        old.holding = True
        begun = asyncio.ensure_future(served.light())
        await old.until_entered()

        fake_bundle(store / "test", version="2", graph="two", light=0.5)
        await served.refresh()

        assert await served.light() == 0.5
        assert not begun.done()
        old.release.set()
        assert await begun == 1.0


async def test_versions_are_pinned_by_request(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test", version="1")
    async with hot(store, cache=tmp_path / "cache") as served:
        fake_bundle(store / "test", version="2", light=0.5)
        await served.refresh()

        assert [await served.light(style) for style in ("test@1/ink", "test@2/ink", "test/ink", "ink")] == [
            1,
            0.5,
            0.5,
            0.5,
        ]
        listed = await served.stub.ListStyles(pb.ListStylesRequest())
        assert {(style.style_id, style.bundle_version) for style in listed.styles} == {
            ("test/ink", "2"),
            ("test/gold", "2"),
        }
        for name in ("test@1/ink", "bundles/test@1/styles/ink"):
            pinned = await served.stub.GetStyle(pb.GetStyleRequest(name=name))
            assert (pinned.name, pinned.style_id) == ("bundles/test@1/styles/ink", "test@1/ink")
            assert pinned.bundle_version == "1"
        line = next(line for line in served.lines if line.get("style") == "test@1/ink")
        assert line["bundle"] == "test@1"


@pytest.mark.parametrize(
    ("style", "code", "says"),
    [
        ("test@9/ink", "VERSION_NOT_HELD", "of 'test' these are: 2 (current), 1"),
        ("nope@1/ink", "VERSION_NOT_HELD", "a bundle that is not held. Available: test/gold, test/ink"),
        ("test@1/nope", "STYLE_NOT_FOUND", "Available: test@1/gold, test@1/ink"),
        ("ink@1", "VERSION_NOT_HELD", "not held"),
    ],
)
async def test_a_pin_that_holds_nothing_says_what_is_held(tmp_path: Path, style: str, code: str, says: str) -> None:
    bundles = [fake_bundle(tmp_path / version, version=version) for version in ("1", "2")]
    async with hot(None, *bundles, cache=tmp_path / "cache") as served:
        error = await refusal(served.stylize(style_id=style))
    assert (error.code(), reason(error)) == (grpc.StatusCode.NOT_FOUND, f"impasto/{code}")
    assert says in (error.details() or "")


async def test_the_oldest_version_retires_and_its_engine_closes_after_its_last_request(tmp_path: Path) -> None:
    store, engines = tmp_path / "store", weakref.WeakValueDictionary[str, Held]()
    gate = Event()
    gate.set()

    class Waiting(Held):
        def __init__(self) -> None:
            super().__init__()
            self.release = gate

    def opened(bundle: Bundle) -> Held:
        engine = engines[bundle.version] = Waiting()
        return engine

    async with hot(
        store, fake_bundle(tmp_path / "b", name="other"), cache=tmp_path / "cache", open_engine=opened
    ) as served:
        for version in ("1", "2"):
            fake_bundle(store / "test", version=version, graph=version)
            await served.refresh()
        gate.clear()
        engines["1"].holding = True
        begun = asyncio.ensure_future(served.light("test@1/ink"))
        await engines["1"].until_entered()

        fake_bundle(store / "test", version="3", graph="3", light=0.5)
        await served.refresh()

        assert (await refusal(served.stylize(style_id="test@1/ink"))).code() is grpc.StatusCode.NOT_FOUND
        assert "1" in engines
        gate.set()
        assert await begun == 1.0
        await until(lambda: "1" not in engines)  # the thread that painted lets go a moment later
        assert await served.light("test@2/ink") == 1.0
        retired = served.logged("bundle retired")
        _, metrics = await fetch(served.server, "/metrics")
    assert [(line["bundle"], line["reason"]) for line in retired] == [
        ("test@1", "there are newer versions, as many as are held")
    ]
    versions = [line for line in metrics.splitlines() if line.startswith("impasto_bundle_info{")]
    assert sorted(versions) == [
        'impasto_bundle_info{bundle="other",state="current",version="1"} 1.0',
        'impasto_bundle_info{bundle="test",state="current",version="3"} 1.0',
        'impasto_bundle_info{bundle="test",state="pinnable",version="2"} 1.0',
    ]
    assert 'impasto_bundle_loads_total{result="loaded"} 3.0' in metrics


async def test_bundles_that_share_a_transformer_share_its_engine_until_the_last_is_gone(tmp_path: Path) -> None:
    opened: list[weakref.ref[FakeEngine]] = []

    def open_engine(bundle: Bundle) -> FakeEngine:
        engine = FakeEngine()
        opened.append(weakref.ref(engine))
        return engine

    east, west = (fake_bundle(tmp_path / name, name=name, graph="shared") for name in ("east", "west"))
    other = fake_bundle(tmp_path / "other", name="other")
    async with hot(None, east, west, other, cache=tmp_path / "cache", open_engine=open_engine) as served:
        assert len(opened) == 2
        shared = opened[0]

        await served.admin.UnloadBundle(admin_pb2.UnloadBundleRequest(name="bundles/east/versions/1"))

        assert await served.light("west/ink") == 1.0
        assert shared() is not None

        await served.admin.UnloadBundle(admin_pb2.UnloadBundleRequest(name="bundles/west/versions/1"))

        await until(lambda: shared() is None)
        _, metrics = await fetch(served.server, "/metrics")
    assert [line for line in metrics.splitlines() if line.startswith("impasto_engine{")] == [
        'impasto_engine{bundle="other",precision="fp32",provider="fake"} 1.0'
    ]


def truncated(bundle: Path) -> None:
    weights = bundle / "transformer.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])


def altered(bundle: Path) -> None:
    (bundle / "transformer.onnx").write_bytes(b"another graph")


def half_copied(bundle: Path) -> None:
    (bundle / "styles.safetensors").unlink()


def path_traversing(bundle: Path) -> None:
    manifest = bundle / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"styles/ink.jpg"', '"../../styles/ink.jpg"'))


def of_another_format(bundle: Path) -> None:
    manifest = bundle / "bundle.json"
    manifest.write_text(manifest.read_text().replace('"format_version": 1', '"format_version": 99'))


def no_json(bundle: Path) -> None:
    (bundle / "bundle.json").write_text("{")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (truncated, "transformer.safetensors has SHA-256"),
        (altered, "transformer.onnx has SHA-256"),
        (half_copied, "cannot read styles.safetensors"),
        (path_traversing, "lies outside the bundle"),
        (of_another_format, "format version 99"),
        (no_json, "is no JSON"),
    ],
)
async def test_a_bad_bundle_is_refused_with_the_reason_and_the_old_one_stays(
    tmp_path: Path, damage: Callable[[Path], None], says: str
) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test" / "1", version="1")
    async with hot(store, cache=tmp_path / "cache") as served:
        damage(fake_bundle(store / "test" / "2", version="2", light=0.5).path)
        outcomes = await served.refresh()
        await served.refresh()

        assert await served.light() == 1.0
        assert [outcome.state for outcome in outcomes] == [admin_pb2.ServedBundle.REFUSED]
        assert says in outcomes[0].reason
        assert outcomes[0].source == str(store / "test" / "2")
        (line,) = served.logged("bundle refused")
        listed = await served.admin.ListBundles(admin_pb2.ListBundlesRequest())
        _, metrics = await fetch(served.server, "/metrics")
    assert says in line["reason"]
    assert [bundle.reason for bundle in listed.bundles if bundle.state == admin_pb2.ServedBundle.REFUSED] == [
        line["reason"]
    ]
    assert 'impasto_bundle_loads_total{result="refused"} 1.0' in metrics
    assert not list((tmp_path / "cache").glob(".draft*"))


async def test_a_bundle_that_is_being_copied_is_waited_for(tmp_path: Path) -> None:
    store, whole = tmp_path / "store", fake_bundle(tmp_path / "whole", version="2", light=0.5).path
    fake_bundle(store / "test" / "1", version="1")
    target = store / "test" / "2"
    files = [path.relative_to(whole) for path in sorted(whole.rglob("*")) if path.is_file()]  # bundle.json comes first
    async with hot(store, cache=tmp_path / "cache") as served:
        for name in files:
            assert await served.light() == 1.0
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(whole / name, target / name)
            await served.admin.RefreshBundles(admin_pb2.RefreshBundlesRequest())

        assert await served.light() == 0.5
        assert not served.logged("bundle refused")


async def test_a_bundle_that_was_refused_is_served_once_it_is_mended(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test" / "1", version="1")
    async with hot(store, cache=tmp_path / "cache") as served:
        truncated(fake_bundle(store / "test" / "2", version="2").path)
        await served.refresh()
        assert (await served.bundles())["test/versions/2"] == REFUSED

        fake_bundle(store / "test" / "2", version="2", light=0.5)
        await served.refresh()

        assert await served.bundles() == {"test/versions/2": CURRENT, "test/versions/1": PINNABLE}
        assert await served.light() == 0.5


class Refusing:
    """A probe that refuses versions."""

    def __init__(self, *versions: str) -> None:
        self._versions = versions

    def check(self, bundle: Bundle, engine: Engine) -> None:
        if bundle.version in self._versions:
            raise BundleRefused("it paints nothing but grey")


async def test_a_bundle_that_does_not_pass_the_probe_is_refused_at_once(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test" / "1", version="1")
    async with hot(store, cache=tmp_path / "cache", probe=Refusing("2")) as served:
        fake_bundle(store / "test" / "2", version="2", light=0.5)
        await served.admin.RefreshBundles(admin_pb2.RefreshBundlesRequest())
        assert await served.bundles() == {"test/versions/2": REFUSED, "test/versions/1": CURRENT}
        assert await served.light() == 1.0
    assert [line["reason"] for line in served.logged("bundle refused")] == ["it paints nothing but grey"]


async def test_a_server_does_not_start_with_a_bundle_that_does_not_pass_the_probe(tmp_path: Path) -> None:
    with pytest.raises(BundleRefused, match="nothing but grey"):
        async with hot(None, fake_bundle(tmp_path / "b"), cache=tmp_path / "cache", probe=Refusing("1")):
            pass


async def test_a_bundle_whose_engine_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test" / "1", version="1", graph="one")

    def open_engine(bundle: Bundle) -> FakeEngine:
        if bundle.version == "2":
            raise EngineError("no memory for it")
        return FakeEngine()

    async with hot(store, cache=tmp_path / "cache", open_engine=open_engine) as served:
        fake_bundle(store / "test" / "2", version="2", graph="two")
        await served.refresh()
        assert await served.bundles() == {"test/versions/2": REFUSED, "test/versions/1": CURRENT}
        fake_bundle(store / "test" / "3", version="3", graph="three", light=0.5)
        await served.refresh()
        assert await served.light() == 0.5


class Opening(FakeEngine):
    """An engine that does not paint its first picture until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.release = Event(), Event()

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        self.entered.set()
        assert self.release.wait(60)
        return super().run(images, codes, cancellation)


async def test_calls_are_answered_while_a_new_engine_is_opened(tmp_path: Path) -> None:
    store, opening = tmp_path / "store", Opening()
    fake_bundle(store / "test" / "1", version="1", graph="one")
    open_engine: Callable[[Bundle], FakeEngine] = lambda bundle: opening if bundle.version == "2" else FakeEngine()  # noqa: E731
    async with hot(store, cache=tmp_path / "cache", open_engine=open_engine) as served:
        fake_bundle(store / "test" / "2", version="2", graph="two", light=0.5)
        refreshing = asyncio.ensure_future(served.refresh())
        assert await asyncio.to_thread(opening.entered.wait, 60)

        assert await served.light() == 1.0
        assert (await served.health.Check(HealthCheckRequest())).status == HealthCheckResponse.SERVING
        opening.release.set()
        await refreshing
        assert await served.light() == 0.5


async def test_a_result_that_was_kept_is_never_a_new_versions(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test", version="1")
    async with hot(store, cache=tmp_path / "cache", cache_bytes=10**7) as served:
        assert [await served.light() for _ in range(2)] == [1.0, 1.0]
        fake_bundle(store / "test", version="2", light=0.5)  # the same transformer, other codes
        await served.refresh()
        assert [await served.light() for _ in range(2)] == [0.5, 0.5]
        fake_bundle(store / "test", version="3", graph="another", light=0.5)  # the same codes, another transformer
        await served.refresh()
        await served.light()
        _, metrics = await fetch(served.server, "/metrics")
    assert 'impasto_cache_requests_total{result="hit"} 2.0' in metrics
    assert 'impasto_cache_requests_total{result="miss"} 3.0' in metrics


async def test_versions_are_compared_as_numbers_and_an_older_one_does_not_take_over(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test" / "a", version="1.9", light=0.9)
    async with hot(store, cache=tmp_path / "cache", bundle_versions=3) as served:
        fake_bundle(store / "test" / "b", version="1.10", light=0.5)
        await served.refresh()
        assert await served.light() == 0.5
        fake_bundle(store / "test" / "c", version="1.2", light=0.2)
        await served.refresh()
        assert await served.light() == 0.5
        assert await served.light("test@1.2/ink") == 0.2
        assert await served.bundles() == {
            "test/versions/1.10": CURRENT,
            "test/versions/1.9": PINNABLE,
            "test/versions/1.2": PINNABLE,
        }


async def test_a_server_begins_with_the_newest_versions_of_a_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for version in ("3", "1", "2"):
        fake_bundle(store / "test" / version, version=version)
    async with hot(store, cache=tmp_path / "cache") as served:
        assert await served.bundles() == {"test/versions/3": CURRENT, "test/versions/2": PINNABLE}


async def test_what_is_gone_from_the_store_is_retired_and_the_version_before_it_is_current(tmp_path: Path) -> None:
    store = tmp_path / "store"
    for version in ("1", "2"):
        fake_bundle(store / "test" / version, version=version, light=1 / int(version))
    async with hot(store, cache=tmp_path / "cache") as served:
        assert await served.light() == 0.5
        shutil.rmtree(store / "test" / "2")
        await served.refresh()
        assert await served.light() == 1.0
        assert await served.bundles() == {"test/versions/1": CURRENT}

        (store / "test" / "1").rename(tmp_path / "away")
        fake_bundle(store / "other", name="other")
        await served.refresh()
        assert await served.light("test/ink") == 1.0, "nothing replaces it"


async def test_the_same_version_with_other_content_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test", version="1")
    async with hot(store, cache=tmp_path / "cache") as served:
        fake_bundle(store / "test", version="1", light=0.5)
        (refused,) = await served.refresh()
        assert "version 1 of 'test' is served already, with other content" in refused.reason
        assert await served.light() == 1.0


async def test_what_is_served_does_not_change_with_the_store(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test", version="1")
    paths: list[Path] = []

    def open_engine(bundle: Bundle) -> FakeEngine:
        paths.append(bundle.path)
        return FakeEngine()

    async with hot(store, cache=tmp_path / "cache", open_engine=open_engine):
        shutil.rmtree(store)
        assert paths[0].parent == tmp_path / "cache"
        assert (paths[0] / "transformer.onnx").exists()


async def test_what_begins_with_a_dot_or_lies_too_deep_is_passed_over(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test", version="1")
    for folder in (".draft", "test2/.draft", "a/b/c"):
        fake_bundle(store / folder, name="draft")
    async with hot(store, cache=tmp_path / "cache") as served:
        assert await served.bundles() == {"test/versions/1": CURRENT}


async def test_a_link_to_a_version_is_followed(tmp_path: Path) -> None:
    store, kept = tmp_path / "store", tmp_path / "kept"
    store.mkdir()
    for version in ("1", "2"):
        fake_bundle(kept / version, version=version, light=1 / int(version))
    (store / "test").symlink_to(kept / "1")
    async with hot(store, cache=tmp_path / "cache") as served:
        assert await served.light() == 1.0
        (store / "next").symlink_to(kept / "2")
        (store / "next").rename(store / "test")
        await served.refresh()
        assert await served.light() == 0.5


async def test_a_server_with_nothing_to_paint_with_waits_for_the_store(tmp_path: Path) -> None:
    store, log = tmp_path / "store", io.StringIO()
    store.mkdir()

    async def start() -> float:
        async with hot(store, cache=tmp_path / "cache", bundle_poll_seconds=OFTEN, log=log) as served:
            return await served.light()

    starting = asyncio.create_task(start())
    await until(lambda: "waiting for a bundle" in log.getvalue())
    assert "bundle loaded" not in log.getvalue()
    fake_bundle(store / "test")
    assert await starting == 1.0


async def test_a_start_that_waits_for_a_store_can_be_stopped(tmp_path: Path) -> None:
    log = io.StringIO()

    async def start() -> None:
        async with hot(tmp_path / "missing", cache=tmp_path / "cache", log=log):
            raise AssertionError("nothing is there to be served")

    starting = asyncio.create_task(start())
    await until(lambda: "waiting for a bundle" in log.getvalue())
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting


async def test_each_photo_of_a_stream_is_painted_with_what_is_current_when_its_turn_comes(tmp_path: Path) -> None:
    store = tmp_path / "store"
    fake_bundle(store / "test", version="1")
    async with hot(store, cache=tmp_path / "cache") as served:
        stream = served.stub.StylizeStream()
        defaults = pb.StylizeRequest(style_id="ink", format=pb.IMAGE_FORMAT_PNG)
        await stream.write(pb.StylizeStreamRequest(config=pb.StylizeStreamConfig(defaults=defaults)))

        async def paint() -> float:
            item = pb.StylizeStreamItem(id="one", request=pb.StylizeRequest(image=photo()))
            await stream.write(pb.StylizeStreamRequest(item=item))
            return lightness((await stream.read()).response)

        assert await paint() == 1.0
        fake_bundle(store / "test", version="2", light=0.5)
        await served.refresh()
        assert await paint() == 0.5
        await stream.done_writing()
