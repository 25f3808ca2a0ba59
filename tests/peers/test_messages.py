"""Our messages of the Open Inference Protocol are those that its clients bring along."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import DescriptorProto, EnumDescriptorProto, FileDescriptorProto

from impasto.inference import open_inference_pb2 as pb
from tests.peers.processes import run_program

# kserve's proto sends a model's name by the number that Triton's has for the repository's; the server takes both.
KSERVES_OWN = {"RepositoryModelLoadRequest.model_name", "RepositoryModelUnloadRequest.model_name"}


def ours() -> FileDescriptorProto:
    file = FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    return file


def fields(messages: Iterable[DescriptorProto], path: str = "") -> Iterator[tuple[str, int, int, int, str]]:
    """Yield each field by its whole name, with its number, type, label and the type of its messages."""
    for message in messages:
        name = f"{path}{message.name}."
        for field in message.field:
            yield f"{name}{field.name}", field.number, field.type, field.label, field.type_name
        yield from fields(message.nested_type, name)


def enums(messages: Iterable[DescriptorProto], top: Iterable[EnumDescriptorProto]) -> dict[str, dict[str, int]]:
    found = {enum.name: {value.name: value.number for value in enum.value} for enum in top}
    for message in messages:
        found |= enums(message.nested_type, message.enum_type)
    return found


def methods(file: FileDescriptorProto) -> dict[str, tuple[str, str, bool, bool]]:
    (service,) = file.service
    return {
        method.name: (method.input_type, method.output_type, method.client_streaming, method.server_streaming)
        for method in service.method
    }


def test_every_field_of_ours_is_tritons(tmp_path: Path) -> None:
    run_program("triton_messages", str(tmp_path))
    service, config = (
        FileDescriptorProto.FromString((tmp_path / f"{name}.proto.descriptor").read_bytes())
        for name in ("grpc_service", "model_config")
    )
    theirs = [*service.message_type, *config.message_type]

    assert set(fields(ours().message_type)) <= set(fields(theirs))
    of_theirs = enums(theirs, [*service.enum_type, *config.enum_type])
    assert all(
        values.items() <= of_theirs[name].items()
        for name, values in enums(ours().message_type, ours().enum_type).items()
    )
    assert methods(ours()).items() <= methods(service).items()
    assert (ours().package, ours().service[0].name) == (service.package, service.service[0].name)


def test_what_kserve_has_too_is_the_same(tmp_path: Path, kserve: str) -> None:
    run_program("kserve_messages", str(tmp_path), python=kserve)
    theirs = FileDescriptorProto.FromString((tmp_path / "kserve.descriptor").read_bytes())

    common = {message.name for message in theirs.message_type} & {message.name for message in ours().message_type}
    mine = {field[0]: field for field in fields(ours().message_type) if field[0].split(".")[0] in common}
    other = {field[0]: field for field in fields(theirs.message_type)}
    assert {"ModelInferRequest", "ModelInferResponse", "InferTensorContents", "ModelMetadataResponse"} <= common
    assert {name for name in mine.keys() & other.keys() if mine[name] != other[name]} == KSERVES_OWN
