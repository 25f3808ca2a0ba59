"""Choosing an engine: CUDA, else OpenVINO, else the plain CPU."""

from __future__ import annotations

import logging

from impasto.bundle import Bundle
from impasto.engine.base import Engine, Provider
from impasto.engine.cuda import CudaEngine
from impasto.engine.onnx import CpuEngine
from impasto.engine.openvino import OpenVinoEngine
from impasto.engine.runtime import available_providers
from impasto.errors import EngineError

_NEEDS = {
    Provider.CUDA: "install impasto[cuda], and give this machine or container an NVIDIA GPU",
    Provider.OPENVINO: "install impasto[cpu] on x86-64, and run on a processor of Intel's",
    Provider.CPU: "install impasto[cpu]",
}

_log = logging.getLogger(__name__)


def open_engine(bundle: Bundle, *, provider: Provider | None = None, threads: int = 0) -> Engine:
    """Return an engine for a bundle's transformer.

    Args:
        bundle: whose transformer to run.
        provider: where; by default the fastest of those that there are and that can run it.
        threads: for one run on a CPU; 0 is every core that this process may use.

    Raises:
        MissingDependency: ONNX Runtime is not installed.
        EngineError: the provider is not there, or none can run this transformer.
    """
    available = available_providers()
    if provider is None:
        return _fastest_that_works(bundle, available, threads)
    if provider not in available:
        names = ", ".join(item.value for item in available)
        raise EngineError(
            f"provider {provider.value!r} is not available here; available: {names}; {_NEEDS[provider]}, or choose "
            "another provider, or auto"
        )
    return _open(bundle, provider, threads)


def _fastest_that_works(bundle: Bundle, available: list[Provider], threads: int) -> Engine:
    *faster, last = available
    for provider in faster:
        try:
            return _open(bundle, provider, threads)
        except EngineError as error:
            _log.warning("%s, so the next provider is tried", error)
    return _open(bundle, last, threads)


def _open(bundle: Bundle, provider: Provider, threads: int) -> Engine:
    match provider:
        case Provider.CUDA:
            return CudaEngine(bundle)
        case Provider.OPENVINO:
            return OpenVinoEngine(bundle, threads)
        case Provider.CPU:
            return CpuEngine(bundle, threads)
