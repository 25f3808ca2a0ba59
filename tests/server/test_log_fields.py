"""What docs/observability.md says of the fields of log lines, held against lines that were really logged."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2 as lro

from impasto.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from impasto.logs import make_log
from impasto.masks import Masking
from impasto.tracing.opening import open_tracing
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.identity.tokens import new_token
from tests.collector import Collector, collecting
from tests.core.masks import left_half, png
from tests.credentials import bearer, caller, write_callers
from tests.server.inference.support import request
from tests.server.job_support import ServedJobs, request_of, serving_jobs, succeed
from tests.server.support import photo, refusal
from tests.worker.support import Bench, add_job, open_store

PAGE = Path(__file__).parents[2] / "docs" / "observability.md"
EVERY_LINE = {"timestamp", "level", "event"}
TOKEN = new_token()
ME = (*bearer(TOKEN), ("x-request-id", "order-4711"))
MASK = png(left_half())
STAGES = {"decode_ms", "queue_ms", "engine_ms", "encode_ms"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        yield collector


def documented(heading: str) -> set[str]:
    """Return the fields in the tables of one section of the page."""
    _, _, section = PAGE.read_text().partition(f"### {heading}\n")
    rows = re.findall(r"^\| (`.+?) \|", re.split(r"^##", section, flags=re.MULTILINE)[0], flags=re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}


def in_lines(lines: Iterable[Mapping[str, Any]]) -> set[str]:
    return {name for line in lines for name in line} - EVERY_LINE


async def test_each_field_of_a_call_is_documented_and_each_that_is_documented_is_there(
    collector: Collector, tmp_path: Path
) -> None:
    callers = write_callers(tmp_path / "callers.toml", caller("web", TOKEN))
    async with serving_jobs(tmp_path, callers_file=callers, log_level="debug", traces="otlp") as served:
        await served.stub.Stylize(_painted(mask=pb.Mask(image=MASK)), metadata=ME)
        await refusal(served.stub.Stylize(_painted(style_id="unheard-of"), metadata=ME))
        await refusal(served.stub.Stylize(_painted()))
        await _stream(served)
        await _inference(served)
        await _job(served)
        lines = [line for line in served.lines if line["event"] in ("call", "photo")]

    assert in_lines(lines) == documented("Fields of a call")
    painted, refused, unknown, one, other, streamed, waited, read = (
        line for line in lines if line["method"].startswith("/impasto.v1.Stylizer/")
    )
    everywhere = {"request_id", "trace_id", "method", "code", "ms"}
    known = everywhere | {"caller_request_id", "caller"}
    assert painted.keys() - EVERY_LINE == known | STAGES | {
        *("style", "strength", "bundle", "photo_bytes", "photo_size", "mask_bytes", "working_size"),
        *("result_bytes", "result_size", "format", "batch", "total_ms"),
    }
    assert refused.keys() - EVERY_LINE == known | {"error"}
    assert unknown.keys() - EVERY_LINE == everywhere | {"why", "peer", "error"}
    assert {one["event"], other["event"]} == {"photo"}
    assert streamed.keys() - EVERY_LINE == known | STAGES | {"items", "items_failed", "photo_bytes", "result_bytes"}
    assert (streamed["items"], streamed["items_failed"]) == (2, 1)
    assert streamed["photo_bytes"] == len(photo())
    assert {"job", "paintings", "paintings_bytes", "paint_ms", "result_bytes"} <= waited.keys()
    assert read["read_offset"] == 0
    assert TOKEN not in served.log.getvalue()


def test_each_field_of_a_job_is_documented_and_each_that_is_documented_is_there(
    collector: Collector, tmp_path: Path
) -> None:
    jobs = open_store(tmp_path)
    tracing = open_tracing("otlp", "worker", make_log())
    bench = Bench(jobs, tracing=tracing)
    add_job(jobs, mask=Masking(), mask_file=png(left_half(48, 32)))
    add_job(jobs, photo=b"no photo")
    bench.attempt()
    bench.attempt()
    tracing.close(30)
    jobs.close()

    assert in_lines(bench.lines("job")) == documented("Fields of a job")


@pytest.mark.parametrize("heading", ["Fields of a call", "Fields of a job"])
def test_the_page_has_fields(heading: str) -> None:
    assert len(documented(heading)) > 15


def _painted(**others: Any) -> pb.StylizeRequest:
    return pb.StylizeRequest(**{"image": photo(), "style_id": "ink", **others})


async def _stream(served: ServedJobs) -> None:
    """Send two photos, of which one is none."""
    config = pb.StylizeStreamConfig(defaults=pb.StylizeRequest(style_id="ink"))
    call = served.stub.StylizeStream(metadata=ME)
    await call.write(pb.StylizeStreamRequest(config=config))
    for image in (photo(), b"no photo"):
        await call.write(pb.StylizeStreamRequest(item=pb.StylizeStreamItem(request=pb.StylizeRequest(image=image))))
    await call.done_writing()
    while await call.read() is not grpc.aio.EOF:
        pass


async def _inference(served: ServedJobs) -> None:
    """Have a photo painted by the Open Inference Protocol."""
    stub = GRPCInferenceServiceStub(served.channel)  # type: ignore[no-untyped-call]
    await stub.ModelInfer(request(("image", [photo()]), ("style", [b"ink"])), metadata=ME)


async def _job(served: ServedJobs) -> None:
    """Wait for a job within a call, and read its result."""
    waiting = served.stub.Stylize(request_of(), metadata=ME)
    claim = await served.claim()
    succeed(claim)
    await waiting
    name = f"operations/{claim.job.id}"
    await served.operations.GetOperation(lro.GetOperationRequest(name=name), metadata=ME)
    async for _ in served.stub.ReadStylization(pb.ReadStylizationRequest(name=name), metadata=ME):
        pass
