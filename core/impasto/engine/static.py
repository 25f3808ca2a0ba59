"""Sessions of fixed shape, and the engine that keeps one for every shape that it is given.

With every size known when a session is opened, what computes sizes is gone from its graph, its memory is laid out once,
and the device's work can be captured once and replayed with a single call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from impasto.engine.base import Cancellation, failure
from impasto.engine.onnx import IMAGE, PAINTED, STYLE
from impasto.engine.runtime import runtime, session_options
from impasto.engine.shapes import Shape
from impasto.engine.staging import Staged
from impasto.engine.transfer import Transfer
from impasto.errors import EngineError, RunCancelled

_NAMED_STRAYS = 5  # nodes that an error names


@dataclass(frozen=True)
class Place:
    """Where sessions of fixed shape compute.

    Attributes:
        name: of the engine, for errors.
        provider: ONNX Runtime's name of it. No node may run elsewhere.
        device: an OrtValue's name of its memory.
        options: of the provider.
        capturing: more of them, for shapes of up to `captured_pixels`: those that make it capture its work.
        captured_pixels: beyond it work takes so long that nothing is gained by a capture, which cannot be stopped.
        remedy: what to do where the provider cannot be loaded.
    """

    name: str
    provider: str
    device: str
    options: Mapping[str, str] = field(default_factory=dict)
    capturing: Mapping[str, str] = field(default_factory=dict)
    captured_pixels: int = 0
    remedy: str = ""

    def options_for(self, shape: Shape) -> dict[str, str]:
        return {**self.options, **(self.capturing if shape.pixels <= self.captured_pixels else {})}


CPU_PLACE = Place("cpu", "CPUExecutionProvider", "cpu")


class StaticSession:
    """A session for one shape, and the device's memory that it reads from and writes to.

    For one thread only. It is run once when it is opened: that sets everything up, and captures what is captured.

    Args:
        graph: the transformer's.
        shape: of every batch.
        code_size: D.
        place: where to compute.
        transfer: how pictures get there.

    Raises:
        EngineError: the place cannot be had, cannot run the graph, or leaves some of it to another provider.
    """

    def __init__(self, graph: Path, shape: Shape, code_size: int, place: Place, transfer: Transfer) -> None:
        self._ort = runtime()
        self._place = place
        self._transfer = transfer
        self._session = self._open(graph, shape)
        picture = [shape.batch, 3, shape.height, shape.width]
        self._image, self._painted = self._memory(picture), self._memory(picture)
        self._style = self._memory([shape.batch, code_size])
        self._binding = self._session.io_binding()
        self._binding.bind_ortvalue_input(IMAGE, self._image)
        self._binding.bind_ortvalue_input(STYLE, self._style)
        self._binding.bind_ortvalue_output(PAINTED, self._painted)
        self.run(Staged.of(shape, code_size, transfer))

    def run(self, staged: Staged, cancellation: Cancellation | None = None) -> None:
        """Paint what is staged.

        Raises:
            EngineError: the device failed.
            RunCancelled: the run was stopped: before it began, or between two nodes where nothing is captured.
        """
        cancellation = cancellation or Cancellation()
        if cancellation.cancelled:
            raise RunCancelled(f"{self._place.name} was stopped ahead of a batch of {staged.image.shape}")
        options = self._ort.RunOptions()
        try:
            self._transfer.upload(staged.image, self._image)
            self._transfer.upload(staged.style, self._style)
            with cancellation.stopping_by(partial(setattr, options, "terminate", True)):
                self._session.run_with_iobinding(self._binding, options)
            self._transfer.download(self._painted, staged.painted)
        except Exception as error:  # the runtime raises classes of its own, without a common one
            raise failure(error, staged.image, self._place.name, cancellation) from error

    def _memory(self, shape: list[int]) -> Any:
        try:
            return self._ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, self._place.device, 0)
        except Exception as error:
            raise EngineError(f"{self._place.name} has no memory for {shape}: {error}") from error

    def _open(self, graph: Path, shape: Shape) -> Any:
        try:
            session = self._opened(graph, shape, self._place.options_for(shape))
        except Exception as error:
            self._check_uncaptured(graph, shape)
            raise EngineError(f"{self._place.name} cannot run {graph} at {tuple(shape)}: {error}") from error
        self._check_place(session, graph)
        return session

    def _opened(self, graph: Path, shape: Shape, provider_options: Mapping[str, str]) -> Any:
        options = session_options(self._ort, 0)
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        for dimension, size in zip(_free_dimensions(self._ort, graph), shape, strict=True):
            if isinstance(dimension, str):
                options.add_free_dimension_override_by_name(dimension, size)
        providers = [(self._place.provider, dict(provider_options))]
        # The runtime's own fallback would go on somewhere else, and say so on standard output alone.
        return self._ort.InferenceSession(graph, options, providers=providers, enable_fallback=False)

    def _check_uncaptured(self, graph: Path, shape: Shape) -> None:
        """Name the nodes that run elsewhere, if it is for them that nothing can be captured: the runtime does not."""
        try:
            session = self._opened(graph, shape, self._place.options)
        except Exception:  # it is for something else
            return
        self._check_place(session, graph)

    def _check_place(self, session: Any, graph: Path) -> None:
        """Raise EngineError unless every node of the session runs where it should."""
        if self._place.provider not in session.get_providers():
            raise EngineError(f"ONNX Runtime could not load its {self._place.provider}{self._place.remedy}")
        assigned = session.get_provider_graph_assignment_info()
        strays = [node for part in assigned if part.ep_name != self._place.provider for node in part.get_nodes()]
        if strays:
            named = ", ".join(
                f"{node.name or 'one without a name'} ({node.op_type})" for node in strays[:_NAMED_STRAYS]
            )
            more = ", ..." if len(strays) > _NAMED_STRAYS else ""
            raise EngineError(
                f"{self._place.name} cannot run {len(strays)} nodes of {graph}, which would go to another provider "
                f"and back for each: {named}{more}; export it again"
            )


def _free_dimensions(ort: Any, graph: Path) -> tuple[str | int, str | int, str | int]:
    """Return the names that the graph has for N, H and W, or their sizes where they are fixed."""
    options = session_options(ort, 1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    (image,) = (item for item in session.get_inputs() if item.name == IMAGE)
    batch, _, height, width = image.shape
    return batch, height, width
