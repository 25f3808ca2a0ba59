"""How programs start and are ended while they do, in real processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

_WAIT = 30.0  # s, far more than anything here takes
_IN_A_NAMESPACE = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]


def can_be_first() -> bool:
    """Return whether a process may be the first one of a namespace here."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*_IN_A_NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


def first_process(parent: int) -> int:
    """Return the id, as seen from outside, of the process that `unshare` started."""
    deadline = time.monotonic() + _WAIT
    while not (children := Path(f"/proc/{parent}/task/{parent}/children").read_text().split()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(children[0])


@pytest.mark.skipif(not can_be_first(), reason="no process can be the first of a namespace here")
def test_a_container_that_is_stopped_while_its_program_is_imported_ends_at_once(tmp_path: Path) -> None:
    (tmp_path / "slow_program.py").write_text("import time; print('importing', flush=True); time.sleep(600)")
    script = "import sys; from impasto import programs; sys.exit(programs.run('slow_program', extra='server'))"
    with subprocess.Popen(
        [*_IN_A_NAMESPACE, sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    ) as outer:
        assert outer.stdout
        first = first_process(outer.pid)
        try:
            assert outer.stdout.readline() == b"importing\n"
            os.kill(first, signal.SIGTERM)
            assert outer.wait(_WAIT) == 128 + signal.SIGTERM
        finally:
            if outer.poll() is None:
                os.kill(first, signal.SIGKILL)


def test_a_runtime_that_would_report_to_its_makers_leaves_no_trace_of_that(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    script = "from impasto.engine.runtime import available_providers; print(*available_providers())"
    environment = {key: value for key, value in os.environ.items() if key not in ("CI", "ORT_DISABLE_TELEMETRY")}
    places = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment | places, capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
