"""A job store that cannot be reached, or is full: nobody is left without an answer, and nothing is lost."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.rpc.error_details_pb2 import RetryInfo

from impasto import images
from impasto.errors import InvalidInput, MissingDependency
from impasto.images import Format
from impasto.v1 import stylizer_pb2 as pb
from tests.server.job_support import (
    PATIENCE,
    RESULT,
    ServedJobs,
    blobs,
    next_of,
    open_store,
    request_of,
    rest_of,
    serving_jobs,
    step,
    stylization,
    succeed,
)
from tests.server.support import detail, reason, refusal
from tests.support import files_no_larger_than

UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, "impasto/STORE_UNAVAILABLE")
States = pb.Stylization.State


async def test_a_server_whose_store_is_away_at_the_start_paints_and_does_jobs_once_it_is_back(tmp_path: Path) -> None:
    obstacle = tmp_path / "state"
    obstacle.write_text("a file where a folder should be")
    async with serving_jobs(tmp_path, store=False) as served:
        assert (await served.stylize()).image
        errors = [await refusal(call) for call in (served.create(), served.stub.Stylize(request_of()), served.names())]
        obstacle.unlink()
        name = await _created(served)
        store = open_store(tmp_path)
        claim = store.claim("the test")
        assert claim is not None
        succeed(claim)
        store.close()
        assert (await served.wait(name)).done
        said = [line["event"] for line in served.lines if line["event"].startswith("job store")]
    assert said == ["job store away", "job store back"]
    for error in errors:
        assert (error.code(), reason(error)) == UNAVAILABLE
        assert detail(error, RetryInfo).retry_delay.ToSeconds() >= 1
        assert str(tmp_path) not in str(error.details())


async def test_whoever_watches_does_not_notice_that_the_store_was_away(tmp_path: Path) -> None:
    state, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        watch = served.watch(name)
        await next_of(watch)
        state.rename(elsewhere)
        while not [line for line in served.lines if line["event"] == "job store away"]:
            await served.get("/livez")
        error = await refusal(served.operation(name))
        elsewhere.rename(state)
        claim = await served.claim()
        step(claim, 1)
        succeed(claim)
        assert (await rest_of(watch))[-1].stylization.state == States.SUCCEEDED
    assert (error.code(), reason(error)) == UNAVAILABLE


async def test_nothing_is_left_of_a_job_that_the_full_store_could_not_take(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    photo = images.encode(noise, format=Format.PNG)
    async with serving_jobs(tmp_path) as served:
        with files_no_larger_than(len(photo) // 2):
            error = await refusal(served.create(image=photo, request_id="one"))
        assert blobs(tmp_path) == []
        assert await served.names() == []
        operation = await served.create(image=photo, request_id="one")
        assert stylization(operation).state == States.QUEUED
    assert (error.code(), reason(error)) == UNAVAILABLE


async def test_nothing_is_left_of_a_job_whose_pictures_could_not_be_stored(tmp_path: Path) -> None:
    pictures, elsewhere = tmp_path / "state" / "blobs", tmp_path / "elsewhere"
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        succeed(await served.claim())
        kept = blobs(tmp_path)
        pictures.rename(elsewhere)
        calls = served.create(request_id="one"), served.stub.Stylize(request_of()), served.read_result(name)
        errors = [await refusal(call) for call in calls]
        assert await served.names() == [name]
        assert not pictures.exists()
        elsewhere.rename(pictures)
        assert blobs(tmp_path) == kept
        assert b"".join(await served.read_result(name)) == RESULT
        assert stylization(await served.create(request_id="one")).state == States.QUEUED
    for error in errors:
        assert (error.code(), reason(error)) == UNAVAILABLE
        assert detail(error, RetryInfo).retry_delay.ToSeconds() >= 1


async def test_a_store_that_hangs_takes_no_place_from_trained_styles(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, max_concurrent_requests=1) as served:
        with _locked(tmp_path / "state" / "jobs.sqlite"):
            call = served.stub.CreateStylization(pb.CreateStylizationRequest(stylize=request_of()))
            async with asyncio.timeout(PATIENCE):
                while not blobs(tmp_path):
                    await asyncio.sleep(0.01)
            assert (await served.stylize()).image
            error = await refusal(served.create())
            assert not call.done()
        assert stylization(await call).state == States.QUEUED
    assert (error.code(), reason(error)) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "impasto/OVERLOADED")


async def test_a_store_that_nothing_can_reach_ends_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="'mysql' is not supported"):
        async with serving_jobs(tmp_path, store=False, database="mysql://me:secret@there/jobs"):
            pass
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependency, match=r"impasto\[postgres\]"):
        async with serving_jobs(tmp_path, store=False, database="postgresql://me@127.0.0.1:1/jobs"):
            pass


async def test_a_database_out_of_reach_is_named_in_the_log_without_its_password(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, store=False, database="postgresql://me:secret@127.0.0.1:1/jobs") as served:
        error = await refusal(served.create())
        log = served.log.getvalue()
    assert (error.code(), reason(error)) == UNAVAILABLE
    assert "127.0.0.1:1/jobs" in log
    assert "secret" not in log


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Let nobody else write."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


async def _created(served: ServedJobs) -> str:
    """Return the name of a job, made as soon as that can be done."""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(grpc.aio.AioRpcError):
                name: str = (await served.create()).name
                return name
