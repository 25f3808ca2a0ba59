"""Remove from an environment what no image of Impasto uses.

    python trim.py /opt/impasto/lib/python3.11/site-packages

Each pattern has to match where its package is installed: versions are pinned, so one that matches nothing is out of
date.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

USELESS: Mapping[str, Sequence[str]] = {
    # Intel's GPUs and NPUs, which no engine asks for, the GPU's table of kernels, and copies under two other names.
    "onnxruntime_ep_openvino": (
        "libopenvino_intel_gpu_plugin.so",
        "libopenvino_intel_npu_plugin.so",
        "cache.json",
        "libonnxruntime_providers_openvino_plugin.so.*",
    ),
    # The library for programs in C: Python's own module has it inside. And tools that make or change graphs.
    "onnxruntime": ("capi/libonnxruntime.so.*", "quantization", "tools", "transformers"),
    # Descriptions of all of AWS's services but the one that is called, and those that tell who calls it.
    "botocore": ("data/[!_]*/",),
    "numpy": ("**/tests/", "f2py"),
    # Compiles kernels for torch.compile, which Impasto does not use.
    "triton": ("",),
    # Headers, to build extensions with. NVIDIA's libraries stay whole.
    "torch": ("include",),
}
KEPT = {"s3", "signin", "sso", "sso-oidc", "sts"}


def trim(packages: Path) -> int:
    """Remove what is useless, and return its size in bytes.

    Raises:
        SystemExit: there is no such folder, or a pattern matches nothing.
    """
    if not packages.is_dir():
        sys.exit(f"{packages} is no folder")
    removed = 0
    for name, patterns in USELESS.items():
        for pattern in patterns if (packages / name).is_dir() else ():
            found = [path for path in _matches(packages / name, pattern) if path.name not in KEPT]
            if not found:
                sys.exit(f"{packages / name} has no {pattern}; look what this version has in its place")
            size = sum(map(_remove, found))
            removed += size
            print(f"{size / 1e6:6.1f} MB of {name}/{pattern}")
    return removed


def _matches(package: Path, pattern: str) -> list[Path]:
    return list(package.glob(pattern)) if pattern else [package]


def _remove(path: Path) -> int:
    """Remove a file or a folder, which may have gone with another by now, and return its size in bytes."""
    if not path.exists():
        return 0
    if path.is_dir():
        size = sum(file.lstat().st_size for file in path.rglob("*") if not file.is_dir())
        shutil.rmtree(path)
        return size
    size = path.lstat().st_size
    path.unlink()
    return size


if __name__ == "__main__":
    print(f"{trim(Path(sys.argv[1])) / 1e6:6.1f} MB removed")
