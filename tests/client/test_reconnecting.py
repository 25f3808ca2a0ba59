"""Connections that break, servers that go and come back: the work survives, and the caller hardly notices."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from threading import Event, Thread
from typing import Any

import pytest
from grpc import StatusCode

from impasto_client import (
    DeadlineExceeded,
    ImpastoClientError,
    JobState,
    Painting,
    ServerUnavailable,
    channel,
)
from tests.client.job_servers import LONG, ScriptedJobs
from tests.client.proxies import faulty
from tests.client.servers import Call, both_clients, echo, error_info, retry_in, serving

PAINTING = Painting(b"painting")


@both_clients
def test_a_watch_goes_on_with_the_server_that_came_back(connect: Any) -> None:
    jobs = ScriptedJobs()
    lost: list[ImpastoClientError] = []

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        updates = client.watch(name, timeout=LONG, on_lost=lost.append)
        first = next(updates)
        server.stop()
        jobs.paint(name, 7)
        jobs.succeed(name)
        with serving(jobs, server.port):
            rest = [update.job for update in updates]

    assert first.job.state is JobState.QUEUED
    assert [(job.state, job.progress.step) for job in rest] == [(JobState.SUCCEEDED, 7)]
    assert all(isinstance(error, ServerUnavailable) for error in lost)


@both_clients
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (StatusCode.UNAVAILABLE, "Socket closed"),
        (StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
        (StatusCode.DEADLINE_EXCEEDED, "stream timeout"),  # of a proxy; ours has not passed
    ],
)
def test_a_watch_that_breaks_is_opened_again_and_tells_nothing_twice(connect: Any, code: StatusCode, text: str) -> None:
    jobs = ScriptedJobs()

    def broken_twice(call: Call) -> Any:
        if call.method == "WatchStylization":
            if len(server.requests(call.method)) <= 2:
                return broken(call)
            jobs.succeed(jobs.names[0])
        return jobs(call)

    def broken(call: Call) -> Iterator[Any]:
        yield next(jobs(call))
        call.fail(code, text)

    with serving(broken_twice) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        lost: list[ImpastoClientError] = []
        first, *rest = client.watch(name, timeout=LONG, on_lost=lost.append)

    assert first.job.state is JobState.QUEUED
    assert [update.job.state for update in rest] == [JobState.SUCCEEDED]
    assert len(lost) == 2
    assert all(text in str(error) for error in lost)


@both_clients
def test_a_connection_that_dies_without_a_word_is_noticed(connect: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_PING_AFTER", 1000)
    monkeypatch.setattr(channel, "_PING_TIMEOUT", 1000)
    jobs = ScriptedJobs()

    with serving(jobs) as server, faulty(server.port) as proxy, connect(proxy.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        updates = client.watch(name, timeout=LONG)
        next(updates)
        proxy.unplug()
        jobs.succeed(name)
        last = next(updates)

    assert last.job.state is JobState.SUCCEEDED


@both_clients
def test_waiting_outlasts_a_server_that_is_away_from_the_start(connect: Any) -> None:
    jobs = ScriptedJobs()
    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
    jobs.succeed(name)
    back = Event()

    def serve_later() -> None:
        back.wait(LONG)
        with serving(jobs, server.port):
            done.wait(LONG)

    done = Event()
    later = Thread(target=serve_later)
    later.start()
    try:
        with connect(server.target) as client:
            with pytest.raises(ServerUnavailable):
                client.job(name)
            back.set()
            assert client.wait(name, timeout=LONG).state is JobState.SUCCEEDED
    finally:
        back.set()
        done.set()
        later.join()


@both_clients
def test_a_wait_ends_when_its_time_is_up_and_says_that_the_job_goes_on(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        with pytest.raises(DeadlineExceeded, match=rf"{name} was not done within 0\.3 s, and goes on$") as raised:
            client.wait(name, timeout=0.3)

    assert raised.value.operation == name


@both_clients
def test_a_wait_for_a_server_that_stays_away_ends_when_its_time_is_up(connect: Any) -> None:
    with socket.socket() as reserved:  # bound, so that nobody else takes the port, but not listening
        reserved.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{reserved.getsockname()[1]}"
        with connect(target) as client, pytest.raises(DeadlineExceeded, match="operations/5f0c was not done") as raised:
            client.wait("5f0c", timeout=1)

    assert raised.value.operation == "operations/5f0c"


@both_clients
def test_a_broken_download_goes_on_with_the_byte_that_is_due(connect: Any) -> None:
    jobs = ScriptedJobs()
    image = os.urandom(3500)

    def broken_once(call: Call) -> Any:
        first = call.method == "ReadStylization" and len(server.requests(call.method)) == 1
        return broken(call) if first else jobs(call)

    def broken(call: Call) -> Iterator[Any]:
        replies = jobs(call)
        yield next(replies)
        yield next(replies)
        call.fail(StatusCode.UNAVAILABLE, "Socket closed")

    with serving(broken_once) as server, connect(server.target) as client:
        name = client.create_job(b"photo", PAINTING).name
        jobs.succeed(name, image)
        result = client.result(name)

    assert result.image == image
    assert [request.read_offset for request in server.requests("ReadStylization")] == [0, 2000]


@both_clients
def test_a_call_whose_deadline_passes_names_the_job_and_its_result_is_fetched(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        with pytest.raises(DeadlineExceeded, match=r"was not done within 0\.5 s, and goes on") as raised:
            client.stylize(b"photo", PAINTING, timeout=0.5)
        name = raised.value.operation or ""
        jobs.succeed(name, b"picture")
        client.wait(name)
        result = client.result(name)

    assert jobs.names == [name]
    assert result.image == b"picture"


@both_clients
def test_a_call_that_loses_the_server_takes_up_its_job_again(connect: Any) -> None:
    jobs = ScriptedJobs()

    def lost_once(call: Call) -> Any:
        if call.number == 1:
            jobs.paint(f"operations/{jobs.make(call.request)}", 1)
            call.context.send_initial_metadata((("impasto-operation", jobs.names[0]),))
            call.fail(StatusCode.UNAVAILABLE, "Socket closed")
        jobs.succeed(jobs.names[0], b"picture")
        return jobs(call)

    with serving(lost_once) as server, connect(server.target) as client:
        result = client.stylize(b"photo", PAINTING, timeout=LONG)

    assert result.image == b"picture"
    first, second = server.requests("Stylize")
    assert first == second
    assert len(jobs.names) == 1


@both_clients
def test_a_request_that_is_sent_again_does_not_make_a_second_job(connect: Any) -> None:
    jobs = ScriptedJobs()

    def unheard_twice(call: Call) -> Any:
        answer = jobs(call)
        if call.number < 3:
            call.fail(StatusCode.UNAVAILABLE, "the reply got lost")
        return answer

    with serving(unheard_twice) as server, connect(server.target) as client:
        made = client.create_job(b"photo", PAINTING, timeout=LONG)

    requests = server.requests("CreateStylization")
    assert len(requests) == 3
    assert len({request.stylize.request_id for request in requests}) == 1
    assert jobs.names == [made.name]


@both_clients
def test_two_requests_are_two_jobs_unless_they_share_an_id(connect: Any) -> None:
    jobs = ScriptedJobs()

    with serving(jobs) as server, connect(server.target) as client:
        names = [client.create_job(b"photo", PAINTING, request_id=id).name for id in (None, None, "mine", "mine")]  # noqa: A001

    assert len(set(names)) == 3
    assert names[2] == names[3]
    assert [request.stylize.request_id for request in server.requests("CreateStylization")][2:] == ["mine", "mine"]


@both_clients
@pytest.mark.parametrize(
    ("code", "text"),
    [
        (StatusCode.UNKNOWN, "Stream removed"),
        (StatusCode.INTERNAL, "Received RST_STREAM"),
        (StatusCode.CANCELLED, "CANCELLED"),  # of a server that stops
    ],
)
def test_a_call_whose_answer_breaks_in_the_middle_is_made_again(connect: Any, code: StatusCode, text: str) -> None:
    def broken_twice(call: Call) -> Any:
        if call.number <= 2:
            call.fail(code, text)
        return echo(call)

    with serving(broken_twice) as server, connect(server.target) as client:
        assert client.stylize(b"photo", "ink").image == b"photo"
    assert len(server.calls) == 3


@both_clients
def test_a_call_whose_answer_breaks_each_time_is_given_up(connect: Any) -> None:
    def broken(call: Call) -> Any:
        call.fail(StatusCode.UNKNOWN, "Stream removed")

    with (
        serving(broken) as server,
        connect(server.target) as client,
        pytest.raises(ServerUnavailable, match="Stream removed"),
    ):
        client.stylize(b"photo", "ink")
    assert len(server.calls) == 4


@both_clients
def test_a_server_that_warms_up_is_tried_again_when_it_says_for_as_long_as_it_takes(connect: Any) -> None:
    def cold(call: Call) -> Any:
        if call.number <= 6:  # more than gRPC's own tries
            call.fail(StatusCode.UNAVAILABLE, "warming up", error_info("NOT_READY"), retry_in(0.05))
        return echo(call)

    with serving(cold) as server, connect(server.target) as client:
        assert client.stylize(b"photo", "ink").image == b"photo"


@both_clients
def test_a_job_store_that_is_away_is_told_of_at_once(connect: Any) -> None:
    def away(call: Call) -> Any:
        call.fail(StatusCode.UNAVAILABLE, "the job store is away", error_info("STORE_UNAVAILABLE"), retry_in(0.05))

    with (
        serving(away) as server,
        connect(server.target) as client,
        pytest.raises(ServerUnavailable, match="the job store is away"),
    ):
        client.create_job(b"photo", PAINTING)
    assert len(server.calls) == 5  # gRPC's own tries
