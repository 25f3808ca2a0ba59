"""MLServer, Seldon's server, in a virtual environment of its own."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import onnxruntime

from benchmarks.peer_servers.running import (
    ROOT,
    Peer,
    ServerMissing,
    free_port,
    process,
    wait_until,
    written_code,
)
from impasto.bundle import Bundle
from impasto.machine import usable_cores

MLSERVER = "1.7.1"
"""The version that is compared."""

_UVLOOP = "uvloop<0.22"  # newer ones make no event loop unasked, which its workers rely on
_INFER = "/inference.GRPCInferenceService/ModelInfer"
_MODEL = "painter"
_INSTALLED = "installed.txt"  # in the environment, once it is complete: what was asked for
_LONGEST_MESSAGE = 64 * 2**20  # bytes


def environment(folder: Path | None, python: str) -> Path:
    """Return the interpreter of an environment with MLServer in it, which is made if it is not there.

    ONNX Runtime and Pillow are of the same versions in it as here.

    Args:
        folder: the environment's; one in the user's cache if None.
        python: that makes it.

    Raises:
        ServerMissing: it cannot be made.
    """
    folder = folder or _cache() / "impasto" / f"mlserver-{MLSERVER}"
    ours = [f"onnxruntime=={onnxruntime.__version__}", f"pillow=={version('pillow')}"]
    asked = [f"mlserver=={MLSERVER}", _UVLOOP, *ours]
    done, interpreter = folder / _INSTALLED, folder / "bin" / "python"
    if not done.exists() or done.read_text().split() != asked:
        _run([python, "-m", "venv", "--clear", str(folder)])
        _run([str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *asked])
        done.write_text("\n".join(asked))
    return interpreter


@contextmanager
def mlserver(label: str, folder: Path, bundle: Bundle, style: str, interpreter: Path, workers: int) -> Iterator[Peer]:
    """Run MLServer with `jpeg_model`.

    Args:
        label, folder, bundle, style: as of every server.
        interpreter: of its environment.
        workers: processes that run the model; 0 runs it in the server's own.

    Raises:
        ServerMissing: it does not start.
    """
    folder.mkdir()
    web, port = free_port(), free_port()
    _write_settings(folder, web, port, workers)
    extra = {"graph": str(bundle.graph), "code": str(written_code(folder, bundle, style)), "threads": usable_cores()}
    _write_model(folder, extra)
    command = [str(interpreter.parent / "mlserver"), "start", str(folder)]
    with process(command, folder, {"PYTHONPATH": str(ROOT)}) as server:
        wait_until(server, folder, lambda: _is_ready(web))
        yield Peer(label, server.pid, f"127.0.0.1:{port}", _INFER, lambda photo: _request(interpreter, photo))


def _write_settings(folder: Path, web: int, port: int, workers: int) -> None:
    settings = {
        "debug": False,  # or it logs every call
        "host": "127.0.0.1",
        "http_port": web,
        "grpc_port": port,
        "metrics_port": free_port(),
        "grpc_max_message_length": _LONGEST_MESSAGE,
        "parallel_workers": workers,
    }
    (folder / "settings.json").write_text(json.dumps(settings))


def _write_model(folder: Path, extra: dict[str, object]) -> None:
    model = {
        "name": _MODEL,
        "implementation": "benchmarks.peer_servers.jpeg_model.JpegModel",
        "parameters": {"extra": extra},
    }
    (folder / "model-settings.json").write_text(json.dumps(model))


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", f"/v2/models/{_MODEL}/ready")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _request(interpreter: Path, photo: bytes) -> bytes:
    command = [str(interpreter), "-m", "benchmarks.peer_servers.jpeg_request", _MODEL]
    return subprocess.run(command, input=photo, capture_output=True, check=True, cwd=ROOT).stdout


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        words = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise ServerMissing(f"MLServer {MLSERVER} cannot be installed: {' '.join(command)}:\n{words}")


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
