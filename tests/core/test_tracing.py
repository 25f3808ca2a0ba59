"""Traces: off they are nothing, on they reach a real collector, and one that is away costs nobody anything."""

from __future__ import annotations

import io
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from time import perf_counter
from typing import Any

import pytest

from impasto import __version__
from impasto.errors import InvalidInput, MissingDependency
from impasto.logs import make_log
from impasto.tracing import NO_SPAN, OFF, Kind, Span, Stage, Tracing, current_span, use
from impasto.tracing.ambient import ambient_tracing
from impasto.tracing.opening import open_tracing
from tests.collector import Collector, collecting, environment

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PROGRAMS = ("impasto_client", "impasto_client.cli", "impasto_server.main", "impasto_worker.main")
SECOND = 10**9  # ns


class Traces:
    """An open tracing, and what it logs."""

    def __init__(self) -> None:
        self.text = io.StringIO()
        self.tracing: Tracing = open_tracing("otlp", "painter", make_log(stream=self.text))

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.getvalue().splitlines()]

    def close(self, seconds: float = 30.0) -> None:
        self.tracing.close(seconds)


def is_sampled(span: Span) -> bool:
    """Return what the server that is called next is told."""
    return bool(int(span.traceparent[-2:], 16) & 1)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Return a collector to which this process sends."""
    with collecting() as collector:
        for name, value in collector.environment.items():
            monkeypatch.setenv(name, value)
        yield collector


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process send to a port at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        for name, value in environment(taken.getsockname()[1]).items():
            monkeypatch.setenv(name, value)
        yield


def test_what_is_not_traced_asks_for_no_facts_and_has_nothing_to_send_on() -> None:
    def never() -> dict[str, object]:
        raise AssertionError

    span = open_tracing("off", "painter", make_log()).begin("call", kind=Kind.SERVER, traceparent=PARENT)
    span.tell(never)
    span.begin("photo").add([Stage("decode", 0.0, 1.0)])
    span.link(PARENT)
    span.end(failed=True)
    OFF.add([Stage("queue", 0.0, 1.0)], traceparent=PARENT)
    OFF.close(0)

    assert span is NO_SPAN
    assert (span.traceparent, span.headers, dict(span.notes)) == ("", (), {})


@pytest.mark.parametrize("module", PROGRAMS)
def test_programs_do_not_load_the_library_unless_they_are_asked_to(module: str) -> None:
    script = f"import sys, {module}; print(*(name for name in sys.modules if name.startswith('opentelemetry')))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)

    assert done.stdout.strip() == ""


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "impasto.tracing.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)

    with pytest.raises(MissingDependency, match=r"is not installed; run: pip install 'impasto\[tracing\]'"):
        open_tracing("otlp", "painter", make_log())


def test_a_span_and_its_stages_reach_the_collector_with_their_times(collector: Collector) -> None:
    traces, before = Traces(), time.time_ns()
    begun = perf_counter()
    span = traces.tracing.begin("call", kind=Kind.SERVER, facts={"rpc.system": "grpc"})
    span.add(
        [
            Stage("decode", begun, begun + 0.25),
            Stage("engine", begun + 0.25, begun + 2.0, {"batch": 3, "hit": True, "none": None}, error="it broke"),
        ]
    )
    span.tell(lambda: {"style": "ink", "strength": 0.5})
    span.end(failed=True)
    traces.close()

    call, decode, engine = collector.the("call"), collector.the("decode"), collector.the("engine")
    assert (call.kind, call.parent, call.failed, call.service) == ("server", "", True, "painter")
    assert call.facts == {"rpc.system": "grpc", "impasto.style": "ink", "impasto.strength": 0.5}
    assert before <= call.begun <= call.ended <= time.time_ns()
    assert collector.children(call) == [decode, engine]
    assert {span.trace for span in collector.spans} == {call.trace}
    assert decode.ended - decode.begun == pytest.approx(0.25 * SECOND, abs=1000)
    assert engine.begun == decode.ended
    assert engine.ended - engine.begun == pytest.approx(1.75 * SECOND, abs=1000)
    assert abs(decode.begun - call.begun) < SECOND
    assert (engine.failed, engine.error) == (True, "it broke")
    assert engine.facts == {"impasto.batch": 3, "impasto.hit": True}
    assert span.notes == {"trace_id": call.trace}
    assert span.headers == (("traceparent", span.traceparent),)
    assert span.traceparent.startswith(f"00-{call.trace}-{call.id}-")
    assert is_sampled(span)
    assert traces.lines == []


def test_a_span_goes_on_with_the_trace_that_its_caller_sent(collector: Collector) -> None:
    traces = Traces()
    span = traces.tracing.begin("call", traceparent=PARENT)
    span.begin("photo").end()
    span.end()
    traces.tracing.add([Stage("queue", perf_counter() - 1, perf_counter())], traceparent=PARENT)
    traces.close()

    call, photo, queue = collector.the("call"), collector.the("photo"), collector.the("queue")
    assert {span.trace for span in collector.spans} == {PARENT.split("-")[1]}
    assert (call.parent, queue.parent, photo.parent) == (PARENT.split("-")[2], PARENT.split("-")[2], call.id)


@pytest.mark.parametrize(
    "malformed",
    [
        "nonsense",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        f"{PARENT}-more",
        PARENT + "0" * 10_000,
    ],
)
def test_a_malformed_traceparent_is_no_parent_and_no_link(collector: Collector, malformed: str) -> None:
    traces = Traces()
    span = traces.tracing.begin("call", traceparent=malformed)
    span.link(malformed)
    span.end()
    traces.tracing.add([Stage("queue", 0.0, 1.0)], traceparent=malformed)
    traces.close()

    assert collector.names == ["call"]
    assert (collector.the("call").parent, collector.the("call").links) == ("", ())
    assert traces.lines == []


def test_a_link_points_at_another_trace(collector: Collector) -> None:
    traces = Traces()
    span = traces.tracing.begin("watch")
    span.link(PARENT)
    span.link(PARENT)
    span.end()
    traces.close()

    assert collector.the("watch").links == (PARENT.split("-")[2],)


def test_what_a_sampler_leaves_out_is_not_sent_and_others_are_told(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
    traces = Traces()
    left_out = traces.tracing.begin("call")
    left_out.add([Stage("decode", 0.0, 1.0)])
    left_out.end()
    traces.tracing.begin("wanted", traceparent=PARENT).end()
    traces.close()

    assert collector.names == ["wanted"]
    assert not is_sampled(left_out)
    assert (dict(left_out.headers), dict(left_out.notes)) == ({"traceparent": left_out.traceparent}, {})


def test_opentelemetrys_variables_say_what_spans_come_from(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "atelier")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "host.name=easel,deployment.environment.name=test")
    traces = Traces()
    traces.tracing.begin("call").end()
    traces.close()

    (resource,) = collector.resources
    names = ("service.name", "service.version", "host.name", "deployment.environment.name")
    assert [resource[name] for name in names] == ["atelier", __version__, "easel", "test"]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "'http/protobuf' is not supported; give grpc"),
        ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "'http/json' is not supported; give grpc"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon", "could not convert string to float: 'soon'"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zip", 'Invalid value "zip" for compression'),
    ],
)
def test_a_variable_that_cannot_be_used_is_told_of(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(InvalidInput, match=said):
        Traces()


def test_a_collector_that_is_away_takes_neither_time_nor_memory_nor_the_log(
    nobody: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "64")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "64")
    traces = Traces()
    for _ in range(2000):
        traces.tracing.begin("call").end()
    deadline = time.monotonic() + 30
    while not traces.lines and time.monotonic() < deadline:
        time.sleep(0.02)
    begun = time.monotonic()
    traces.close(1.0)

    assert time.monotonic() - begun < 10
    assert 1 <= len(traces.lines) <= 2  # and one more of the end
    assert {(line["event"], line["level"]) for line in traces.lines} == {("traces not sent", "warning")}


def test_what_the_library_says_after_that_goes_where_all_libraries_logs_go(nobody: None) -> None:
    traces = Traces()
    assert not logging.getLogger("opentelemetry").propagate
    traces.close()

    assert logging.getLogger("opentelemetry").propagate


def test_the_current_span_is_none_until_one_is_used(collector: Collector) -> None:
    traces = Traces()
    assert current_span() is NO_SPAN
    span = traces.tracing.begin("call")
    use(span)
    try:
        assert current_span() is span
    finally:
        use(NO_SPAN)
        traces.close()


def test_an_application_without_a_provider_is_not_traced() -> None:
    span = ambient_tracing("library", "1").begin("call")

    assert span is NO_SPAN


def test_an_application_that_has_not_loaded_the_library_does_not_load_it_either() -> None:
    script = (
        "import sys; from impasto.tracing import OFF; from impasto.tracing.ambient import ambient_tracing; "
        "assert ambient_tracing('library', '1') is OFF; "
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]"
    )
    subprocess.run([sys.executable, "-c", script], timeout=120, check=True)
