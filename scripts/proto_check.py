"""Lint the protos, find changes that would break a caller, or make the API as it is the one that callers rely on.

    python -m scripts.proto_check            what `make proto` runs
    python -m scripts.proto_check release    what `make proto-release` runs

Both run buf, which `npm ci` in proto/ puts there, with proto/buf.yaml. Nothing is fetched.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.protos import ROOT, lay_out

BUF = ROOT / "proto" / "node_modules" / ".bin" / "buf"
RULES = ROOT / "proto" / "buf.yaml"
RELEASED = ROOT / "proto" / "released" / "v1.binpb.gz"

_PROTOS = ROOT / "build" / "protos"


def problems(protos: Path) -> str:
    """Return what buf has to say against the protos in a folder, a line each; nothing if they are well.

    Args:
        protos: as `scripts.protos` lays them out.
    """
    return _buf(protos, "lint") + _buf(protos, "breaking", "--against", str(RELEASED), "--path", "impasto")


def release(protos: Path) -> str:
    """Keep the API as it is in `RELEASED`: names, numbers and types, without comments. Return what went wrong.

    If something did, `RELEASED` stays as it was.
    """
    made = protos.parent / RELEASED.name
    told = _buf(protos, "build", "--exclude-source-info", "--path", "impasto", "--output", str(made))
    if not told:
        shutil.move(made, RELEASED)
    return told


def _buf(protos: Path, command: str, *arguments: str) -> str:
    line = [str(BUF), command, "--config", str(RULES), *arguments]
    environment = os.environ | {"BUF_CACHE_DIR": str(ROOT / "build" / "buf")}
    done = subprocess.run(line, cwd=protos, env=environment, capture_output=True, text=True, check=False)
    told = done.stdout + done.stderr
    return told if told or done.returncode == 0 else f"buf {command} ended with status {done.returncode}\n"


def main(arguments: list[str]) -> str | None:
    """Do what the command line says; return what was wrong, if something was."""
    if arguments not in ([], ["release"]):
        return __doc__
    if not BUF.exists():
        return "buf is not here: run `npm ci` in proto/, or `make proto`, which needs npm"
    lay_out(_PROTOS)
    return (release if arguments else problems)(_PROTOS) or None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
