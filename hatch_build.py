"""Build hook: generate the Python stubs of our own protos into `core/impasto/v1`."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROTOS = ("impasto/v1/stylizer.proto", "impasto/v1/admin.proto")

# googleapis-common-protos ships this file under a name that nobody imports it by, itself included.
MISNAMED = "google/longrunning/operations_proto.proto"
PROPER_NAME = "google/longrunning/operations.proto"


class StubsHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        generate(Path(self.root))
        build_data["artifacts"].append("core/impasto/v1/*")


def generate(root: Path) -> None:
    """Write `*_pb2.py`, `*_pb2.pyi` and `*_pb2_grpc.py` of every proto."""
    import grpc_tools
    from google.api import field_behavior_pb2
    from grpc_tools import protoc

    out = root / "core"
    (out / "impasto" / "v1").mkdir(parents=True, exist_ok=True)
    (out / "impasto" / "v1" / "__init__.py").write_text('"""Generated from proto/impasto/v1; not to be edited."""\n')
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    google_apis = Path(field_behavior_pb2.__file__).parents[2]
    with TemporaryDirectory() as renamed:
        proper = Path(renamed) / PROPER_NAME
        proper.parent.mkdir(parents=True)
        shutil.copy(google_apis / MISNAMED, proper)
        arguments = [f"-I{path}" for path in (root / "proto", well_known, google_apis, renamed)]
        arguments += [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
        status = protoc.main(["protoc", *arguments, *PROTOS])
    if status:
        raise RuntimeError(f"protoc ended with status {status}")
