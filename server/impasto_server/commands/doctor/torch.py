"""Whether jobs can be painted here: by torch, which the server never imports, so in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec

from impasto import extras
from impasto.findings import Finding, ok, problem, warning
from impasto_server.commands.doctor.computing import has_gpu
from impasto_server.config import Config

_ASK = """
import json, torch
gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
print(json.dumps([torch.__version__, torch.version.cuda, gpus]))
"""
_TIMEOUT = 120.0  # s
_EXTRA = "optimize"


def torch(config: Config) -> Finding:
    """Tell what jobs would be painted with."""
    if find_spec("torch") is None:
        return _without(config)
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", _ASK], capture_output=True, text=True, timeout=_TIMEOUT, check=True
        )
        version, cuda, gpus = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return problem("torch", f"torch is installed, and was not imported within {_TIMEOUT:g} s", _reinstall())
    except (subprocess.CalledProcessError, ValueError) as error:
        last = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1]
        return problem("torch", f"torch is installed, and cannot be imported: {last}", _reinstall())
    return _found(version, cuda, gpus)


def _without(config: Config) -> Finding:
    if config.serves_jobs and config.local_workers:
        return problem("torch", "jobs are on with workers here, and torch is not installed", extras.install(_EXTRA))
    jobs = "elsewhere" if config.serves_jobs else "not at all"
    return ok("torch", f"torch is not installed: jobs are painted {jobs}", extras.install(_EXTRA))


def _found(version: str, cuda: str | None, gpus: list[str]) -> Finding:
    if gpus:
        return ok("torch", f"torch {version} paints jobs on {', '.join(gpus)}")
    if not has_gpu():
        return ok("torch", f"torch {version} paints jobs on the processor; there is no NVIDIA GPU")
    why = "is made for processors alone" if cuda is None else f"is made for CUDA {cuda}, and finds no GPU"
    return warning("torch", f"there is an NVIDIA driver, and torch {version} {why}", _reinstall())


def _reinstall() -> str:
    return extras.install(_EXTRA, instead_of="torch")
