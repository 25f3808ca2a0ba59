"""Build hook: generate the Python stubs of our own protos into `core/impasto/v1` and `core/impasto/inference`."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PROTOS = {
    "impasto/v1": ("stylizer.proto", "admin.proto"),
    "impasto/inference": ("open_inference.proto",),
}

# googleapis-common-protos ships this file under a name that nobody imports it by, itself included.
MISNAMED = "google/longrunning/operations_proto.proto"
PROPER_NAME = "google/longrunning/operations.proto"


class StubsHook(BuildHookInterface[Any]):
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        generate(Path(self.root))
        build_data["artifacts"].extend(f"core/{folder}/*" for folder in PROTOS)


def generate(root: Path) -> None:
    """Write `*_pb2.py`, `*_pb2.pyi` and `*_pb2_grpc.py` of every proto."""
    import grpc_tools
    from google.api import field_behavior_pb2
    from grpc_tools import protoc

    out = root / "core"
    for folder in PROTOS:
        (out / folder).mkdir(parents=True, exist_ok=True)
        (out / folder / "__init__.py").write_text(f'"""Generated from proto/{folder}; not to be edited."""\n')
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    google_apis = Path(field_behavior_pb2.__file__).parents[2]
    with TemporaryDirectory() as renamed:
        proper = Path(renamed) / PROPER_NAME
        proper.parent.mkdir(parents=True)
        shutil.copy(google_apis / MISNAMED, proper)
        arguments = [f"-I{path}" for path in (root / "proto", well_known, google_apis, renamed)]
        arguments += [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
        files = [f"{folder}/{file}" for folder, files in PROTOS.items() for file in files]
        status = protoc.main(["protoc", *arguments, *files])
    if status:
        raise RuntimeError(f"protoc ended with status {status}")
