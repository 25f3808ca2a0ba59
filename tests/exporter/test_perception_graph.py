from __future__ import annotations

import shutil
from pathlib import Path

import onnx
import pytest
from safetensors.numpy import load_file, save_file

from impasto.backbones import COMPACT, CONTENT_LAYERS, STYLE_LAYERS
from impasto.engine.sight import GRAPH
from impasto.errors import ExportError
from impasto.nn.perception import SHIPPED
from impasto_exporter.perception_graph import write_perception_graph

WEIGHTS = SHIPPED[COMPACT.name]


def written(folder: Path) -> Path:
    """Write the graph beside what there is of weights in a folder."""
    path = folder / GRAPH.name
    write_perception_graph(path, COMPACT, folder / WEIGHTS.name, content=CONTENT_LAYERS[0], styles=STYLE_LAYERS)
    return path


def test_the_graph_that_ships_is_the_one_of_the_weights_that_ship(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS, tmp_path)
    made, shipped = (onnx.load(path, load_external_data=False) for path in (written(tmp_path), GRAPH))
    assert made == shipped, "the weights were changed; run: python -m scripts.perception_graph"


def test_it_holds_no_weights_of_its_own() -> None:
    assert GRAPH.stat().st_size < 20_000
    assert GRAPH.parent == WEIGHTS.parent


def test_weights_that_it_cannot_refer_to_are_named(tmp_path: Path) -> None:
    weights = load_file(WEIGHTS)
    save_file(
        {**weights, "features.relu3_1.bias": weights["features.relu3_1.bias"].astype("int8")}, tmp_path / WEIGHTS.name
    )
    with pytest.raises(ExportError, match=r"compact\.safetensors holds no features\.relu3_1\.bias in floating point"):
        written(tmp_path)
