"""Traces through real programs to a real collector: application, server, worker; and what each call's span says."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2

from impasto.bundle import load_bundle
from impasto.errors import EngineError
from impasto.tracing import NO_SPAN
from impasto.v1 import stylizer_pb2 as pb
from impasto_client import Client
from impasto_server.identity.tokens import new_token
from tests.collector import Collector, ReceivedSpan, collecting
from tests.credentials import bearer, caller, write_callers
from tests.server.job_support import serving_jobs
from tests.server.processes import ServerProcess, server_process
from tests.server.support import Broken, Held, Served, photo, refusal, serving
from tests.server.test_program import outcome
from tests.support import fake_bundle
from tests.traced_app import SERVICE, STEPS
from tests.worker.processes import WorkerProcess, worker

STYLIZE = "impasto.v1.Stylizer/Stylize"
STREAM = "impasto.v1.Stylizer/StylizeStream"
CREATE = "impasto.v1.Stylizer/CreateStylization"
WATCH = "impasto.v1.Stylizer/WatchStylization"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
SLACK = 50_000_000  # ns, between the clocks of two processes of one machine that began to count at other moments


@dataclass
class Deployment:
    """What an application, a server and a worker have sent, and what the latter two have logged."""

    collector: Collector
    server: ServerProcess
    worker: WorkerProcess

    def trace_of(self, root: str) -> list[ReceivedSpan]:
        """Return all of the trace that the application began by this name."""
        trace = self.collector.the(root).trace
        return sorted((span for span in self.collector.spans if span.trace == trace), key=lambda span: span.begun)

    def within(self, root: str, name: str, service: str) -> list[ReceivedSpan]:
        return [span for span in self.trace_of(root) if (span.name, span.service) == (name, service)]


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Return what has been sent once the application has done what it does, and all three have ended."""
    folder = tmp_path_factory.mktemp("deployment")
    state = folder / "state"
    store = f"sqlite:///{state}/jobs.sqlite", str(state / "blobs")
    serves = ("--traces", "otlp", "--jobs", "on", "--workers", "0", "--state-dir", str(state), "--log-level", "debug")
    with collecting() as collector, pytest.MonkeyPatch.context() as patch:
        for name, value in collector.environment.items():
            patch.setenv(name, value)
        with (
            server_process(folder, *serves) as server,
            worker(
                folder, "--database", store[0], "--blobs", store[1], "--traces", "otlp", "--checkpoint-seconds", "0.05"
            ) as painter,
        ):
            subprocess.run([sys.executable, "-m", "tests.traced_app", server.target], timeout=120, check=True)
            assert painter.end() == 0
            assert server.end() == 0
            yield Deployment(collector, server, painter)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Return a collector to which servers in this process send."""
    with collecting() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        yield collector


@pytest.mark.parametrize("root", ["paints", "paints by asyncio"])
def test_one_trace_goes_from_the_application_through_the_client_to_the_engine(
    deployment: Deployment, root: str
) -> None:
    app, client, server, decode, queue, engine, encode = deployment.trace_of(root)

    assert [span.name for span in (client, server)] == [STYLIZE] * 2
    assert [span.name for span in (decode, queue, engine, encode)] == ["decode", "queue", "engine", "encode"]
    assert [span.service for span in (app, client, server, engine)] == [SERVICE, SERVICE, *["impasto-server"] * 2]
    assert (client.kind, server.kind, engine.kind) == ("client", "server", "internal")
    assert (client.parent, server.parent) == (app.id, client.id)
    assert {span.parent for span in (decode, queue, engine, encode)} == {server.id}
    assert app.begun <= client.begun <= server.begun + SLACK
    assert server.begun <= decode.begun < decode.ended <= queue.begun <= queue.ended == engine.begun
    assert engine.begun < engine.ended <= encode.begun < encode.ended <= server.ended
    assert server.ended <= client.ended + SLACK
    assert client.ended <= app.ended


def test_spans_say_what_was_called_and_what_was_done(deployment: Deployment) -> None:
    _, client, server, _, _, engine, _ = deployment.trace_of("paints")

    called = {"rpc.system": "grpc", "rpc.service": "impasto.v1.Stylizer", "rpc.method": "Stylize"}
    assert client.facts == {**called, "rpc.grpc.status_code": 0}
    assert server.facts.items() >= {**called, "rpc.grpc.status_code": 0}.items()
    line = deployment.server.lines("call")[0]
    for name in ("request_id", "caller", "style", "bundle", "photo_bytes", "photo_size", "result_bytes", "engine_ms"):
        assert server.facts[f"impasto.{name}"] == line[name], name
    assert line["trace_id"] == server.trace
    assert engine.facts == {
        "impasto.bundle": "test",
        "impasto.transformer": load_bundle(deployment.server.log.parent / "bundle").transformer,
        "impasto.provider": "fake",
        "impasto.precision": "fp32",
        "impasto.batch": 1,
        "impasto.width": 64,
        "impasto.height": 48,
    }


def test_each_photo_of_a_stream_has_a_span_with_its_stages(deployment: Deployment) -> None:
    (client,) = deployment.within("streams", STREAM, SERVICE)
    (server,) = deployment.within("streams", STREAM, "impasto-server")
    photos = sorted(
        deployment.within("streams", "photo", "impasto-server"), key=lambda span: span.facts["impasto.item"]
    )

    assert server.parent == client.id
    assert {span.parent for span in photos} == {server.id}
    stages = [[span.name for span in deployment.collector.children(photo)] for photo in photos]
    assert stages == [["decode", "queue", "engine", "encode"], ["decode"], ["decode", "queue", "engine", "encode"]]
    assert [span.facts["rpc.grpc.status_code"] for span in photos] == [0, grpc.StatusCode.INVALID_ARGUMENT.value[0], 0]
    assert "image" in photos[1].facts["impasto.error"]
    assert deployment.collector.children(photos[1])[0].failed
    assert server.facts.items() >= {"impasto.items": 3, "impasto.items_failed": 1}.items()


def test_a_stream_by_asyncio_is_traced_too(deployment: Deployment) -> None:
    (client,) = deployment.within("streams by asyncio", STREAM, SERVICE)
    (server,) = deployment.within("streams by asyncio", STREAM, "impasto-server")

    assert server.parent == client.id
    assert len(deployment.within("streams by asyncio", "photo", "impasto-server")) == 2


def test_what_the_caller_did_wrong_is_an_error_of_its_own_span_alone(deployment: Deployment) -> None:
    _, client, server = deployment.trace_of("errs")

    assert client.facts["rpc.grpc.status_code"] == server.facts["rpc.grpc.status_code"] == 5
    assert (client.failed, server.failed) == (True, False)
    assert "unheard-of" in client.error


def test_a_job_is_painted_within_the_trace_that_made_it(deployment: Deployment) -> None:
    (client,) = deployment.within("makes a job", CREATE, SERVICE)
    (server,) = deployment.within("makes a job", CREATE, "impasto-server")
    painted = [span for span in deployment.trace_of("makes a job") if span.service == "impasto-worker"]
    (queue,) = [span for span in painted if span.name == "queue"]
    (attempt,) = [span for span in painted if span.name == "attempt"]

    assert server.parent == client.id
    looked, stored, *_ = deployment.collector.children(server)
    assert (looked.name, stored.name) == ("decode", "store")
    assert {queue.parent, attempt.parent} == {server.id}
    assert (attempt.kind, attempt.facts["impasto.outcome"]) == ("consumer", "succeeded")
    assert attempt.facts["impasto.job"] == stored.facts["impasto.job"] == deployment.worker.lines("job")[0]["job"]
    names = [span.name for span in deployment.collector.children(attempt)]
    assert [name for name in names if name != "checkpoint"] == ["decode", "paint", "scale", "encode", "save"]
    assert "checkpoint" in names
    (scale,) = [span for span in painted if span.name == "scale"]
    assert scale.facts == {"impasto.width": 64, "impasto.height": 48, "impasto.steps": STEPS}
    assert stored.begun - SLACK <= queue.begun < queue.ended <= attempt.begun + SLACK
    assert attempt.begun <= scale.begun < scale.ended <= attempt.ended
    assert deployment.worker.lines("job")[0]["trace_id"] == attempt.trace


def test_watching_a_job_points_at_the_trace_that_made_it(deployment: Deployment) -> None:
    (watch,) = deployment.within("waits", WATCH, "impasto-server")
    (made,) = deployment.within("makes a job", CREATE, "impasto-server")

    assert watch.links == (made.id,)
    assert watch.trace != made.trace


def test_neither_program_has_anything_to_say_of_it(deployment: Deployment) -> None:
    assert not deployment.server.lines("traces not sent")
    assert not deployment.worker.lines("traces not sent")


async def test_without_being_asked_a_server_sends_nothing(collector: Collector, tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        await _stylize(served, ("traceparent", TRACEPARENT))
        assert served.server._tracing.begin("call") is NO_SPAN
    assert collector.spans == []
    assert "trace_id" not in _call(served)


async def test_a_call_goes_on_with_the_callers_trace(collector: Collector, tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), traces="otlp") as served:
        await _stylize(served, ("traceparent", TRACEPARENT), ("x-request-id", "order/4711"))
    call = collector.the(STYLIZE)
    assert (call.trace, call.parent) == (TRACE, PARENT)
    assert call.facts["impasto.caller_request_id"] == _call(served)["caller_request_id"] == "order/4711"
    assert _call(served)["request_id"] != "order/4711"


@pytest.mark.parametrize("malformed", ["nonsense", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "~" * 4000])
async def test_a_malformed_traceparent_or_request_id_is_ignored(
    collector: Collector, tmp_path: Path, malformed: str
) -> None:
    async with serving(fake_bundle(tmp_path / "b"), traces="otlp") as served:
        await _stylize(served, ("traceparent", malformed), ("x-request-id", f"{malformed} and more"))
    assert collector.the(STYLIZE).parent == ""
    assert "caller_request_id" not in _call(served)


async def test_a_call_that_is_given_up_says_so_and_where_it_was(collector: Collector, tmp_path: Path) -> None:
    engine = Held()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, traces="otlp") as served:
        engine.holding = True
        call = served.stub.Stylize(pb.StylizeRequest(image=photo(), style_id="ink"))
        await engine.until_entered()
        call.cancel()
        while not [line for line in served.lines if line["event"] == "call"]:
            await asyncio.sleep(0.01)
        engine.release.set()
    span = collector.the(STYLIZE)
    assert span.facts["rpc.grpc.status_code"] == grpc.StatusCode.CANCELLED.value[0]
    assert not span.failed
    decode, paint = collector.children(span)
    assert (decode.name, decode.failed) == ("decode", False)
    assert (paint.name, paint.failed, paint.error) == ("paint", True, "called off")


async def test_an_engine_that_fails_is_an_error_of_the_server(collector: Collector, tmp_path: Path) -> None:
    engine = Broken()
    async with serving(fake_bundle(tmp_path / "b"), engine=engine, traces="otlp") as served:
        engine.error = EngineError("out of paint")
        await refusal(served.stylize())
    span = collector.the(STYLIZE)
    assert (span.facts["rpc.grpc.status_code"], span.failed) == (grpc.StatusCode.INTERNAL.value[0], True)
    assert [(child.name, child.error) for child in collector.children(span)][1:] == [("paint", "out of paint")]


async def test_neither_a_known_caller_nor_a_refused_one_leaves_its_token(collector: Collector, tmp_path: Path) -> None:
    known, unknown = new_token(), new_token()
    file = write_callers(tmp_path / "callers.toml", caller("web", known))
    async with serving(fake_bundle(tmp_path / "b"), traces="otlp", callers_file=file) as served:
        await _stylize(served, *bearer(known))
        await refusal(_stylize(served, *bearer(unknown)))
    served_one, refused_one = collector.named(STYLIZE)
    assert served_one.facts["impasto.caller"] == "web"
    assert refused_one.facts["rpc.grpc.status_code"] == grpc.StatusCode.UNAUTHENTICATED.value[0]
    assert not refused_one.failed
    for token in (known, unknown):
        assert token not in collector.text
        assert token not in served.log.getvalue()


async def test_health_checks_are_not_traced(collector: Collector, tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), traces="otlp") as served:
        await served.health.Check(health_pb2.HealthCheckRequest())
    assert collector.spans == []


async def test_a_result_that_was_at_hand_says_so(collector: Collector, tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b"), traces="otlp", cache_bytes=10_000_000) as served:
        await served.stylize()
        await served.stylize()
    assert [span.facts["impasto.hit"] for span in collector.named("lookup")] == [False, True]
    assert len(collector.named("engine")) == 1


async def test_a_job_keeps_the_span_that_made_it(collector: Collector, tmp_path: Path) -> None:
    async with serving_jobs(tmp_path, traces="otlp") as served:
        await served.create()
        claim = await served.claim()
    assert claim.job.traceparent[3:52] == f"{collector.the(CREATE).trace}-{collector.the(CREATE).id}"


def test_a_server_whose_collector_is_away_serves_and_ends_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with server_process(tmp_path, "--traces", "otlp", "--end-seconds", "4") as server:
        with Client(server.target) as client:
            for _ in range(5):
                client.stylize(photo(), "ink")
        server.wait_for("traces not sent")
        assert server.end() == 0
        assert 1 <= len(server.lines("traces not sent")) <= 2


async def test_a_server_without_the_extra_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "opentelemetry.py").write_text("raise ModuleNotFoundError(name='opentelemetry.sdk')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(absent), *sys.path]))
    bundle = fake_bundle(tmp_path / "b")
    status, errors = await outcome(
        "--bundle", str(bundle.path), "--traces", "otlp", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"
    )
    assert status == 1
    assert "opentelemetry.sdk is not installed; run: pip install 'impasto[tracing]'" in errors


def _stylize(served: Served, *metadata: tuple[str, str]) -> Any:
    return served.stub.Stylize(pb.StylizeRequest(image=photo(), style_id="ink"), metadata=metadata)


def _call(served: Served) -> dict[str, Any]:
    (line,) = [line for line in served.lines if line["event"] == "call"]
    return line
