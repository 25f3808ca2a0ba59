"""Writes the protocol's messages as tritonclient has them: `... FOLDER`."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from tritonclient.grpc import model_config_pb2, service_pb2

from tests.peers.programs.triton import arguments, report


def main() -> None:
    _, folder = arguments()
    for module in (service_pb2, model_config_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        (folder / f"{file.name}.descriptor").write_bytes(file.SerializeToString())
    report({})


if __name__ == "__main__":
    main()
