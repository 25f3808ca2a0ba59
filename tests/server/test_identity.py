"""Who may call: tokens, roles, and whose jobs are whose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.longrunning import operations_pb2 as lro
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_health.v1.health_pb2 import HealthCheckRequest
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from impasto.v1 import admin_pb2
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.identity.roles import Role, needed_role
from impasto_server.identity.tokens import new_token
from tests.credentials import bearer, caller, write_callers
from tests.server.job_support import ServedJobs, request_of, serving_jobs, step, succeed
from tests.server.support import Held, Served, connect, detail, photo, reason, refusal, serving
from tests.support import fake_bundle

WEB, BATCH = new_token(), new_token()
PAINT = pb.StylizeRequest(image=photo(), style_id="ink")


async def styles(served: Served, metadata: Any) -> pb.ListStylesResponse:
    response: pb.ListStylesResponse = await served.stub.ListStyles(pb.ListStylesRequest(), metadata=metadata)
    return response


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not what():
            await asyncio.sleep(0.02)


async def test_a_caller_with_a_token_is_served_and_named_in_the_log(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:
        response = await served.stub.Stylize(PAINT, metadata=bearer(WEB))
    assert response.image
    (line,) = [line for line in served.lines if line["event"] == "call"]
    assert line["caller"] == "web"


EXPIRED = new_token()


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        bearer(new_token()),
        bearer(EXPIRED),
        bearer(WEB[:-1]),
        bearer(WEB.swapcase()),
        bearer(""),
        (("authorization", WEB),),
        (("authorization", f"Basic {WEB}"),),
        (*bearer(WEB), *bearer(WEB)),
        (("authorization", f"Bearer {'x' * 4000}"),),
    ],
    ids=[
        "none",
        "unknown",
        "expired",
        "cut short",
        "altered",
        "empty",
        "no scheme",
        "another scheme",
        "two",
        "far too long",
    ],
)
async def test_whoever_is_not_known_is_told_the_same_sentence(tmp_path: Path, metadata: Any) -> None:
    expired = caller("gone", EXPIRED, expires="2020-01-01T00:00:00Z")
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB), expired)
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:
        error = await refusal(styles(served, metadata))
    assert error.code() is grpc.StatusCode.UNAUTHENTICATED
    assert error.details() == (
        "only known callers are served: send a token that is valid, as `authorization: Bearer TOKEN`, or connect with "
        "a client certificate that the server knows"
    )
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    assert status
    (info,) = status.details
    assert info.Is(ErrorInfo.DESCRIPTOR)
    assert reason(error) == "impasto/CALLER_UNKNOWN"
    (line,) = [line for line in served.lines if line["event"] == "call"]
    assert line["code"] == "UNAUTHENTICATED"
    assert line["peer"].startswith("ipv4:127.0.0.1:")
    assert line["why"]


async def test_the_scheme_is_understood_in_any_case(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:
        await styles(served, (("authorization", f"bearer {WEB}"),))


async def test_who_is_not_known_is_refused_before_the_request_is_read(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB))

    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:
        for method in ("Stylize", "StylizeStream", "CreateStylization"):
            call: Any = served.channel.stream_unary(f"/impasto.v1.Stylizer/{method}")
            call = call(never())
            assert (await refusal(call)).code() is grpc.StatusCode.UNAUTHENTICATED


METHODS = [
    ("Stylize", PAINT, Role.STYLIZE),
    ("ListStyles", pb.ListStylesRequest(), Role.STYLIZE),
    ("GetStyle", pb.GetStyleRequest(name="ink"), Role.STYLIZE),
    ("CreateStylization", pb.CreateStylizationRequest(stylize=request_of()), Role.JOBS),
    ("WatchStylization", pb.WatchStylizationRequest(name="operations/x"), Role.JOBS),
    ("ReadStylization", pb.ReadStylizationRequest(name="operations/x"), Role.JOBS),
]


@pytest.mark.parametrize(("method", "request_", "role"), METHODS, ids=[method for method, _, _ in METHODS])
async def test_who_has_not_the_role_is_told_which_it_would_need(
    tmp_path: Path, method: str, request_: Any, role: Role
) -> None:
    others = ",".join(sorted({*Role} - {role}))
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB, others))
    async with serving_jobs(tmp_path, callers_file=file, store=False) as served:
        call = getattr(served.stub, method)(request_, metadata=bearer(WEB))
        error = await refusal(call if isinstance(call, Awaitable) else call.read())
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert f"the role {role}, which web does not have" in (error.details() or "")
    assert reason(error) == "impasto/ROLE_MISSING"
    assert dict(detail(error, ErrorInfo).metadata) == {"role": role}


async def test_operations_and_streams_need_their_roles(tmp_path: Path) -> None:
    paints, queues = caller("paints", WEB, "stylize"), caller("queues", BATCH, "jobs")
    file = write_callers(tmp_path / "callers.toml", paints, queues)
    async with serving_jobs(tmp_path, callers_file=file, store=False) as served:
        listing = served.operations.ListOperations(lro.ListOperationsRequest(), metadata=bearer(WEB))
        assert (await refusal(listing)).code() is grpc.StatusCode.PERMISSION_DENIED
        stream = served.stub.StylizeStream(metadata=bearer(BATCH))
        assert (await refusal(stream.read())).code() is grpc.StatusCode.PERMISSION_DENIED


async def test_painting_in_the_style_of_any_picture_needs_the_role_jobs_as_well(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB, "stylize"))
    async with serving_jobs(tmp_path, callers_file=file) as served:
        assert (await served.stub.Stylize(PAINT, metadata=bearer(WEB))).image
        error = await refusal(served.stub.Stylize(request_of(), metadata=bearer(WEB)))
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert detail(error, ErrorInfo).metadata["role"] == "jobs"


def test_every_method_of_ours_is_in_the_table_of_roles() -> None:
    stylizer, admin = pb.DESCRIPTOR.services_by_name["Stylizer"], admin_pb2.DESCRIPTOR.services_by_name["Admin"]
    needed = {needed_role(f"/{stylizer.full_name}/{method.name}") for method in stylizer.methods}
    assert needed == {Role.STYLIZE, Role.JOBS}
    assert {needed_role(f"/{admin.full_name}/{method.name}") for method in admin.methods} == {Role.ADMIN}
    operations = lro.DESCRIPTOR.services_by_name["Operations"]
    assert {needed_role(f"/{operations.full_name}/{method.name}") for method in operations.methods} == {Role.JOBS}


def test_a_method_that_the_table_does_not_know_is_for_administrators() -> None:
    assert needed_role("/impasto.v1.Stylizer/Forgotten") is Role.ADMIN
    assert needed_role("/another.Service/Method") is Role.ADMIN
    assert needed_role("nonsense") is Role.ADMIN


async def test_health_and_reflection_are_open_to_everyone(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB))
    async with serving(fake_bundle(tmp_path / "b"), callers_file=file) as served:
        await served.health.Check(HealthCheckRequest())
        await served.health.Check(HealthCheckRequest(), metadata=bearer("nonsense"))
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(served.channel)  # type: ignore[arg-type]
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        async for response in stub.ServerReflectionInfo(iter([request])):
            assert response.list_services_response.service


async def test_without_a_callers_file_everyone_may_paint_and_make_jobs_and_a_token_is_ignored(tmp_path: Path) -> None:
    async with serving_jobs(tmp_path) as served:
        await served.stylize()
        operation = await served.create()
        assert [operation.name] == await served.names()
        await styles(served, bearer("nonsense"))
    assert {line["caller"] for line in served.lines if line["event"] == "call"} == {"anonymous"}


def is_unknown(error: grpc.aio.AioRpcError) -> bool:
    return error.code() is grpc.StatusCode.NOT_FOUND and reason(error) == "impasto/JOB_NOT_FOUND"


async def test_a_caller_sees_its_own_jobs_only(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB), caller("batch", BATCH))
    async with serving_jobs(tmp_path, callers_file=file) as served:
        name = await created(served, WEB)
        claim = await served.claim()
        step(claim, 1)
        succeed(claim)

        async def ask(token: str, call: Any, request: Any) -> Any:
            return await call(request, metadata=bearer(token))

        operations, listed = served.operations, lro.ListOperationsRequest()
        assert [one.name for one in (await ask(WEB, operations.ListOperations, listed)).operations] == [name]
        assert not (await ask(BATCH, operations.ListOperations, listed)).operations
        for call, request in (
            (operations.GetOperation, lro.GetOperationRequest(name=name)),
            (operations.WaitOperation, lro.WaitOperationRequest(name=name)),
            (operations.CancelOperation, lro.CancelOperationRequest(name=name)),
            (operations.DeleteOperation, lro.DeleteOperationRequest(name=name)),
        ):
            assert is_unknown(await refusal(ask(BATCH, call, request)))
        for call, request in (
            (served.stub.WatchStylization, pb.WatchStylizationRequest(name=name)),
            (served.stub.ReadStylization, pb.ReadStylizationRequest(name=name)),
        ):
            assert is_unknown(await refusal(call(request, metadata=bearer(BATCH)).read()))
            assert await call(request, metadata=bearer(WEB)).read()
        await ask(WEB, operations.DeleteOperation, lro.DeleteOperationRequest(name=name))


async def created(served: ServedJobs, token: str, **others: Any) -> str:
    request = pb.CreateStylizationRequest(stylize=request_of(**others))
    operation = await served.stub.CreateStylization(request, metadata=bearer(token))
    return str(operation.name)


async def test_request_ids_of_two_callers_have_nothing_to_do_with_each_other(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB), caller("batch", BATCH))
    async with serving_jobs(tmp_path, callers_file=file, store=False) as served:
        mine = await created(served, WEB, request_id="one")
        assert await created(served, BATCH, request_id="one") != mine
        assert await created(served, WEB, request_id="one") == mine


async def test_the_connections_of_one_caller_share_its_places(tmp_path: Path) -> None:
    file = write_callers(tmp_path / "callers.toml", caller("web", WEB), caller("batch", BATCH))
    engine = Held()
    bundle = fake_bundle(tmp_path / "b")
    async with (
        serving(bundle, engine=engine, callers_file=file, max_concurrent_requests=4, max_batch=1) as served,
        connect(served.server) as channel,
    ):
        engine.holding = True
        second = Served(served.server, channel, served.log)
        calls = [one.stub.Stylize(PAINT, metadata=bearer(WEB)) for one in (served, second, served)]
        await engine.until_entered()
        await until(lambda: served.server._way.admission.in_flight == 3)
        refused = await refusal(second.stub.Stylize(PAINT, metadata=bearer(WEB)))
        assert reason(refused) == "impasto/OVERLOADED"
        calls.append(served.stub.Stylize(PAINT, metadata=bearer(BATCH)))
        engine.release.set()
        assert all([(await call).image for call in calls])
