from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from impasto import images
from impasto.backbones import STYLE_LAYERS
from impasto.errors import InvalidInput
from impasto.nn.perception import load_perception
from impasto_trainer.paintings import Painting, style_grams, style_id
from tests.support import gradient
from tests.trainer.pictures import painting


@pytest.mark.parametrize(
    ("name", "expected"),
    [("The_Scream.jpg", "the-scream"), ("a  b--c.png", "a-b-c"), ("été 1889.webp", "t-1889"), ("---.jpg", "style")],
)
def test_a_style_is_called_after_its_file(name: str, expected: str) -> None:
    assert style_id(Path(name)) == expected


def test_a_painting_is_scaled_by_its_shorter_side(tmp_path: Path) -> None:
    read = Painting.read(painting(tmp_path / "p.jpg", side=90))
    assert read.at_size(45).shape == (45, 45, 3)
    assert max(images.decode(read.thumbnail()).shape) == 384


def test_a_painting_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"cannot read .*absent\.jpg"):
        Painting.read(tmp_path / "absent.jpg")
    (tmp_path / "text.jpg").write_text("text")
    with pytest.raises(InvalidInput, match=r"text\.jpg"):
        Painting.read(tmp_path / "text.jpg")


@pytest.mark.parametrize(("width", "height"), [(50, 400), (400, 50), (63, 63)])
def test_a_painting_too_small_to_show_strokes_is_refused(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "small.png").write_bytes(images.encode(gradient(width, height), format=images.Format.PNG))
    with pytest.raises(InvalidInput, match=rf"small\.png is {width} x {height} px.* 64 px or more"):
        Painting.read(tmp_path / "small.png")


@pytest.mark.parametrize("suffix", ["jpg", "png"])
def test_a_painting_all_of_one_colour_is_refused(tmp_path: Path, suffix: str) -> None:
    Image.new("RGB", (100, 90), (120, 30, 60)).save(tmp_path / f"red.{suffix}")
    with pytest.raises(InvalidInput, match=r"all one colour"):
        Painting.read(tmp_path / f"red.{suffix}")


def test_a_grey_painting_and_one_with_alpha_are_read(tmp_path: Path) -> None:
    colours = Image.fromarray(gradient(100, 90))
    colours.convert("L").save(tmp_path / "grey.png")
    colours.putalpha(Image.linear_gradient("L").resize(colours.size))
    colours.save(tmp_path / "alpha.png")
    for name in ("grey.png", "alpha.png"):
        assert Painting.read(tmp_path / name).pixels.shape == (90, 100, 3)


def test_each_painting_gives_one_target_a_layer(tmp_path: Path, random_vgg: Path) -> None:
    pair = [Painting.read(painting(tmp_path / name, side)) for name, side in (("a.jpg", 64), ("b.jpg", 90))]
    grams = style_grams(pair, 64, load_perception(STYLE_LAYERS, random_vgg), torch.device("cpu"))
    assert {layer: tuple(value.shape) for layer, value in grams.items()} == {
        "relu1_1": (2, 64, 64), "relu2_1": (2, 128, 128), "relu3_1": (2, 256, 256),
        "relu4_1": (2, 512, 512), "relu5_1": (2, 512, 512),
    }  # fmt: skip
