"""Writes the protocol's messages as kserve has them: `... FOLDER`."""

from __future__ import annotations

import sys
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorProto
from kserve.protocol.grpc import grpc_predict_v2_pb2

file = FileDescriptorProto()
grpc_predict_v2_pb2.DESCRIPTOR.CopyToProto(file)
(Path(sys.argv[1]) / "kserve.descriptor").write_bytes(file.SerializeToString())
print("{}")
