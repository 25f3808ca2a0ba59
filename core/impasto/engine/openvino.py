"""The engine on OpenVINO: bfloat16 where the processor has it and no picture suffers; memory that is given back."""

from __future__ import annotations

import json

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine.base import Cancellation, Provider
from impasto.engine.memory import Growth
from impasto.engine.onnx import Session
from impasto.engine.precision import passes
from impasto.engine.runtime import openvino_device, runtime, session_options
from impasto.errors import EngineError
from impasto.images import Planes
from impasto.machine import usable_cores

_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoEngine:
    """ONNX Runtime's OpenVINO plugin.

    It keeps the memory of the largest picture that it has seen, and some more for every other size, and nothing makes
    it give that back but the session's end: so the session is opened anew, in a tenth of a second, when the process
    has grown by `impasto.engine.memory.MOST_KEPT`. It cannot be stopped: a cancelled run goes on to its end.

    Args:
        bundle: whose transformer to run.
        threads: for one run; 0 is every core that this process may use.

    Raises:
        EngineError: there is no such device, or it cannot run the graph.
    """

    name = Provider.OPENVINO.value
    fixed_shapes = False

    def __init__(self, bundle: Bundle, threads: int) -> None:
        self._bundle = bundle
        self._threads = threads or usable_cores()
        self.precision = self._choose_precision()
        self._session = self._session_in(self.precision)
        self._growth = Growth()

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        painted = self._session.run(images, codes, cancellation)
        if self._growth.is_too_much():
            self._session = self._session_in(self.precision)  # runs that are under way keep the old one alive
        return painted

    def _choose_precision(self) -> str:
        """Return bf16 where the processor has instructions for it and every style passes, else fp32."""
        if "BF16" not in _capabilities():
            return "fp32"
        good = passes(self._bundle, self._session_in("fp32"), self._session_in("bf16"), "bfloat16")
        return "bf16" if good else "fp32"

    def _session_in(self, precision: str) -> Session:
        ort = runtime()
        device = openvino_device(ort)
        if device is None:
            raise EngineError("OpenVINO finds no processor of its kind here; ask for the provider 'cpu'")
        options = session_options(ort, self._threads)
        hints = {"INFERENCE_PRECISION_HINT": _HINTS[precision]}
        options.add_provider_for_devices(
            [device], {"num_of_threads": str(self._threads), "load_config": json.dumps({"CPU": hints})}
        )
        return Session(self._bundle, Provider.OPENVINO, options)


def _capabilities() -> str:
    device = openvino_device(runtime())
    return "" if device is None else device.ep_metadata.get("OPTIMIZATION_CAPABILITIES", "")
