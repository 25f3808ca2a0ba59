"""Start up, be watched, shut down."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from impasto.engine import FakeEngine
from impasto.errors import BundleError, EngineError
from impasto.logs import make_log
from impasto_server.errors import CannotListen
from impasto_server.server import Server, running
from tests.server.support import Broken, Held, Served, connect, fetch, options, photo, read, reason, refusal, serving
from tests.support import fake_bundle, gradient

SERVICE = "impasto.v1.Stylizer"
OPERATIONS = "google.longrunning.Operations"


def silent() -> Any:
    return make_log(stream=io.StringIO())


async def test_a_server_is_not_ready_until_it_is_warm(tmp_path: Path) -> None:
    bundle = fake_bundle(tmp_path / "b")
    server = Server(options(bundle), open_engine=lambda _: FakeEngine(), log=silent())
    await server.listen()
    async with connect(server) as channel:
        served = Served(server, channel, io.StringIO())

        assert await fetch(server, "/livez") == (200, "ok\n")
        assert await fetch(server, "/readyz") == (503, "warming up\n")
        assert (await served.health.Check(HealthCheckRequest())).status == HealthCheckResponse.NOT_SERVING
        early = await refusal(served.stylize())
        assert (early.code(), reason(early)) == (grpc.StatusCode.UNAVAILABLE, "impasto/NOT_READY")

        await server.warm_up()

        assert await fetch(server, "/readyz") == (200, "ok\n")
        for service in ("", SERVICE, OPERATIONS):
            status = (await served.health.Check(HealthCheckRequest(service=service))).status
            assert status == HealthCheckResponse.SERVING
        assert (await served.stylize()).image
        await server.stop()


async def test_shutting_down_is_announced_and_lets_what_is_in_flight_finish(tmp_path: Path) -> None:
    bundle, engine = fake_bundle(tmp_path / "b"), Held()
    config = options(bundle, drain_seconds=60)
    server = Server(config, open_engine=lambda _: engine, log=silent())
    await server.listen()
    await server.warm_up()
    async with connect(server) as channel:
        served = Served(server, channel, io.StringIO())
        watch = served.health.Watch(HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == HealthCheckResponse.SERVING
        engine.holding = True
        call = asyncio.ensure_future(served.stylize())
        await engine.until_entered()

        stopping = asyncio.create_task(server.stop())

        assert (await watch.read()).status == HealthCheckResponse.NOT_SERVING
        assert await watch.read() is grpc.aio.EOF
        assert await fetch(server, "/readyz") == (503, "shutting down\n")
        assert not stopping.done()
        engine.release.set()
        np.testing.assert_array_equal(read(await call), 255 - gradient())
        await stopping
        late = await refusal(served.stylize())
        assert late.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_request_that_outlasts_the_deadline_is_cut_off(tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, drain_seconds=0.05) as served:
        engine.holding = True
        call = asyncio.ensure_future(served.stylize())
        await engine.until_entered()
        await served.server.stop()
        assert (await refusal(call)).code() in (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE)
        engine.release.set()


async def test_a_watcher_that_leaves_does_not_deafen_the_others(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        watches = [served.health.Watch(HealthCheckRequest(service=SERVICE)) for _ in range(20)]
        for watch in watches:
            assert (await watch.read()).status == HealthCheckResponse.SERVING
        for watch in watches[1:]:
            watch.cancel()
        await served.server.stop()
        assert (await watches[0].read()).status == HealthCheckResponse.NOT_SERVING


async def test_health_of_an_unknown_service(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        error = await refusal(served.health.Check(HealthCheckRequest(service="nope")))
        watch = served.health.Watch(HealthCheckRequest(service="nope"))
        assert (await watch.read()).status == HealthCheckResponse.SERVICE_UNKNOWN
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_reflection_lists_the_services(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        stub: Any = ServerReflectionStub(served.channel)  # type: ignore[arg-type]
        call = stub.ServerReflectionInfo()
        await call.write(ServerReflectionRequest(list_services=""))
        await call.done_writing()
        response = await call.read()
    names = {service.name for service in response.list_services_response.service}
    standard = {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection", OPERATIONS}
    assert names == {SERVICE, "inference.GRPCInferenceService", *standard}


async def test_metrics_count_calls_pixels_and_stages(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        await served.stylize(image=photo(64, 48))
        await served.stylize(strength=0)
        await refusal(served.stylize(quality=0))
        status, page = await served.get("/metrics")
    assert status == 200
    for line in (
        'impasto_requests_total{code="OK",method="/impasto.v1.Stylizer/Stylize"} 2.0',
        'impasto_requests_total{code="INVALID_ARGUMENT",method="/impasto.v1.Stylizer/Stylize"} 1.0',
        'impasto_stage_seconds_count{bundle="test",method="Stylize",stage="engine"} 1.0',
        'impasto_stage_seconds_count{bundle="test",method="Stylize",stage="total"} 2.0',
        'impasto_batch_pictures_sum{bundle="test"} 1.0',
        'impasto_picture_pixels_sum{bundle="test"} 3072.0',
        'impasto_engine{bundle="test",precision="fp32",provider="fake"} 1.0',
        "impasto_queue_depth 0.0",
        "impasto_predicted_wait_seconds 0.0",
        "impasto_cache_bytes 0.0",
        "impasto_painted_pixels_total 3072.0",
        "impasto_requests_in_flight 0.0",
    ):
        assert line in page
    assert 'impasto_info{bundles="test@1",provider="fake",version=' in page


async def test_each_call_is_one_line_of_the_log(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        await served.stylize(strength=0.5)
        await refusal(served.stylize(quality=0))
        good, bad = (line for line in served.lines if line["event"] == "call")
    assert good["request_id"] != bad["request_id"]
    assert (good["method"], good["style"], good["strength"]) == ("/impasto.v1.Stylizer/Stylize", "test/ink", 0.5)
    assert (good["code"], good["result_size"], good["working_size"]) == ("OK", "64x48", "64x48")
    assert good.keys() >= {"decode_ms", "queue_ms", "engine_ms", "encode_ms", "total_ms"}
    assert (bad["code"], bad["error"]) == ("INVALID_ARGUMENT", "quality: 0 is out of range; give 1 to 100")
    assert "style" not in bad


async def test_the_ports_are_written_to_a_file(tmp_path: Path) -> None:
    file = tmp_path / "ports.json"
    async with serving(fake_bundle(tmp_path / "b"), ports_file=file) as served:
        ports = json.loads(file.read_text())
    assert ports == {"grpc": served.server.address.port, "http": served.server.http_address.port}


async def test_two_bundles_of_one_name_do_not_start(tmp_path: Path) -> None:
    bundles = [fake_bundle(tmp_path / folder, name="twin") for folder in ("a", "b")]
    with pytest.raises(BundleError, match="2 bundles are named 'twin'"):
        async with running(options(*bundles), open_engine=lambda _: FakeEngine(), log=silent()):
            pass


async def test_an_engine_that_cannot_paint_is_never_ready(tmp_path: Path) -> None:
    engine = Broken()
    engine.error = EngineError("out of memory")
    with pytest.raises(EngineError, match="out of memory"):
        async with running(options(fake_bundle(tmp_path / "b")), open_engine=lambda _: engine, log=silent()):
            pass


async def test_a_start_that_is_cancelled_does_not_wait_for_the_engine(tmp_path: Path) -> None:
    engine, log = Held(), io.StringIO()
    engine.holding = True
    config = options(fake_bundle(tmp_path / "b"))

    async def start() -> None:
        async with running(config, open_engine=lambda _: engine, log=make_log(stream=log)):
            pass

    starting = asyncio.create_task(start())
    await engine.until_entered()
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    engine.release.set()
    events = [json.loads(line)["event"] for line in log.getvalue().splitlines()]
    assert events == ["listening", "shutting down", "stopped"]


@pytest.mark.parametrize("port", ["listen", "http"])
async def test_a_port_that_is_taken_does_not_start(tmp_path: Path, port: str) -> None:
    bundle = fake_bundle(tmp_path / "b")
    async with serving(bundle) as served:
        taken = {"listen": served.server.address, "http": served.server.http_address}[port]
        config = options(bundle).model_copy(update={port: str(taken)})
        with pytest.raises(CannotListen, match=str(taken)):
            async with running(config, open_engine=lambda _: FakeEngine(), log=silent()):
                pass
