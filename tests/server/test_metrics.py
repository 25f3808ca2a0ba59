"""What the server measures, beside what other tests look at on the way."""

from __future__ import annotations

import asyncio
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from cryptography.x509 import load_pem_x509_certificate
from prometheus_client.parser import text_string_to_metric_families

from impasto.engine import FakeEngine
from impasto.logs import make_log
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.server import Server
from tests.credentials import Authority
from tests.server.job_support import request_of, serving_jobs, succeed
from tests.server.support import Held, Served, fetch, options, photo, refusal, serving
from tests.support import fake_bundle

PATIENCE = 60  # s
STYLIZE = "/impasto.v1.Stylizer/Stylize"
STREAM = "/impasto.v1.Stylizer/StylizeStream"
GET_OPERATION = "/google.longrunning.Operations/GetOperation"


async def measured(served: Served, name: str, **labels: str) -> float | None:
    """Return the value of a sample with just these labels; None where there is none."""
    _, page = await served.get("/metrics")
    samples = (sample for family in text_string_to_metric_families(page) for sample in family.samples)
    return next((sample.value for sample in samples if (sample.name, sample.labels) == (name, labels)), None)


async def until(served: Served, name: str, value: float) -> None:
    async with asyncio.timeout(PATIENCE):
        while await measured(served, name) != value:
            await asyncio.sleep(0.02)


async def test_readiness_is_measured_from_the_start_to_the_end(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "b")
    log = make_log(stream=io.StringIO())
    server = Server(options(bundle), open_engine=lambda _: FakeEngine(), log=log)
    await server.listen()
    seen = [await fetch(server, "/metrics")]
    await server.warm_up()
    seen.append(await fetch(server, "/metrics"))
    server.health.drain()
    seen.append(await fetch(server, "/metrics"))
    await server.stop()

    for (_, page), ready in zip(seen, ("0.0", "1.0", "0.0"), strict=True):
        assert f"impasto_ready {ready}\n" in page


async def test_what_has_not_happened_yet_is_shown_as_none(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), max_concurrent_requests=7) as served:
        for code in ("OK", "INTERNAL", "UNAVAILABLE", "UNKNOWN", "DATA_LOSS"):
            assert await measured(served, "impasto_requests_total", method=STREAM, code=code) == 0
            assert await measured(served, "impasto_stream_items_total", code=code) == 0
        for reason in ("OVERLOADED", "DEADLINE_UNREACHABLE", "QUEUE_FULL"):
            assert await measured(served, "impasto_rejections_total", method=STYLIZE, reason=reason) == 0
        assert await measured(served, "impasto_cancellations_total", method=STYLIZE, reason="deadline") == 0
        assert await measured(served, "impasto_request_seconds_count", method=GET_OPERATION) == 0
        assert await measured(served, "impasto_bundle_loads_total", result="refused") == 0
        assert await measured(served, "impasto_max_concurrent_requests") == 7


async def test_what_there_is_nothing_to_tell_of_is_not_shown(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        for name in (
            "impasto_bundle_store_reachable",
            "impasto_job_store_reachable",
            "impasto_oldest_waiting_job_seconds",
            "impasto_certificate_expiry_timestamp_seconds",
        ):
            assert await measured(served, name) is None


async def test_the_time_of_calls_is_that_of_those_that_end_well(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine) as served:
        await served.stylize()
        await refusal(served.stylize(quality=0))
        engine.holding = True
        call = asyncio.ensure_future(served.stylize())
        await engine.until_entered()
        begun = asyncio.get_running_loop().time()
        await asyncio.sleep(0.05)
        held = asyncio.get_running_loop().time() - begun
        engine.release.set()
        await call

        assert await measured(served, "impasto_request_seconds_count", method=STYLIZE) == 2
        assert (await measured(served, "impasto_request_seconds_sum", method=STYLIZE) or 0) >= held
        assert await measured(served, "impasto_request_seconds_bucket", method=STYLIZE, le="30.0") == 2


async def test_streams_have_no_time(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        stream = served.stub.StylizeStream()
        await stream.write(pb.StylizeStreamRequest(config=pb.StylizeStreamConfig()))
        await stream.write(
            pb.StylizeStreamRequest(
                item=pb.StylizeStreamItem(id="1", request=pb.StylizeRequest(image=photo(), style_id="ink"))
            )
        )
        await stream.done_writing()
        assert [answer.id async for answer in stream] == ["1"]

        assert await measured(served, "impasto_requests_total", method=STREAM, code="OK") == 1
        assert await measured(served, "impasto_request_seconds_count", method=STREAM) is None


async def test_a_call_that_waits_for_a_job_tells_nothing_of_how_quick_the_server_is(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        call = served.stub.Stylize(request_of())
        succeed(await served.claim())
        assert (await call).image
        late = served.stub.Stylize(request_of(), timeout=0.5)
        assert (await refusal(late)).code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(PATIENCE):
            while not await measured(served, "impasto_cancellations_total", method=STYLIZE, reason="job"):
                await asyncio.sleep(0.02)

        assert await measured(served, "impasto_requests_total", method=STYLIZE, code="OK") == 1
        assert await measured(served, "impasto_request_seconds_count", method=STYLIZE) == 0
        assert await measured(served, "impasto_cancellations_total", method=STYLIZE, reason="deadline") == 0


async def test_the_longest_wait_of_jobs_grows_until_a_worker_takes_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto_server.jobs.upkeep._COUNT_EVERY", 0.02)
    async with serving_jobs(tmp_path) as served:
        await until(served, "impasto_oldest_waiting_job_seconds", 0)
        await served.create()
        waited: list[float | None] = []
        async with asyncio.timeout(PATIENCE):
            while len(set(waited)) < 4:
                waited.append(await measured(served, "impasto_oldest_waiting_job_seconds"))
        await served.claim()
        await until(served, "impasto_oldest_waiting_job_seconds", 0)

    assert waited == sorted(waited, key=float)  # type: ignore[arg-type]


async def test_a_job_store_that_goes_and_comes_back_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("impasto_server.jobs.upkeep._COUNT_EVERY", 0.02)
    async with serving_jobs(tmp_path, store=False) as served:
        await until(served, "impasto_job_store_reachable", 1)
        marker = next((tmp_path / "state" / "blobs").glob("*impasto*"))
        away = marker.rename(tmp_path / "away")
        await until(served, "impasto_job_store_reachable", 0)
        away.rename(marker)
        await until(served, "impasto_job_store_reachable", 1)


async def test_the_end_of_the_certificate_in_use_is_measured(tmp_path: Path) -> None:
    ca = Authority(tmp_path)
    soon = datetime.now(UTC).replace(microsecond=0) + timedelta(days=9)
    pair = ca.issue("server", not_after=soon)
    async with serving(fake_bundle(tmp_path / "b"), tls_cert=pair.cert, tls_key=pair.key) as served:
        await until(served, "impasto_certificate_expiry_timestamp_seconds", soon.timestamp())
        ca.issue("server")
        renewed = load_pem_x509_certificate(pair.cert.read_bytes()).not_valid_after_utc
        assert renewed != soon
        await until(served, "impasto_certificate_expiry_timestamp_seconds", renewed.timestamp())
