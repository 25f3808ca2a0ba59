"""ONNX Runtime: whether it is there, and which providers it has on this machine."""

from __future__ import annotations

import logging
import os
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import TYPE_CHECKING, Any

from impasto.engine.base import Provider
from impasto.errors import EngineError, MissingDependency
from impasto.machine import usable_cores

if TYPE_CHECKING:
    import onnxruntime

CUDA = "CUDAExecutionProvider"
_OPENVINO_LIBRARY = "impasto-openvino"
# Without it, official builds from 1.29 on keep an id of the machine in the home directory, and tell their makers what
# they run.
_QUIET = "ORT_DISABLE_TELEMETRY"
_ERRORS_ONLY = 3  # ONNX Runtime's severity scale

_log = logging.getLogger(__name__)
_registering = Lock()


def available_providers() -> list[Provider]:
    """Return the providers that this installation and machine have, fastest first.

    Raises:
        MissingDependency: ONNX Runtime is not installed.
        EngineError: two of its distributions are, and overwrite each other's files.
    """
    ort = runtime()
    found = [Provider.CPU]
    if openvino_device(ort) is not None:
        found.insert(0, Provider.OPENVINO)
    if _has_cuda(ort):
        found.insert(0, Provider.CUDA)
    return found


def cuda_is_here() -> bool:
    """Tell whether this installation and machine have CUDA, which `available_providers` puts first.

    Raises:
        MissingDependency, EngineError: as `available_providers`.
    """
    return _has_cuda(runtime())


def _has_cuda(ort: Any) -> bool:
    return CUDA in ort.get_available_providers() and _cuda_device_present()


def runtime() -> Any:
    """Import ONNX Runtime, or say how to install or mend it.

    Raises:
        MissingDependency, EngineError: as `available_providers`.
    """
    if _installed("onnxruntime") and _installed("onnxruntime-gpu"):
        raise EngineError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other; run: "
            "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install 'impasto[cpu]' or 'impasto[cuda]'"
        )
    os.environ.setdefault(_QUIET, "1")
    first = "onnxruntime" not in sys.modules
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingDependency("onnxruntime", "cpu") from error
    except ImportError as error:
        raise EngineError(f"onnxruntime is installed but cannot be loaded: {error}; reinstall it") from error
    if first:  # a program that has imported it before has its own idea of what is to be told
        onnxruntime.set_default_logger_severity(_ERRORS_ONLY)  # of what belongs to no session, as a device's memory
    return onnxruntime


def session_options(ort: Any, threads: int) -> onnxruntime.SessionOptions:
    """Return the options that every session gets.

    Args:
        ort: ONNX Runtime.
        threads: for one run on a CPU; 0 is every core that this process may use, which the runtime itself would not
            find out: it looks at no quota of a container.
    """
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads or usable_cores()
    # Threads that spin between requests take the cores from decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def openvino_device(ort: Any) -> Any | None:
    """Return OpenVINO's own CPU device, not that of its AUTO plugin; None where it is absent or finds no processor."""
    try:
        import onnxruntime_ep_openvino as plugin
    except ImportError:
        return None
    with _registering:
        registered = _register(ort, plugin)
    if not registered:
        return None
    cpu, name = ort.OrtHardwareDeviceType.CPU, plugin.get_ep_name()
    return next((d for d in ort.get_ep_devices() if d.ep_name == name and d.device.type == cpu), None)


@cache
def _register(ort: Any, plugin: Any) -> bool:
    """Load the OpenVINO plugin, which the runtime refuses to do twice in a process; return whether it worked."""
    try:
        ort.register_execution_provider_library(_OPENVINO_LIBRARY, plugin.get_library_path())
    except Exception as error:  # the plain CPU will do
        _log.warning("the OpenVINO plugin cannot be loaded, so it is not used: %s", error)
        return False
    return True


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _cuda_device_present() -> bool:
    return os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/dxg")  # noqa: PTH110
