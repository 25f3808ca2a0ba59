"""Lay out our protos with everything that they import, for tools that are not Python's: buf, protoc of other languages.

    python -m scripts.protos build/protos

The folder then holds `impasto/...` and `google/...`, so it is the one include path that a generator needs. Google's
come from googleapis-common-protos; the well-known types (google/protobuf) come with every protoc and with buf.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from google.api import field_behavior_pb2

ROOT = Path(__file__).parents[1]

_GOOGLE = Path(field_behavior_pb2.__file__).parents[1]
_MISNAMED = "operations_proto.proto"  # as google/longrunning/operations.proto is shipped, which nobody imports so


def lay_out(folder: Path) -> None:
    """Write the protos into a folder, in place of its `impasto` and its `google`."""
    for package in ("impasto", "google"):
        shutil.rmtree(folder / package, ignore_errors=True)
    shutil.copytree(ROOT / "proto" / "impasto", folder / "impasto")
    for package in ("api", "longrunning", "rpc"):
        target = folder / "google" / package
        target.mkdir(parents=True)
        for file in (_GOOGLE / package).glob("*.proto"):
            shutil.copy(file, target / ("operations.proto" if file.name == _MISNAMED else file.name))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lay_out(Path(sys.argv[1]))
