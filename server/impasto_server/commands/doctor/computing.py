"""What painting is done on: the providers that there are, and whether one of them really paints."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path

from impasto import extras
from impasto.bundle import STARTER, load_bundle
from impasto.engine import Provider, available_providers, open_engine
from impasto.engine.probe import probe_photo
from impasto.errors import EngineError, ImpastoError, MissingDependency
from impasto.findings import Finding, ok, problem, warning
from impasto_server.config import Config

_DRIVER = Path("/proc/driver/nvidia/version")
_DEVICE = Path("/dev/nvidiactl")


def computing(config: Config) -> Iterator[Finding]:
    """Tell what the server would paint on."""
    try:
        providers = available_providers()
    except MissingDependency as error:
        yield problem("provider", str(error), _install())
        return
    except EngineError as error:
        yield problem("provider", str(error), _mend())
        return
    yield _provider(providers, config)
    if finding := _unused_gpu(providers):
        yield finding
    yield _painting(config)


def _provider(providers: list[Provider], config: Config) -> Finding:
    names = [provider.value for provider in providers]
    says = f"{' and '.join(names)} can be had"
    if config.provider == "auto":
        return ok("provider", f"{says}; auto takes {names[0]}")
    if config.provider in names:
        return ok("provider", f"{says}; provider says {config.provider}")
    return problem("provider", f"{says}, and provider says {config.provider}", "impasto-server --provider auto")


def _unused_gpu(providers: list[Provider]) -> Finding | None:
    if Provider.CUDA in providers or not has_gpu():
        return None
    return warning("gpu", "there is an NVIDIA driver, and onnxruntime-gpu is not installed", _install())


def has_gpu() -> bool:
    """Tell whether an NVIDIA driver is loaded and its devices can be seen from here."""
    return _DRIVER.exists() and _DEVICE.exists()


def _painting(config: Config) -> Finding:
    """Open the starter bundle's engine as the server would, and paint with it."""
    with _Heard() as heard:
        try:
            bundle = load_bundle(STARTER)
            provider = None if config.provider == "auto" else Provider(config.provider)
            engine = open_engine(bundle, provider=provider, threads=config.engine_threads)
            photo = probe_photo(bundle.size_multiple)
            started = time.monotonic()
            engine.run(photo, next(iter(bundle.codes.values()))[None])
            taken = time.monotonic() - started
        except ImpastoError as error:
            return problem("painting", f"the starter bundle does not paint: {error}", _mend())
    height, width = photo.shape[2:]
    says = f"{width}x{height} px on {engine.name} in {engine.precision} took {taken * 1000:.0f} ms, the first time"
    if heard.warnings:
        return warning("painting", f"{says}; {'; '.join(heard.warnings)}", _mend())
    return ok("painting", says)


def _install() -> str:
    """Return what brings the runtime that is right for this machine, in place of the other one."""
    if has_gpu():
        return extras.install("cuda", instead_of="onnxruntime onnxruntime-ep-openvino")
    return extras.install("cpu", instead_of="onnxruntime-gpu")


def _mend() -> str:
    """Return what installs the runtime anew."""
    return extras.install("cuda" if has_gpu() else "cpu", instead_of="onnxruntime onnxruntime-gpu")


class _Heard(logging.Handler):
    """Notes what the engines warn of in the block, as where a faster provider did not work."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.warnings: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.warnings.append(record.getMessage())

    def __enter__(self) -> _Heard:
        logging.getLogger("impasto.engine").addHandler(self)
        return self

    def __exit__(self, *_: object) -> None:
        logging.getLogger("impasto.engine").removeHandler(self)
