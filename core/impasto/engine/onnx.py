"""One ONNX Runtime session, and the engine on the plain CPU, which is nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine.base import Cancellation, Provider, checked, failure
from impasto.engine.memory import Growth
from impasto.engine.runtime import runtime, session_options
from impasto.errors import EngineError
from impasto.images import Planes

IMAGE, STYLE, PAINTED = "image", "style", "painted"
"""The graph's inputs [N, 3, H, W] and [N, D], and its output [N, 3, H, W]."""

_GIVING_BACK = {"memory.enable_memory_arena_shrinkage": "cpu:0"}  # at the end of a run


class Session:
    """One session of a bundle's transformer.

    Args:
        bundle: whose.
        provider: where it computes, for errors.
        options: of the runtime; they may name the device.
        providers: as InferenceSession takes them, unless the options name it.

    Raises:
        EngineError: the provider cannot run the graph.
    """

    def __init__(
        self,
        bundle: Bundle,
        provider: Provider,
        options: Any,
        providers: list[Any] | None = None,
    ) -> None:
        self._ort = runtime()
        self._name = provider.value
        try:
            # The runtime's own fallback would go on somewhere else, and say so on standard output alone.
            self.session = self._ort.InferenceSession(bundle.graph, options, providers=providers, enable_fallback=False)
        except Exception as error:  # the runtime raises classes of its own, without a common one
            raise EngineError(f"{self._name} cannot run {bundle.graph}: {error}") from error

    def run(
        self,
        images: Planes,
        codes: Codes,
        cancellation: Cancellation | None = None,
        entries: Mapping[str, str] | None = None,
    ) -> Planes:
        """Paint, as an Engine does; the entries configure this run."""
        options = self._ort.RunOptions()
        for key, value in (entries or {}).items():
            options.add_run_config_entry(key, value)
        try:
            with (cancellation or Cancellation()).stopping_by(partial(setattr, options, "terminate", True)):
                (painted,) = self.session.run([PAINTED], {IMAGE: images, STYLE: codes}, options)
        except Exception as error:
            raise failure(error, images, self._name, cancellation) from error
        return checked(painted, images, self._name)


class CpuEngine:
    """ONNX Runtime on the plain CPU.

    It keeps the memory of the largest picture. To have that given back after every run would take as long again as a
    small network takes to run, so that is done when the process has grown by `impasto.engine.memory.MOST_KEPT`.

    Args:
        bundle: whose transformer to run.
        threads: for one run; 0 is every core that this process may use.
    """

    name = Provider.CPU.value
    precision = "fp32"
    fixed_shapes = False

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self._session = Session(bundle, Provider.CPU, session_options(runtime(), threads), ["CPUExecutionProvider"])
        self._growth = Growth()

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        entries = _GIVING_BACK if self._growth.is_too_much() else None
        return self._session.run(images, codes, cancellation, entries)
