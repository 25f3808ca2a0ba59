"""The engine on CUDA."""

from __future__ import annotations

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine.base import Cancellation, Provider
from impasto.engine.onnx import Session
from impasto.engine.runtime import CUDA, runtime, session_options
from impasto.errors import EngineError
from impasto.images import Planes


class CudaEngine:
    """ONNX Runtime's CUDA provider.

    Raises:
        EngineError: the provider cannot be loaded, or cannot run the graph.
    """

    name = Provider.CUDA.value
    precision = "fp32"

    def __init__(self, bundle: Bundle) -> None:
        ort = runtime()
        ort.preload_dlls()  # finds the CUDA and cuDNN that pip installed
        # EXHAUSTIVE would tune again for every new shape, for hundreds of ms.
        place = (CUDA, {"cudnn_conv_algo_search": "HEURISTIC"})
        self._session = Session(bundle, Provider.CUDA, session_options(ort, 0), [place])
        if CUDA not in self._session.session.get_providers():
            raise EngineError(
                "ONNX Runtime could not load its CUDA provider, most often for want of a matching CUDA or cuDNN; "
                "run: pip install 'impasto[cuda]', or ask for the provider 'cpu'"
            )

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        return self._session.run(images, codes, cancellation)
