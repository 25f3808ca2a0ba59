"""The engine on CUDA: shapes that are fixed, work that is replayed, and half precision where no picture suffers."""

from __future__ import annotations

from collections.abc import Mapping

from impasto.bundle import Bundle
from impasto.codes import Codes
from impasto.engine.base import Cancellation, Provider
from impasto.engine.buckets import DeviceThread, StaticEngine
from impasto.engine.precision import passes
from impasto.engine.runtime import CUDA, runtime
from impasto.engine.static import Place
from impasto.engine.transfer import cuda_transfer
from impasto.images import Planes

MEMORY_LIMIT = 8 * 2**30
"""Bytes of device memory that the arena of one session may take; MOST_PIXELS of `buckets` bounds them all."""

_CAPTURED_PIXELS = 2**21  # 32 pictures of 256 px: beyond it the device works for longer than it takes to tell it what
_GRAPHS = {"fp16": "fp16", "tf32": "fp32", "fp32": "fp32"}  # precision -> that of the bundle's graph

_thread = DeviceThread("impasto-cuda")


class CudaEngine:
    """ONNX Runtime's CUDA provider, on the first device.

    A shape that it is given for the first time costs it some tenths of a second, in which it paints nothing else: so
    whoever serves scales pictures to a few sizes (`impasto.engine.shapes.bucket_size`) and paints each once beforehand.

    It can be stopped between two nodes, or, at the sizes whose work is captured, before a run begins.

    Args:
        bundle: whose transformer to run.
        precision: `fp16`, `tf32` or `fp32`; by default the first of these in which no style suffers.
        memory_limit: bytes of device memory that one session may use for its work.
        options: of the CUDA provider, beyond those that are set here or in their stead.

    Raises:
        BundleError: it has no graph in that precision.
        EngineError: the provider cannot be loaded, or cannot run the graph.
    """

    name = Provider.CUDA.value
    fixed_shapes = True

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str | None = None,
        memory_limit: int = MEMORY_LIMIT,
        options: Mapping[str, str] | None = None,
    ) -> None:
        runtime().preload_dlls()  # finds the CUDA and cuDNN that pip installed
        self._bundle = bundle
        self._memory_limit = memory_limit
        self._options = options or {}
        self._transfer = _thread.call(cuda_transfer, _thread.later)
        self.precision, self._engine = self._chosen() if precision is None else (precision, self._in(precision))

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        return self._engine.run(images, codes, cancellation)

    def _chosen(self) -> tuple[str, StaticEngine]:
        """Return the fastest precision in which every style passes, and its engine."""
        exact = self._in("fp32")
        for precision in ("fp16", "tf32"):
            if _GRAPHS[precision] in self._bundle.graphs:
                rough = self._in(precision)
                if passes(self._bundle, exact, rough, precision):
                    return precision, rough
        return "fp32", exact

    def _in(self, precision: str) -> StaticEngine:
        place = cuda_place(precision, self._memory_limit, self._options)
        graph = self._bundle.graph_in(_GRAPHS[precision])
        return StaticEngine(graph, len(self._bundle.identity), place, _thread, self._transfer)


def cuda_place(precision: str, memory_limit: int, options: Mapping[str, str]) -> Place:
    """Return the first CUDA device as a place to compute.

    Args:
        precision: fp16, tf32 or fp32: whether fp32 may be rounded to TF32 (10 bits of mantissa) to be multiplied.
        memory_limit: as CudaEngine takes it.
        options: likewise.
    """
    chosen = {
        "device_id": "0",
        "cudnn_conv_algo_search": "HEURISTIC",  # EXHAUSTIVE tunes for every new shape, for hundreds of ms
        "gpu_mem_limit": str(memory_limit),
        "arena_extend_strategy": "kSameAsRequested",  # a fixed shape needs what it needs, and no power of two more
        "use_tf32": "0" if precision == "fp32" else "1",
    }
    return Place(
        name=Provider.CUDA.value,
        provider=CUDA,
        device="cuda",
        options={**chosen, **options},
        capturing={"enable_cuda_graph": "1", **options},
        captured_pixels=_CAPTURED_PIXELS,
        remedy=(
            ", most often for want of a matching CUDA or cuDNN; run: pip install 'impasto[cuda]', "
            "or ask for the provider 'cpu'"
        ),
    )
