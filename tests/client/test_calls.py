"""Deadlines, retries and sizes: the same for both clients."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable

import pytest
from grpc import StatusCode

from impasto_client import (
    DeadlineExceeded,
    InvalidRequest,
    MessageTooLarge,
    ServerBusy,
    ServerUnavailable,
    StageTimes,
    Stylized,
)
from tests.client.servers import Call, bad_request, echo, error_info, retry_in, serving, stylize_async, stylize_sync

Stylize = Callable[..., Stylized]

both = pytest.mark.parametrize("stylize", [stylize_sync, stylize_async])

PHOTO_BYTES = 5 * 2**20
LONG = 60.0  # s; no test should take so long


@both
def test_a_painted_photo_comes_with_its_format_sizes_and_times(stylize: Stylize) -> None:
    with serving(echo) as server:
        painted = stylize(server.target, b"photo", format="webp")

    assert painted == Stylized(
        image=b"photo",
        format="webp",
        width=64,
        height=48,
        working_size=(32, 24),
        stage_times=StageTimes(decode=0.005, queue=0.0, engine=1.5, encode=0.0),
    )
    assert painted.media_type == "image/webp"


@both
def test_a_call_ends_when_its_deadline_passes(stylize: Stylize) -> None:
    def never(call: Call) -> None:
        call.released.wait(LONG)

    with serving(never) as server, pytest.raises(DeadlineExceeded, match=r"within 0\.3 s") as raised:
        stylize(server.target, timeout=0.3)

    assert raised.value.status is StatusCode.DEADLINE_EXCEEDED
    assert raised.value.__cause__ is not None
    assert len(server.calls) == 1


@both
def test_a_photo_of_5_mb_is_sent_again_until_the_server_is_available(stylize: Stylize) -> None:
    photo = os.urandom(PHOTO_BYTES)

    def unavailable_twice(call: Call) -> object:
        if call.number < 3:
            call.fail(StatusCode.UNAVAILABLE, "restarting")
        return echo(call)

    with serving(unavailable_twice) as server:
        painted = stylize(server.target, photo, timeout=LONG)

    assert painted.image == photo
    assert [len(call.request.image) for call in server.calls] == [PHOTO_BYTES] * 3


@both
def test_a_server_that_stays_unavailable_is_given_up(stylize: Stylize) -> None:
    def unavailable(call: Call) -> None:
        call.fail(StatusCode.UNAVAILABLE, "restarting")

    with serving(unavailable) as server, pytest.raises(ServerUnavailable, match="restarting"):
        stylize(server.target, timeout=LONG)

    assert len(server.calls) == 5


@both
def test_retries_end_with_the_deadline(stylize: Stylize) -> None:
    def unavailable_for_a_minute(call: Call) -> None:
        call.context.set_trailing_metadata((("grpc-retry-pushback-ms", "60000"),))
        call.context.abort(StatusCode.UNAVAILABLE, "restarting")

    with serving(unavailable_for_a_minute) as server, pytest.raises(DeadlineExceeded):
        stylize(server.target, timeout=0.5)

    assert len(server.calls) == 1


@both
def test_nothing_that_the_server_refuses_is_tried_again(stylize: Stylize) -> None:
    def refuse(call: Call) -> None:
        call.fail(StatusCode.INVALID_ARGUMENT, "no", bad_request("strength", "2.0 is out of range"))

    with serving(refuse) as server, pytest.raises(InvalidRequest):
        stylize(server.target, strength=2.0)

    assert len(server.calls) == 1


@both
def test_a_busy_server_is_tried_again_when_it_says_when(stylize: Stylize) -> None:
    def busy_once(call: Call) -> object:
        if call.number == 1:
            call.fail(StatusCode.RESOURCE_EXHAUSTED, "full", error_info("SERVER_BUSY"), retry_in(0.1))
        return echo(call)

    with serving(busy_once) as server:
        painted = stylize(server.target, timeout=LONG)

    assert painted.image == b"photo"
    assert len(server.calls) == 2


@both
def test_a_busy_server_is_not_waited_for_beyond_the_deadline(stylize: Stylize) -> None:
    def busy(call: Call) -> None:
        call.fail(StatusCode.RESOURCE_EXHAUSTED, "full", retry_in(3600))

    with serving(busy) as server, pytest.raises(ServerBusy, match="full") as raised:
        stylize(server.target, timeout=LONG)

    assert raised.value.retry_after == 3600
    assert len(server.calls) == 1


@both
def test_a_busy_server_that_says_nothing_more_is_not_tried_again(stylize: Stylize) -> None:
    def busy(call: Call) -> None:
        call.fail(StatusCode.RESOURCE_EXHAUSTED, "full")

    with serving(busy) as server, pytest.raises(ServerBusy) as raised:
        stylize(server.target)

    assert raised.value.retry_after is None
    assert len(server.calls) == 1


@both
def test_a_reply_of_8_mb_arrives(stylize: Stylize) -> None:
    photo = os.urandom(8 * 2**20)

    with serving(echo) as server:
        assert stylize(server.target, photo, timeout=LONG).image == photo


@both
def test_a_photo_that_the_transport_refuses_is_told_from_a_busy_server(stylize: Stylize) -> None:
    def refuse(call: Call) -> None:
        call.fail(StatusCode.RESOURCE_EXHAUSTED, "SERVER: Received message larger than max (9 vs. 4)")

    with serving(refuse) as server, pytest.raises(MessageTooLarge, match="larger than max"):
        stylize(server.target)

    assert len(server.calls) == 1


@both
def test_nobody_listening_is_found_long_before_the_deadline(stylize: Stylize) -> None:
    with socket.socket() as reserved:  # bound, so that nobody else takes the port, but not listening
        reserved.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{reserved.getsockname()[1]}"

        with pytest.raises(ServerUnavailable, match=rf"{target} is unavailable: .*[Cc]onnection refused") as raised:
            stylize(target, timeout=LONG)

    assert raised.value.status is StatusCode.UNAVAILABLE


@both
@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_there_is_no_call_without_a_deadline(stylize: Stylize, timeout: float) -> None:
    with serving(echo) as server, pytest.raises(InvalidRequest, match="timeout"):
        stylize(server.target, timeout=timeout)

    assert server.calls == []
