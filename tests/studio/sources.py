"""The digests of what the studio's page is built from, and of what was built; as clients/web/sources.mjs has them."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "clients" / "web"
BUILT = ROOT / "server" / "impasto_server" / "studio" / "static"

_FOLDERS = ("public", "src")
_FILES = (
    "buf.gen.yaml",
    "index.html",
    "package-lock.json",
    "package.json",
    "sources.mjs",
    "tsconfig.json",
    "vite.config.ts",
)
_PROTO = ROOT / "proto" / "impasto" / "v1" / "stylizer.proto"
_GENERATED = "src/gen/"


def digest_of_sources() -> str:
    """Return SHA-256, in hex, over each file's path and content, in the order of their paths."""
    digest = sha256()
    for path in sorted((*_FILES, *_below())):
        digest.update(f"{path}\n".encode())
        digest.update((SOURCES / path).read_bytes())
    digest.update(_meaning(_PROTO.read_text()).encode())
    return digest.hexdigest()


def digests_of_build() -> str:
    """Return SHA-256 of each file of the build, in the order of their paths, as sha256sum writes and checks them."""
    files = {path.relative_to(BUILT).as_posix(): path for path in BUILT.rglob("*") if path.is_file()}
    del files["files.sha256"]
    return "".join(f"{sha256(files[name].read_bytes()).hexdigest()}  {name}\n" for name in sorted(files))


def _below() -> list[str]:
    found = (path for folder in _FOLDERS for path in (SOURCES / folder).rglob("*") if path.is_file())
    paths = (path.relative_to(SOURCES).as_posix() for path in found)
    return [path for path in paths if not path.startswith(_GENERATED)]


def _meaning(proto: str) -> str:
    """Return a proto without its comments, which do not reach the page."""
    return " ".join(re.sub(r"//.*$", "", proto, flags=re.MULTILINE).split())
