"""Models loaded and let go, by administrators alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from impasto.inference import open_inference_pb2 as pb
from impasto.inference.open_inference_pb2_grpc import GRPCInferenceServiceStub
from impasto_server.identity.roles import Role, needed_role
from impasto_server.identity.tokens import new_token
from impasto_server.rpc.inference.servicer import SERVICE
from tests.credentials import bearer, caller, write_callers
from tests.server.hot_support import Hot, hot
from tests.server.inference.support import INK, PHOTO, files, inferring, request
from tests.server.support import fields, reason, refusal
from tests.support import fake_bundle


@asynccontextmanager
async def repository(folder: Path, store: Path | None = None, **others: Any) -> AsyncIterator[tuple[Hot, Any]]:
    """Serve the model `test`, with a port for administrators; yield the server and the protocol's stub on that port."""
    async with (
        hot(store, fake_bundle(folder / "b"), cache=folder / "cache", **others) as served,
        grpc.aio.insecure_channel(str(served.server.admin_address)) as channel,
    ):
        yield served, GRPCInferenceServiceStub(channel)  # type: ignore[no-untyped-call]


def load(name: str, **parameters: Any) -> pb.RepositoryModelLoadRequest:
    message = pb.RepositoryModelLoadRequest(model_name=name)
    for key, value in parameters.items():
        message.parameters[key].string_param = value
    return message


async def index(stub: Any, *, ready: bool = False) -> list[tuple[str, str, str]]:
    answer = await stub.RepositoryIndex(pb.RepositoryIndexRequest(ready=ready))
    return [(model.name, model.version, model.state) for model in answer.models]


@pytest.mark.parametrize("said", ["source", "config"])
async def test_a_model_is_loaded_from_where_the_administrator_says(tmp_path: Path, said: str) -> None:
    new = str(fake_bundle(tmp_path / "new", name="new", version="3").path)
    async with repository(tmp_path) as (_, stub):
        await stub.RepositoryModelLoad(load("new", **{said: new if said == "source" else json.dumps({"source": new})}))
        listed = await index(stub)

    assert listed == [("new", "3", "READY"), ("test", "1", "READY")]


async def test_kserves_own_messages_name_a_model_in_the_repositorys_place(tmp_path: Path) -> None:
    new = str(fake_bundle(tmp_path / "new", name="new").path)
    message = load("", source=new)
    message.repository_name = "new"
    async with repository(tmp_path) as (_, stub):
        await stub.RepositoryModelLoad(message)
        loaded = await index(stub)
        await stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(repository_name="new"))
        left = await index(stub)

    assert loaded == [("new", "1", "READY"), ("test", "1", "READY")]
    assert left == [("test", "1", "READY")]


async def test_without_a_place_the_store_is_looked_into(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    async with repository(tmp_path, store) as (_, stub):
        fake_bundle(store / "new", name="new")
        await stub.RepositoryModelLoad(load("new"))
        missing = await refusal(stub.RepositoryModelLoad(load("nowhere")))
        listed = await index(stub)

    assert listed == [("new", "1", "READY"), ("test", "1", "READY")]
    assert (missing.code(), reason(missing)) == (grpc.StatusCode.NOT_FOUND, "impasto/MODEL_NOT_FOUND")


async def test_a_model_is_let_go_in_every_version_but_never_the_last(tmp_path: Path) -> None:
    others = [str(fake_bundle(tmp_path / v, name="other", version=v).path) for v in ("1", "2")]
    async with repository(tmp_path) as (_, stub):
        for source in others:
            await stub.RepositoryModelLoad(load("other", source=source))
        unload = pb.RepositoryModelUnloadRequest(model_name="other")
        unload.parameters["unload_dependents"].bool_param = False
        await stub.RepositoryModelUnload(unload)
        gone = await refusal(stub.RepositoryModelUnload(unload))
        last = await refusal(stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name="test")))
        listed = await index(stub)

    assert listed == [("test", "1", "READY")]
    assert (gone.code(), reason(gone)) == (grpc.StatusCode.NOT_FOUND, "impasto/MODEL_NOT_FOUND")
    assert (last.code(), reason(last)) == (grpc.StatusCode.FAILED_PRECONDITION, "impasto/LAST_BUNDLE")


async def test_a_bad_bundle_is_refused_and_listed_as_unavailable(tmp_path: Path) -> None:
    bad = fake_bundle(tmp_path / "bad", version="9").path
    (bad / "transformer.onnx").write_bytes(b"altered")
    async with repository(tmp_path) as (_, stub):
        error = await refusal(stub.RepositoryModelLoad(load("test", source=str(bad))))
        listed = await index(stub)
        ready = await index(stub, ready=True)

    assert (error.code(), reason(error)) == (grpc.StatusCode.FAILED_PRECONDITION, "impasto/BUNDLE_REFUSED")
    assert listed == [("test", "1", "READY"), ("test", "9", "UNAVAILABLE")]
    assert ready == [("test", "1", "READY")]


@pytest.mark.parametrize(
    ("asked", "field", "says"),
    [
        (load(""), "model_name", "is empty"),
        (load("new", config="{}"), "config", "has no source"),
        (load("new", config="[" * 10_000), "config", "has no source"),
        (load("new", where="/tmp"), "parameters", "'where' is not known"),
        (load("new", source="nonsense://place"), "source", "fsspec does not know"),
    ],
)
async def test_what_will_not_do_is_told_why(
    tmp_path: Path, asked: pb.RepositoryModelLoadRequest, field: str, says: str
) -> None:
    async with repository(tmp_path) as (_, stub):
        error = await refusal(stub.RepositoryModelLoad(asked))

    assert (error.code(), fields(error)) == (grpc.StatusCode.INVALID_ARGUMENT, [field])
    assert says in (error.details() or "")


async def test_a_bundle_of_another_name_is_not_loaded(tmp_path: Path) -> None:
    new = str(fake_bundle(tmp_path / "new", name="new").path)
    async with repository(tmp_path) as (_, stub):
        error = await refusal(stub.RepositoryModelLoad(load("mine", source=new)))
        listed = await index(stub)

    assert (error.code(), fields(error)) == (grpc.StatusCode.INVALID_ARGUMENT, ["model_name"])
    assert "the bundle there is 'new'; give that name" in (error.details() or "")
    assert listed == [("test", "1", "READY")]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("RepositoryModelLoad", load("test")),
        ("RepositoryModelUnload", pb.RepositoryModelUnloadRequest(model_name="test")),
    ],
)
async def test_the_callers_port_says_where_models_are_loaded_and_let_go(
    tmp_path: Path, method: str, message: Any
) -> None:
    async with inferring(tmp_path) as served:
        error = await refusal(getattr(served.oip, method)(message))

    assert (error.code(), reason(error)) == (grpc.StatusCode.UNIMPLEMENTED, "impasto/NOT_SUPPORTED")
    assert error.details() == (
        f"{method} is not served on this port; call it on the administrators' port, which --admin opens, as a caller "
        "with the role admin"
    )


async def test_the_administrators_port_says_where_photos_are_painted(tmp_path: Path) -> None:
    async with repository(tmp_path) as (served, stub):
        error = await refusal(stub.ModelInfer(request(PHOTO, INK)))
        on_callers_port: Any = GRPCInferenceServiceStub(served.channel)  # type: ignore[no-untyped-call]
        painted = await on_callers_port.ModelInfer(request(PHOTO, INK))

    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert "ModelInfer is not served on this port; call it on the callers' port" in (error.details() or "")
    assert files(painted)


async def test_roles_say_who_may_paint_and_who_may_load(tmp_path: Path) -> None:
    web, operator = new_token(), new_token()
    file = write_callers(
        tmp_path / "callers.toml", caller("web", web), caller("operator", operator, roles="admin,stylize")
    )
    async with repository(tmp_path, callers_file=file) as (served, stub):
        callers: Any = GRPCInferenceServiceStub(served.channel)  # type: ignore[no-untyped-call]
        nobody = await refusal(callers.ModelInfer(request(PHOTO, INK)))
        live = await callers.ServerLive(pb.ServerLiveRequest())
        painted = await callers.ModelInfer(request(PHOTO, INK), metadata=bearer(web))
        unload = pb.RepositoryModelUnloadRequest(model_name="test")
        forbidden = await refusal(stub.RepositoryModelUnload(unload, metadata=bearer(web)))
        last = await refusal(stub.RepositoryModelUnload(unload, metadata=bearer(operator)))

    assert (nobody.code(), forbidden.code(), last.code()) == (
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.FAILED_PRECONDITION,
    )
    assert live.live
    assert files(painted)


def test_each_method_needs_the_role_that_it_should() -> None:
    methods = [method.name for method in pb.DESCRIPTOR.services_by_name["GRPCInferenceService"].methods]
    needs = {name: needed_role(f"/{SERVICE}/{name}") for name in methods}

    assert {name for name, role in needs.items() if role is None} == {"ServerLive", "ServerReady", "ServerMetadata"}
    assert {name for name, role in needs.items() if role is Role.ADMIN} == {
        "RepositoryModelLoad",
        "RepositoryModelUnload",
    }
    assert needs["ModelInfer"] is needs["ModelStreamInfer"] is Role.STYLIZE
