"""The examples in clients/go and clients/java, built by what is installed here: nothing is fetched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[2] / "clients"

_BUILD_TIMEOUT = 300.0  # s; Go compiles gRPC itself when it does so for the first time
_RUN_TIMEOUT = 60.0  # s
_GO_VERSION = (1, 24)
_DEBIANS_GO_PATH = "/usr/share/gocode"
_GO_MODULE = Path("src", "impasto.dev", "go")
_GO_NEEDS = (
    "Go 1.24, protoc and its plugins for Go, and gRPC 1.64 for Go, in GOPATH or as Debian 13 has it, are not here; "
    "clients/go/README.md names the packages"
)
# Debian's package of Google's types is older than the protos' own import path for this one.
_GO_OPTIONS = "Mgoogle/longrunning/operations.proto=google.golang.org/genproto/googleapis/longrunning"
_JARS = Path("/usr/share/java")
_JAVA_NEEDS = "a JDK 17 with Debian's gRPC is not here; clients/java/Makefile names the packages"


@dataclass(frozen=True)
class Example:
    """An example program, built.

    Attributes:
        command: what runs it.
    """

    command: Sequence[str]

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        line = [*self.command, *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, timeout=_RUN_TIMEOUT, check=False)


def go_example(folder: Path) -> Example:
    """Generate and compile the example of Go in a folder, or skip the test where something for it is missing."""
    paths = _go_paths()
    if not paths:
        pytest.skip(_GO_NEEDS)
    module = folder / _GO_MODULE
    module.mkdir(parents=True)
    shutil.copytree(CLIENTS / "go" / "example", module / "example")
    _make("go", "generate", f"OUT={module}", f"PROTOS={folder / 'protos'}", f"OPTIONS={_GO_OPTIONS}")
    settings = {"GOPATH": ":".join((str(folder), *paths)), "GO111MODULE": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    program = folder / "example"
    for command in (("vet", "./example"), ("build", "-o", str(program), "./example")):
        _run(["go", *command], module, **settings)
    return Example((str(program),))


def java_example(folder: Path) -> Example:
    """Generate and compile the example of Java in a folder, or skip the test where something for it is missing."""
    programs = all(map(shutil.which, ("javac", "jar", "java", "protoc", "grpc_java_plugin", "make")))
    if not programs or not all(
        (_JARS / name).exists() for name in ("grpc-netty.jar", "protobuf.jar", "netty-codec-http2.jar")
    ):
        pytest.skip(_JAVA_NEEDS)
    _make("java", f"{folder}/example.jar", f"OUT={folder}", f"PROTOS={folder / 'protos'}")
    return Example(("java", "-XX:TieredStopAtLevel=1", "-jar", f"{folder}/example.jar"))  # compiles less, starts sooner


def _go_paths() -> list[str]:
    """Return where Go's packages are, if there is all that the example needs."""
    if not all(map(shutil.which, ("go", "protoc", "protoc-gen-go", "protoc-gen-go-grpc", "make"))):
        return []
    version = re.search(r"go(\d+)\.(\d+)", _run(["go", "version"], CLIENTS))
    paths = [*_run(["go", "env", "GOPATH"], CLIENTS).strip().split(":"), _DEBIANS_GO_PATH]
    clients = [Path(path, "src/google.golang.org/grpc/clientconn.go") for path in paths]
    modern = any(file.exists() and "func NewClient(" in file.read_text() for file in clients)
    return paths if modern and version and (int(version[1]), int(version[2])) >= _GO_VERSION else []


def _make(language: str, *arguments: str) -> None:
    _run(["make", *arguments, f"PYTHON={sys.executable}"], CLIENTS / language)


def _run(command: Sequence[str], folder: Path, **settings: str) -> str:
    environment = os.environ | settings
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_BUILD_TIMEOUT, check=False
    )
    assert done.returncode == 0, f"{command} in {folder}:\n{done.stdout}{done.stderr}"
    return done.stdout
