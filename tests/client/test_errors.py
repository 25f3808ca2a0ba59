"""What becomes of a server's error."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import RequestInfo
from grpc import StatusCode

from impasto_client import (
    ImpastoClientError,
    InvalidRequest,
    ServerFault,
    StyleUnknown,
    Unimplemented,
)
from tests.client.servers import Call, bad_request, error_info, serving, stylize_async, stylize_sync


def test_a_bad_argument_names_its_field() -> None:
    def refuse(call: Call) -> None:
        call.fail(StatusCode.INVALID_ARGUMENT, "bad", error_info("X"), bad_request("strength", "2.0 is out of range"))

    with serving(refuse) as server, pytest.raises(InvalidRequest, match=r"^strength: 2\.0 is out of range$") as raised:
        stylize_sync(server.target)

    assert (raised.value.field, raised.value.reason) == ("strength", "2.0 is out of range")
    assert raised.value.status is StatusCode.INVALID_ARGUMENT
    assert isinstance(raised.value.__cause__, grpc.RpcError)


def test_a_bad_argument_without_details_keeps_the_message() -> None:
    def refuse(call: Call) -> None:
        call.fail(StatusCode.INVALID_ARGUMENT, "no such thing")

    with serving(refuse) as server, pytest.raises(InvalidRequest, match=r"^no such thing$") as raised:
        stylize_sync(server.target)

    assert raised.value.field == ""


def test_an_unknown_style_comes_with_those_there_are() -> None:
    def missing(call: Call) -> None:
        call.fail(StatusCode.NOT_FOUND, "no style 'inc'", error_info("STYLE_NOT_FOUND", available="ink,gold"))

    with serving(missing) as server, pytest.raises(StyleUnknown, match="no style 'inc'") as raised:
        stylize_async(server.target, style="inc")

    assert raised.value.available == ["gold", "ink"]


def test_a_fault_keeps_the_id_that_the_server_logged() -> None:
    def fail(call: Call) -> None:
        call.fail(StatusCode.INTERNAL, "internal error", RequestInfo(request_id="7f3a"))

    with serving(fail) as server, pytest.raises(ServerFault, match="internal error") as raised:
        stylize_async(server.target)

    assert raised.value.id == "7f3a"
    assert raised.value.status is StatusCode.INTERNAL


def test_a_handler_that_crashes_is_a_fault_too() -> None:
    def crash(call: Call) -> None:
        raise RuntimeError("bug")

    with serving(crash) as server, pytest.raises(ServerFault) as raised:
        stylize_sync(server.target)

    assert raised.value.id == ""


def test_an_ability_that_the_server_lacks() -> None:
    def lack(call: Call) -> None:
        call.fail(StatusCode.UNIMPLEMENTED, "style images")

    with serving(lack) as server, pytest.raises(Unimplemented, match="style images"):
        stylize_sync(server.target)


def test_any_other_status_is_the_root_error() -> None:
    def abort(call: Call) -> None:
        call.fail(StatusCode.ABORTED, "not now")

    with serving(abort) as server, pytest.raises(ImpastoClientError, match="ABORTED: not now") as raised:
        stylize_sync(server.target)

    assert type(raised.value) is ImpastoClientError
    assert raised.value.status is StatusCode.ABORTED


def test_details_that_do_not_belong_to_the_status_are_ignored() -> None:
    def garble(call: Call) -> None:
        call.context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff"),))
        call.context.abort(StatusCode.INVALID_ARGUMENT, "bad")

    with serving(garble) as server, pytest.raises(InvalidRequest, match=r"^bad$"):
        stylize_sync(server.target)
