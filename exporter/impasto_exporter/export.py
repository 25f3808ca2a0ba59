"""From a checkpoint to a bundle, with every check on the way."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from impasto.bundle import CODES, GRAPH, IDENTITY, WEIGHTS, Bundle, write_bundle
from impasto.cards import About, model_card
from impasto.engine import Provider, open_engine
from impasto.engine.onnx import IMAGE, PAINTED, STYLE
from impasto.nn.checkpoint import Checkpoint
from impasto.nn.transformer import identity_code
from impasto_exporter.graph import OPSET, build_graph, check_nodes
from impasto_exporter.half_variant import HalfParity, check_model, with_half
from impasto_exporter.parity import Parity, compare


@dataclass(frozen=True)
class Export:
    """What was made.

    Attributes:
        bundle: read back and verified.
        nodes: operator -> how many nodes.
        parity: how far the graph is from torch.
        half: how far the graph in half precision is from it; the bundle has it where it passes.
    """

    bundle: Bundle
    nodes: dict[str, int]
    parity: Parity
    half: HalfParity


def export(checkpoint: Checkpoint, out: Path, *, name: str, version: str, about: About) -> Export:
    """Write the bundle of a checkpoint to `out`.

    Raises:
        InvalidInput: `about` tells of a style that the checkpoint lacks.
        ExportError: the graph is not what the architecture declares, fails ONNX's checker, or does not paint as torch.
        BundleError: the bundle could not be written, or is not valid.
        EngineError, MissingDependency: no ONNX Runtime to compare with.
    """
    about.check(checkpoint.styles)
    network = checkpoint.transformer()
    graph, weights = build_graph(network)
    nodes = check_nodes(graph, checkpoint.architecture)
    files = {GRAPH: graph.SerializeToString(), WEIGHTS: weights, **_style_files(checkpoint, about)}
    manifest = _manifest(checkpoint, name, version, about)
    with tempfile.TemporaryDirectory() as scratch:
        draft = write_bundle(Path(scratch) / "bundle", manifest, files)
        check_model(draft.graph)
        codes = torch.cat([checkpoint.codes, identity_code(checkpoint.codes)[None]])
        parity = compare(network, open_engine(draft, provider=Provider.CPU), codes)
    manifest, files, half = with_half({**manifest, "parity": parity.to_dict(), "nodes": nodes}, files)
    return Export(write_bundle(out, manifest, files), nodes, parity, half)


def _style_files(checkpoint: Checkpoint, about: About) -> dict[str, bytes]:
    codes = dict(zip(checkpoint.styles, checkpoint.codes.clone(), strict=True))
    files = {CODES: save({**codes, IDENTITY: identity_code(checkpoint.codes)})}
    for style in checkpoint.styles:
        files[f"styles/{style}.jpg"] = checkpoint.thumbnails[style]
        files[f"styles/{style}.md"] = model_card(
            style, about, checkpoint.architecture.to_dict(), checkpoint.training
        ).encode()
    return files


def _manifest(checkpoint: Checkpoint, name: str, version: str, about: About) -> dict[str, Any]:
    architecture = checkpoint.architecture
    return {
        "name": name,
        "version": version,
        "architecture": architecture.to_dict(),
        "code_size": architecture.code_size,
        "size_multiple": architecture.size_multiple,
        "inputs": {IMAGE: ["N", 3, "H", "W"], STYLE: ["N", architecture.code_size]},
        "outputs": {PAINTED: ["N", 3, "H", "W"]},
        "opset": OPSET,
        "precisions": {"fp32": GRAPH},
        "training": checkpoint.training,
        "styles": [about.style(style) for style in checkpoint.styles],
    }
