"""A bundle's graph in half precision: made, compared with the one in fp32, and added if every style passes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from impasto.bundle import GRAPH, HALF_GRAPH, Bundle, load_bundle, write_bundle
from impasto.engine.buckets import DeviceThread, StaticEngine
from impasto.engine.precision import LEAST_DECIBELS, decibels_kept
from impasto.engine.static import CPU_PLACE
from impasto.errors import ExportError
from impasto_exporter.half import in_half
from impasto_exporter.scaling import with_scaling_norms

_ADDED_BY_WRITING = ("format_version", "files")


@dataclass(frozen=True)
class HalfParity:
    """How near fp16 comes to fp32.

    Attributes:
        decibels: style -> PSNR, dB, on the probe photo.
    """

    decibels: Mapping[str, float]

    @property
    def worst(self) -> str:
        """The style that suffers most."""
        return min(self.decibels, key=lambda style: self.decibels[style])

    @property
    def passes(self) -> bool:
        return self.decibels[self.worst] >= LEAST_DECIBELS

    def to_dict(self) -> dict[str, Any]:
        rounded = {style: round(kept, 1) for style, kept in sorted(self.decibels.items())}
        return {"engine": CPU_PLACE.name, "least_decibels": LEAST_DECIBELS, "decibels": rounded}

    def __str__(self) -> str:
        outcome = "is added" if self.passes else f"is left out, since less than {LEAST_DECIBELS:g} dB can be seen"
        return f"the graph in fp16 {outcome}: {self.decibels[self.worst]:.1f} dB against fp32 at worst, in {self.worst}"


def add_half(path: Path) -> tuple[Bundle, HalfParity]:
    """Give the bundle at `path` a graph in half precision, or one made anew; nothing else of it changes.

    Raises:
        BundleError: there is no valid bundle, or it could not be written.
        ExportError: its graph cannot be rewritten.
        EngineError, MissingDependency: no ONNX Runtime to compare with.
    """
    bundle = load_bundle(path)
    manifest = {key: value for key, value in bundle.manifest.items() if key not in _ADDED_BY_WRITING}
    files = {file: (path / file).read_bytes() for file in bundle.manifest["files"]}
    manifest, files, parity = with_half(manifest, files)
    return write_bundle(path, manifest, files), parity


def with_half(
    manifest: Mapping[str, Any], files: Mapping[str, bytes]
) -> tuple[dict[str, Any], dict[str, bytes], HalfParity]:
    """Return a bundle's manifest and files with a graph in half precision, unless a style suffers from it.

    Args:
        manifest: as `write_bundle` takes it.
        files: likewise.

    Raises:
        BundleError, ExportError, EngineError, MissingDependency: as `add_half`.
    """
    graph = in_half(with_scaling_norms(onnx.load_model_from_string(files[GRAPH]))).SerializeToString()
    precisions = {"fp32": GRAPH, "fp16": HALF_GRAPH}
    added = {**files, HALF_GRAPH: graph}
    with tempfile.TemporaryDirectory() as scratch:
        draft = write_bundle(Path(scratch) / "bundle", {**manifest, "precisions": precisions}, added)
        check_model(draft.graph_in("fp16"))
        parity = _compare(draft)
    if not parity.passes:
        precisions.pop("fp16")
        added.pop(HALF_GRAPH)
    report = {**manifest.get("parity", {}), "fp16": parity.to_dict()}
    return {**manifest, "precisions": precisions, "parity": report}, added, parity


def check_model(graph: Path) -> None:
    """Raise ExportError unless ONNX's checker passes a graph."""
    try:
        onnx.checker.check_model(graph, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError(f"ONNX's checker refuses the graph {graph.name}: {error}") from error


def _compare(bundle: Bundle) -> HalfParity:
    """Paint the probe photo in every style with both graphs of a bundle.

    The plain CPU multiplies in fp32 what the graph has rounded to fp16. So this finds numbers that fp16 cannot hold;
    what a device's own arithmetic makes of the graph, its engine asks again when it opens it.
    """
    exact, half = (_engine(bundle, precision) for precision in ("fp32", "fp16"))
    return HalfParity(dict(decibels_kept(bundle, exact, half)))


def _engine(bundle: Bundle, precision: str) -> StaticEngine:
    return StaticEngine(bundle.graph_in(precision), len(bundle.identity), CPU_PLACE, DeviceThread("parity"))
