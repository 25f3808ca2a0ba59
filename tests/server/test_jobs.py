"""Jobs from their creation to their result, however often the caller goes away."""

from __future__ import annotations

import io
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.duration_pb2 import Duration
from PIL import Image

from impasto import images
from impasto.images import Format
from impasto.v1 import stylizer_pb2 as pb
from tests.server.job_support import (
    PAINTING,
    RESULT,
    ServedJobs,
    blobs,
    next_of,
    paintings,
    rest_of,
    serving_jobs,
    step,
    stylization,
    succeed,
)
from tests.server.support import photo, reason, refusal
from tests.support import gradient

States = pb.Stylization.State


async def test_a_job_is_queued_and_handed_to_a_worker_as_it_was_asked_for(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        operation = await served.create(
            image=photo(64, 48),
            style_images=paintings(PAINTING, RESULT, weights=[None, 0.25]),
            strength=0.5,
            output_size=pb.Size(width=32),
            format=pb.IMAGE_FORMAT_WEBP,
            quality=77,
            optimization=pb.Optimization(
                steps=12, optimizer=pb.Optimization.ADAM, color=pb.Optimization.HISTOGRAM, style_layers=["relu2_1"]
            ),
        )
        claim = await served.claim()
        files = claim.photo(), claim.paintings()

    assert not operation.done
    assert operation.name == f"operations/{claim.job.id}"
    resource = stylization(operation)
    assert (resource.name, resource.state) == (f"stylizations/{claim.job.id}", States.QUEUED)
    assert (resource.owner, resource.attempts) == ("anonymous", 0)
    assert resource.HasField("create_time")
    assert not resource.HasField("start_time")
    assert files == (photo(64, 48), [PAINTING, RESULT])
    wanted = claim.commission
    assert (wanted.painting_weights, wanted.strength) == ((1.0, 0.25), 0.5)
    assert (wanted.working_size, wanted.output_size) == (64, (32, 24))
    assert (wanted.format, wanted.quality) == (Format.WEBP, 77)
    how = wanted.optimization
    assert (how.steps, how.optimizer, how.color, how.style_layers) == (12, "adam", "histogram", ("relu2_1",))
    assert how.pooling == "max"


@pytest.mark.parametrize(("asked", "working_size"), [(None, 100), (300, 300), (50, 50)])
async def test_a_large_photo_is_painted_at_the_servers_working_size_unless_the_request_names_one(
    tmp_path: Path, asked: int | None, working_size: int
) -> None:
    async with serving_jobs(tmp_path, working_size=100) as served:
        await served.create(image=photo(200, 160), working_size=asked)
        commission = (await served.claim()).commission
    assert (commission.working_size, commission.output_size) == (working_size, (200, 160))


async def test_unusual_paintings_are_taken(tmp_path: Path) -> None:
    grey = np.full((20, 20, 3), 128, np.uint8)
    transparent = _transparent(24, 24)
    async with serving_jobs(tmp_path) as served:
        await served.create(style_images=paintings(images.encode(grey), transparent, photo()))
        assert (await served.claim()).commission.painting_weights == (1, 1, 1)


async def test_a_watch_says_what_happens_and_ends_with_the_job(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        watch = served.watch(name)
        assert (await next_of(watch)).stylization.state == States.QUEUED

        claim = await served.claim()
        step(claim, 3)
        seen = await next_of(watch)
        while not seen.stylization.progress.step:
            seen = await next_of(watch)
        succeed(claim)
        *_, last = await rest_of(watch)

    assert seen.stylization.state == States.RUNNING
    progress = seen.stylization.progress
    assert (progress.step, progress.total_steps, progress.size) == (3, 10, pb.Size(width=32, height=24))
    assert (progress.content_loss, progress.style_loss, progress.total_loss) == (0.1, 0.2, 0.3)
    assert progress.time_left.ToMilliseconds() == 4500
    assert last.stylization.state == States.SUCCEEDED
    result = last.stylization.result
    assert (result.byte_count, result.format, result.size) == (len(RESULT), pb.IMAGE_FORMAT_PNG, _size(64, 48))
    assert result.paint_time.ToMilliseconds() == 1500
    assert last.stylization.expire_time.ToSeconds() - last.stylization.end_time.ToSeconds() == 86_400


async def test_a_watcher_that_was_cut_off_looks_again_and_misses_no_end(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        claim = await served.claim()
        step(claim, 1)
        first = served.watch(name)
        await next_of(first)
        first.cancel()

        succeed(claim)
        states = [message.stylization.state for message in await rest_of(served.watch(name))]
        assert states == [States.SUCCEEDED]
        assert b"".join(await served.read_result(name)) == RESULT


async def test_many_watch_one_job_and_all_see_its_end(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        watches = [served.watch(name) for _ in range(20)]
        for watch in watches:
            assert (await next_of(watch)).stylization.state == States.QUEUED
        for watch in watches[:10]:
            watch.cancel()
        succeed(await served.claim())
        ends = [(await rest_of(watch))[-1].stylization.state for watch in watches[10:]]
    assert ends == [States.SUCCEEDED] * 10


async def test_previews_come_when_they_are_wanted_and_no_oftener(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        claim = await served.claim()
        step(claim, 1, preview=b"the first")
        eager, calm = (served.watch(name, preview_interval=_seconds(each)) for each in (0.2, 3600))
        blind = served.watch(name)
        firsts = [(await next_of(watch)).preview for watch in (eager, calm, blind)]
        assert firsts == [b"the first", b"the first", b""]

        step(claim, 2, preview=b"the second")
        seen = await next_of(eager)
        while not seen.preview:
            step(claim, seen.stylization.progress.step + 1)
            seen = await next_of(eager)
        succeed(claim)
        assert seen.preview == b"the second"
        for watch in (calm, blind):
            assert not any(message.preview for message in await rest_of(watch))


async def test_a_restarted_server_goes_on_with_what_it_finds(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        watch = served.watch(name)
        await next_of(watch)
        await served.server.stop()
        with pytest.raises(grpc.aio.AioRpcError) as cut_off:
            await rest_of(watch)
    assert (cut_off.value.code(), reason(cut_off.value)) == (grpc.StatusCode.UNAVAILABLE, "impasto/SHUTTING_DOWN")
    async with serving_jobs(tmp_path) as served:
        watch = served.watch(name)
        await next_of(watch)
        succeed(await served.claim())
        assert (await rest_of(watch))[-1].stylization.state == States.SUCCEEDED


async def test_a_large_result_comes_in_chunks_and_from_any_offset(tmp_path: Path) -> None:
    file = np.random.default_rng(0).bytes(5_000_000)
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        succeed(await served.claim(), file)
        chunks = await served.read_result(name)
        rest = await served.read_result(name.replace("operations", "stylizations"), 4_500_000)
        nothing = await served.read_result(name, len(file))
    assert b"".join(chunks) == file
    assert {len(chunk) for chunk in chunks[:-1]} == {256 * 1024}
    assert b"".join(rest) == file[4_500_000:]
    assert nothing == []


async def test_a_reader_that_leaves_half_way_harms_nobody(tmp_path: Path) -> None:
    file = bytes(20_000_000)
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        succeed(await served.claim(), file)
        call = served.stub.ReadStylization(pb.ReadStylizationRequest(name=name))
        await call.read()
        call.cancel()
        assert sum(map(len, await served.read_result(name))) == len(file)
        assert not [line for line in served.lines if line["event"] == "unexpected error"]


async def test_a_job_of_higher_priority_goes_first(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        usual, urgent = await served.create(), await served.create(priority=100)
        order = [(await served.claim()).job.id for _ in range(2)]
    assert [f"operations/{job_id}" for job_id in order] == [urgent.name, usual.name]


async def test_a_request_sent_again_under_its_id_makes_no_second_job(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, job_queue_limit=1) as served:
        first = await served.create(request_id="a-request_1")
        again = await served.create(request_id="a-request_1")
        assert again.name == first.name
        assert await served.names() == [first.name]

        succeed(await served.claim())
        response = await served.stylize(style_images=paintings(PAINTING), format=0, request_id="a-request_1")
    assert response.image == RESULT


async def test_what_is_counted_of_jobs_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto_server.jobs.upkeep._COUNT_EVERY", 0.05)
    async with serving_jobs(tmp_path) as served:
        await served.create()
        await served.create()
        await served.claim()
        page = await _page_with(served, 'impasto_jobs{state="running"} 1.0')
    for line in ('impasto_jobs{state="queued"} 1.0', 'impasto_jobs{state="failed"} 0.0', "impasto_workers 0.0"):
        assert line in page


async def test_a_call_about_a_job_leaves_its_id_in_the_log(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        name = (await served.create()).name
        await served.operation(name)
        lines = [line for line in served.lines if line["event"] == "call"]
    assert [line["job"] for line in lines] == [name.removeprefix("operations/")] * 2


async def test_expired_jobs_are_deleted_with_their_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("impasto_server.jobs.upkeep._SWEEP_EVERY", 0.05)
    async with serving_jobs(tmp_path, job_keep_seconds=0.1) as served:
        name = (await served.create()).name
        succeed(await served.claim())
        assert (await rest_of(served.watch(name)))[-1].stylization.state == States.SUCCEEDED
        while blobs(tmp_path):
            await served.get("/livez")
        error = await refusal(served.operation(name))
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def _page_with(served: ServedJobs, line: str) -> str:
    page = ""
    while line not in page:
        _, page = await served.get("/metrics")
    return page


def _transparent(width: int, height: int) -> bytes:
    """Return a PNG of colours at half opacity."""
    picture = Image.fromarray(gradient(width, height)).convert("RGBA")
    picture.putalpha(128)
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _seconds(number: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(number * 1e9))
    return duration


def _size(width: int, height: int) -> pb.Size:
    return pb.Size(width=width, height=height)
