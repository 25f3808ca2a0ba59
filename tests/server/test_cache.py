"""Results that are asked for again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from impasto.engine import FakeEngine
from impasto.images import Format
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.fast.cache import Results
from impasto_server.painting import Painting
from tests.server.support import photo, serving
from tests.support import fake_bundle


def painting(size: int) -> Painting:
    return Painting(bytes(size), Format.PNG, (1, 1), (1, 1), (1, 1), "test", 1, 1, {})


def test_the_results_that_nobody_asks_for_go_first() -> None:
    results = Results(10_000)
    for key in (b"a", b"b"):
        results.put(key, painting(3_000))
    assert results.get(b"a")

    results.put(b"c", painting(3_000))

    assert results.get(b"b") is None
    assert results.get(b"a")
    assert results.get(b"c")
    assert results.size == 8_000


def test_one_that_is_larger_than_the_limit_drives_nothing_out() -> None:
    results = Results(10_000)
    results.put(b"a", painting(3_000))

    results.put(b"large", painting(10_000))

    assert results.get(b"a")
    assert results.get(b"large") is None


def test_one_put_twice_takes_its_place_once() -> None:
    results = Results(10_000)
    for _ in range(2):
        results.put(b"a", painting(3_000))
    assert results.size == 4_000


async def test_the_same_request_is_painted_once(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, cache_bytes=10**6) as served:
        warm = len(engine.shapes)
        first, again = await served.stylize(), await served.stylize()
        _, metrics = await served.get("/metrics")
    assert first.image == again.image
    assert first.size == again.size
    assert len(engine.shapes) == warm + 1
    assert 'impasto_cache_requests_total{result="hit"} 1.0' in metrics
    assert 'impasto_cache_requests_total{result="miss"} 1.0' in metrics
    assert f"impasto_cache_bytes {len(first.image) + 1000}.0" in metrics
    assert "impasto_painted_pixels_total 3072.0" in metrics


@pytest.mark.parametrize(
    "other",
    [
        {"image": photo(64, 50)},
        {"strength": 0.5},
        {"working_size": 32},
        {"output_size": pb.Size(width=32)},
        {"format": pb.IMAGE_FORMAT_WEBP},
        {"quality": 50},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_another_request_is_painted_anew(tmp_path: Path, other: dict[str, Any]) -> None:
    engine = FakeEngine()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, cache_bytes=10**6) as served:
        warm = len(engine.shapes)
        await served.stylize()
        await served.stylize(**other)
    assert len(engine.shapes) == warm + 2


async def test_without_a_cache_every_request_is_painted(tmp_path: Path) -> None:
    engine = FakeEngine()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine) as served:
        warm = len(engine.shapes)
        await served.stylize()
        await served.stylize()
    assert len(engine.shapes) == warm + 2
