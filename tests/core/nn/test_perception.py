from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torchvision.models import VGG19_Weights, vgg19

from impasto import images
from impasto.backbones import STYLE_LAYERS
from impasto.errors import InvalidInput, WeightsNotFound
from impasto.nn.losses import gram, relative_error, style_loss
from impasto.nn.perception import IMAGENET_MEAN, IMAGENET_STD, load_perception

# Where torchvision's `vgg19().features` has these layers.
TORCHVISION = {"relu1_1": 1, "relu2_1": 6, "relu3_1": 11, "relu4_1": 20, "relu4_2": 22, "relu5_1": 29}


@torch.no_grad()
def test_features_are_those_of_torchvision(random_vgg: Path) -> None:
    reference = vgg19(weights=None).features.eval()
    reference.load_state_dict({k.removeprefix("features."): v for k, v in load_file(random_vgg).items()})
    image = torch.rand(2, 3, 48, 64)
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (IMAGENET_MEAN, IMAGENET_STD))
    found = load_perception(TORCHVISION, random_vgg)(image)
    for layer, depth in TORCHVISION.items():
        torch.testing.assert_close(found[layer], reference[: depth + 1]((image - mean) / std))


def test_only_what_is_asked_for_is_returned_and_nothing_learns(random_vgg: Path) -> None:
    perception = load_perception(STYLE_LAYERS, random_vgg)
    assert list(perception(torch.rand(1, 3, 16, 16), ["relu2_1"])) == ["relu2_1"]
    assert not any(parameter.requires_grad for parameter in perception.parameters())


def test_the_variable_names_the_weights(random_vgg: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPASTO_VGG_WEIGHTS", str(random_vgg))
    given = load_perception(["relu1_1"], random_vgg).state_dict()
    for name, value in load_perception(["relu1_1"]).state_dict().items():
        assert torch.equal(value, given[name])


def test_half_precision_weights_are_read(random_vgg: Path, tmp_path: Path) -> None:
    save_file({name: value.half() for name, value in load_file(random_vgg).items()}, tmp_path / "half.safetensors")
    perception = load_perception(["relu1_1"], tmp_path / "half.safetensors")
    assert {weight.dtype for weight in perception.parameters()} == {torch.float32}


def test_weights_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsNotFound, match=r"absent\.safetensors.*IMPASTO_VGG_WEIGHTS"):
        load_perception(["relu1_1"], tmp_path / "absent.safetensors")
    (tmp_path / "text").write_text("not weights")
    with pytest.raises(WeightsNotFound, match="text"):
        load_perception(["relu1_1"], tmp_path / "text")
    save_file({"other": torch.zeros(1)}, tmp_path / "other")
    with pytest.raises(WeightsNotFound, match=r"lacks features\.0\.bias"):
        load_perception(["relu1_1"], tmp_path / "other")


def test_a_failed_download_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise URLError("no route")

    monkeypatch.delenv("IMPASTO_VGG_WEIGHTS", raising=False)
    monkeypatch.setattr(VGG19_Weights, "get_state_dict", fail)
    with pytest.raises(WeightsNotFound, match=r"no route.*--vgg-weights"):
        load_perception(["relu1_1"], name="vgg19")


def test_without_weights_of_vgg_the_compact_one_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("IMPASTO_VGG_WEIGHTS", raising=False)
    assert load_perception(["relu1_1"]).name == "compact"


@pytest.mark.parametrize(
    ("name", "given"), [("vgg16", "no.safetensors"), ("compact", "vgg.safetensors"), ("lowrank", "vgg.safetensors")]
)
def test_a_perception_that_makes_no_sense_is_refused(name: str, given: str) -> None:
    with pytest.raises(InvalidInput, match=r"vgg16.*vgg19|VGG-19.*(compact|lowrank)"):
        load_perception(["relu1_1"], Path(given), name=name)


@pytest.mark.data
def test_the_compact_perception_sees_nearly_what_vgg_sees(data: Path) -> None:
    vgg = load_perception(STYLE_LAYERS, data / "weights" / "vgg19_features_fp16.safetensors")
    compact = load_perception(STYLE_LAYERS, name="compact")
    names = ("kodak_009.jpg", "kodak_014.jpg")
    photos = [images.decode((data / "photos_large" / name).read_bytes()) for name in names]
    pair = [torch.from_numpy(images.to_planes(images.resize(photo, 192, 192))) for photo in photos]
    distances = {}
    for perception in (vgg, compact):
        first, second = (perception(photo) for photo in pair)
        targets = {layer: gram(features) for layer, features in second.items()}
        distances[perception.name] = [style_loss(first, {layer: targets[layer]}).item() for layer in STYLE_LAYERS]
    near = [own / real for own, real in zip(distances["compact"], distances["vgg19"], strict=True)]
    assert near[:4] == pytest.approx([1] * 4, rel=0.5)


@pytest.mark.data
@torch.no_grad()
def test_the_perception_of_low_rank_has_the_features_of_vgg(data: Path) -> None:
    vgg = load_perception(TORCHVISION, data / "weights" / "vgg19_features_fp16.safetensors")
    lowrank = load_perception(TORCHVISION, name="lowrank")
    errors = []
    for name in ("kodak_009.jpg", "kodak_014.jpg"):
        photo = images.resize(images.decode((data / "photos_large" / name).read_bytes()), 256, 192)
        picture = torch.from_numpy(images.to_planes(photo))
        truth, found = vgg(picture), lowrank(picture)
        errors.append([relative_error(found[layer], truth[layer]).item() for layer in TORCHVISION])
    assert np.mean(errors, axis=0)[:5].max() < 0.1
    assert np.mean(errors, axis=0)[5] < 0.25


def test_an_unknown_layer_is_refused(random_vgg: Path) -> None:
    with pytest.raises(ValueError, match=r"no layer 'relu9_9'.*relu5_4"):
        load_perception(["relu9_9"], random_vgg)
