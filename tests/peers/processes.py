"""Programs run in processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # s, for a program


def run_program(program: str, *arguments: str, python: str = sys.executable) -> Any:
    """Run a program of `programs`, and return what it reports."""
    return json.loads(run([python, str(Path(__file__).parent / "programs" / f"{program}.py"), *arguments]))


def run(command: list[str], folder: Path = ROOT) -> str:
    """Run a command in a folder, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment, cwd=folder
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
