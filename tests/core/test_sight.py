"""What the server's perception sees is what torch's compact one sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from impasto.backbones import COMPACT, CONTENT_LAYERS, STYLE_LAYERS
from impasto.engine import sight
from impasto.engine.probe import probe_photo
from impasto.engine.sight import Sight
from impasto.errors import EngineError
from impasto.images import Planes
from impasto.nn import losses
from impasto.nn.perception import load_perception


def noise(height: int, width: int) -> Planes:
    return np.random.default_rng(0).random((1, 3, height, width), dtype=np.float32)


@pytest.mark.parametrize("image", [probe_photo(8), noise(77, 130), noise(16, 16)], ids=["photo", "odd", "smallest"])
def test_it_sees_features_and_gram_matrices_as_torch_does(image: Planes) -> None:
    seen = Sight().see(image)
    perception = load_perception((*CONTENT_LAYERS, *STYLE_LAYERS), name=COMPACT.name)
    with torch.no_grad():
        features = perception(torch.from_numpy(image))
    assert nearly_same(seen.content, features[CONTENT_LAYERS[0]].numpy())
    for layer in STYLE_LAYERS:
        assert nearly_same(seen.grams[layer], losses.gram(features[layer]).numpy())


def nearly_same(found: Planes, wanted: Planes) -> bool:
    return found.shape == wanted.shape and float(np.abs(found - wanted).max() / np.abs(wanted).max()) < 1e-5


def test_its_losses_are_those_that_networks_are_trained_by() -> None:
    rng = np.random.default_rng(0)
    one, other = ({layer: rng.random((1, 4, 4), dtype=np.float32) for layer in STYLE_LAYERS} for _ in range(2))
    tensors = [{layer: torch.from_numpy(value) for layer, value in grams.items()} for grams in (one, other)]
    assert sight.gram_loss(one, other) == pytest.approx(losses.gram_loss(*tensors).item(), rel=1e-5)
    features = [rng.random((1, 8, 3, 3), dtype=np.float32) for _ in range(2)]
    wanted = losses.content_loss(*({"relu4_2": torch.from_numpy(value)} for value in features))
    assert sight.content_loss(*features) == pytest.approx(wanted.item(), rel=1e-5)


def test_a_graph_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sight, "GRAPH", tmp_path / "compact.onnx")
    with pytest.raises(EngineError, match=r"compact\.onnx cannot be opened.*install Impasto again"):
        Sight()
