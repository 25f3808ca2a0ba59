"""Engines on ONNX Runtime: CUDA, else OpenVINO, else the plain CPU."""

from __future__ import annotations

import logging
import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine.base import Provider
from impasto.errors import EngineError, MissingDependency
from impasto.images import Planes

if TYPE_CHECKING:
    import onnxruntime

IMAGE, STYLE, PAINTED = "image", "style", "painted"
"""The graph's inputs [N, 3, H, W] and [N, D], and its output [N, 3, H, W]."""

_CUDA = "CUDAExecutionProvider"
_OPENVINO_LIBRARY = "impasto-openvino"
_ERRORS_ONLY = 3  # ONNX Runtime's severity scale

_log = logging.getLogger(__name__)
_registering = Lock()


def available_providers() -> list[Provider]:
    """Return the providers that this installation and machine have, fastest first.

    Raises:
        MissingDependency: ONNX Runtime is not installed.
        EngineError: two of its distributions are, and overwrite each other's files.
    """
    ort = _runtime()
    found = [Provider.CPU]
    if _openvino_device(ort) is not None:
        found.insert(0, Provider.OPENVINO)
    if _CUDA in ort.get_available_providers() and _cuda_device_present():
        found.insert(0, Provider.CUDA)
    return found


def open_engine(bundle: Bundle, *, provider: Provider | None = None, threads: int = 0) -> OnnxEngine:
    """Return an engine for a bundle's transformer.

    Args:
        bundle: whose transformer to run.
        provider: where; by default the fastest of those that there are and that can run it.
        threads: for one run on a CPU; 0 lets the runtime take every core.

    Raises:
        MissingDependency: ONNX Runtime is not installed.
        EngineError: the provider is not there, or none can run this transformer.
    """
    available = available_providers()
    if provider is None:
        return _fastest_that_works(bundle, available, threads)
    if provider not in available:
        names = ", ".join(item.value for item in available)
        raise EngineError(f"provider {provider.value!r} is not available here; available: {names}")
    return OnnxEngine(bundle, provider, threads)


def _fastest_that_works(bundle: Bundle, available: list[Provider], threads: int) -> OnnxEngine:
    *faster, last = available
    for provider in faster:
        try:
            return OnnxEngine(bundle, provider, threads)
        except EngineError as error:
            _log.warning("%s, so the next provider is tried", error)
    return OnnxEngine(bundle, last, threads)


class OnnxEngine:
    """One ONNX Runtime session.

    Attributes:
        provider: where it computes.
    """

    def __init__(self, bundle: Bundle, provider: Provider, threads: int) -> None:
        ort = _runtime()
        self.provider = provider
        options = _session_options(ort, threads)
        providers = _place(ort, provider, options)
        try:
            # The runtime's own fallback would go on somewhere else, and say so on standard output alone.
            self._session = ort.InferenceSession(bundle.graph, options, providers=providers, enable_fallback=False)
        except Exception as error:  # the runtime raises classes of its own, without a common one
            raise EngineError(f"{provider.value} cannot run {bundle.graph}: {error}") from error
        if provider is Provider.CUDA and _CUDA not in self._session.get_providers():
            raise EngineError(
                "ONNX Runtime could not load its CUDA provider, most often for want of a matching CUDA or cuDNN; "
                "run: pip install 'impasto[cuda]', or ask for the provider 'cpu'"
            )
        self._run_options = _run_options(ort, provider)

    @property
    def name(self) -> str:
        return self.provider.value

    def run(self, images: Planes, codes: Codes) -> Planes:
        try:
            (painted,) = self._session.run([PAINTED], {IMAGE: images, STYLE: codes}, self._run_options)
        except Exception as error:
            raise EngineError(f"{self.name} failed on a batch of {images.shape}: {error}") from error
        if painted.shape != images.shape:
            raise EngineError(f"{self.name} painted {painted.shape} on a batch of {images.shape}")
        if not np.isfinite(painted.sum()):  # numbers in 0..1 do not add up to infinity, and this needs no mask
            raise EngineError(f"{self.name} painted numbers that are not finite on a batch of {images.shape}")
        return np.asarray(painted, dtype=np.float32)


def _runtime() -> Any:
    """Import ONNX Runtime, or say how to install or mend it."""
    if _installed("onnxruntime") and _installed("onnxruntime-gpu"):
        raise EngineError(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other; run: "
            "pip uninstall -y onnxruntime onnxruntime-gpu, then pip install 'impasto[cpu]' or 'impasto[cuda]'"
        )
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise MissingDependency("onnxruntime", "cpu") from error
    except ImportError as error:
        raise EngineError(f"onnxruntime is installed but cannot be loaded: {error}; reinstall it") from error
    return onnxruntime


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True


def _session_options(ort: Any, threads: int) -> onnxruntime.SessionOptions:
    options = ort.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = threads
    # Threads that spin between requests take the cores from decoding and encoding.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return options


def _place(ort: Any, provider: Provider, options: onnxruntime.SessionOptions) -> list[Any] | None:
    """Choose the device: return what InferenceSession takes as `providers`, or set it in the options."""
    match provider:
        case Provider.CUDA:
            ort.preload_dlls()  # finds the CUDA and cuDNN that pip installed
            # EXHAUSTIVE would tune again for every new shape, for hundreds of ms.
            return [(_CUDA, {"cudnn_conv_algo_search": "HEURISTIC"})]
        case Provider.OPENVINO:
            options.add_provider_for_devices([_openvino_device(ort)], {})
            return None
        case Provider.CPU:
            return ["CPUExecutionProvider"]


def _run_options(ort: Any, provider: Provider) -> onnxruntime.RunOptions:
    options = ort.RunOptions()
    if provider is Provider.CPU:
        # Without it the memory of the largest picture is kept for good.
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
    return options


def _openvino_device(ort: Any) -> Any | None:
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


def _cuda_device_present() -> bool:
    return os.path.exists("/dev/nvidiactl") or os.path.exists("/dev/dxg")  # noqa: PTH110
