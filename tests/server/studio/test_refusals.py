"""What browsers are told of calls that gRPC refuses."""

from __future__ import annotations

import grpc
from connectrpc.code import Code
from google.rpc.error_details_pb2 import RetryInfo

from impasto_server.studio.refusals import refusal_of


def failure(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


def test_a_call_that_was_refused_while_it_was_sent_is_to_be_made_again_although_its_own_status_is_lost() -> None:
    refusal = refusal_of(failure(grpc.StatusCode.INTERNAL, "Internal error from Core"))

    assert refusal.code is Code.RESOURCE_EXHAUSTED
    assert "refused before it was read" in str(refusal)
    (told,) = [one.message_bytes for one in refusal.details if one.type_name == "google.rpc.RetryInfo"]
    assert RetryInfo.FromString(told).retry_delay.seconds == 1


def test_another_fault_of_the_server_stays_one() -> None:
    refusal = refusal_of(failure(grpc.StatusCode.INTERNAL, "unexpected error 4711"))

    assert refusal.code is Code.INTERNAL
    assert not refusal.details
