"""The bundle that comes with Impasto: what it promises, on the engine that this machine has."""

from __future__ import annotations

from pathlib import Path
from statistics import median

import numpy as np
import pytest

from impasto import images
from impasto.bundle import STARTER, Bundle, load_bundle
from impasto.codes import at_strength
from impasto.engine import Engine, open_engine
from impasto.images import Pixels
from impasto_client import Client
from impasto_server.local import local_server
from tests.support import gradient

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
every_style = pytest.mark.parametrize("style", load_bundle(STARTER).styles)


@pytest.fixture(scope="module")
def starter() -> Bundle:
    return load_bundle(STARTER)


@pytest.fixture(scope="module")
def engine(starter: Bundle) -> Engine:
    return open_engine(starter)


def paint(engine: Engine, bundle: Bundle, style: str, photo: Pixels, strength: float = 1.0) -> Pixels:
    code = at_strength(bundle.code(style), bundle.identity, strength)
    return images.to_pixels(engine.run(images.to_planes(photo), code[None]))


def sample(name: str, side: int = 256) -> Pixels:
    """Return one of scikit-image's photos, square."""
    import skimage

    photo = images.decode((Path(skimage.__file__).parent / "data" / name).read_bytes())
    return images.resize(photo, side, side)


def test_it_is_small_enough_to_ship_and_says_where_it_comes_from(starter: Bundle) -> None:
    assert sum(file.stat().st_size for file in STARTER.rglob("*") if file.is_file()) < 8_000_000
    assert len(starter.styles) == 16
    starry = starter.styles["starry-night"]
    assert (starry.title, starry.artist, starry.year) == ("The Starry Night", "Vincent van Gogh", "1889")
    for style in starter.styles.values():
        assert all((style.title, style.artist, style.year))
        assert max(images.decode(style.thumbnail).shape) == 384
        for source in ("CC BY", "VGG-19", "public domain", "style fraction at 512 px"):
            assert source in style.card
    assert starter.manifest["parity"]["largest_error"] < starter.manifest["parity"]["tolerance"]


@every_style
def test_strength_zero_returns_the_photo(starter: Bundle, engine: Engine, style: str) -> None:
    photo = sample("astronaut.png")
    assert np.abs(paint(engine, starter, style, photo, 0.0).astype(int) - photo).max() <= 1


@every_style
def test_a_flat_grey_with_the_noise_of_a_sensor_is_no_livelier_than_the_painting(
    starter: Bundle, engine: Engine, style: str
) -> None:
    """Instance norm makes a texture of noise: it may be the painting's own, but no more than that."""
    liveliest = images.decode(starter.styles[style].thumbnail).std(axis=(0, 1)).max() / 255
    assert liveliness_of_flat_grey(starter, engine, style) < 1.1 * liveliest


@pytest.mark.parametrize("style", ["starry-night", "seine-grande-jatte", "shipwreck-minotaur", "water-lilies"])
def test_a_flat_grey_with_the_noise_of_a_sensor_stays_calm(starter: Bundle, engine: Engine, style: str) -> None:
    """As calm as broad strokes are: the most is 0.155, of The Wreck of the Minotaur."""
    assert liveliness_of_flat_grey(starter, engine, style) < 0.16


def liveliness_of_flat_grey(starter: Bundle, engine: Engine, style: str) -> float:
    """Return the largest standard deviation, of 0..1, in any channel of any grey, painted."""
    noise = np.random.default_rng(0).integers(-1, 2, size=(128, 128, 3))
    pictures = [(np.full((128, 128, 3), level) + noise).astype(np.uint8) for level in (10, 128, 245)]
    centres = [paint(engine, starter, style, picture)[32:-32, 32:-32] / 255 for picture in pictures]
    return float(max(centre.std(axis=(0, 1)).max() for centre in centres))


@every_style
def test_the_border_looks_like_the_rest(starter: Bundle, engine: Engine, style: str) -> None:
    painted = paint(engine, starter, style, sample("coffee.png", 320)).astype(float).mean(axis=-1)
    rim = np.concatenate([painted[:8].ravel(), painted[-8:].ravel(), painted[:, :8].ravel(), painted[:, -8:].ravel()])
    assert abs(rim.mean() - painted.mean()) < 0.5 * painted.std()
    assert 0.4 < rim.std() / painted.std() < 1.6


@every_style
def test_there_is_no_grid_at_the_pixels_of_the_network(starter: Bundle, engine: Engine, style: str) -> None:
    """Upsampling that goes wrong leaves a pattern that repeats every 2 or 4 px: look for it in the spectrum."""
    painted = paint(engine, starter, style, sample("chelsea.png")).astype(float).mean(axis=-1)
    spectrum = np.abs(np.fft.fft2(painted - painted.mean())) ** 2
    size = spectrum.shape[0]
    for period in (2, 4):
        k = size // period
        for line in (spectrum[k, 1 : size // 2], spectrum[1 : size // 2, k]):
            at, around = (line, spectrum[k - 6 : k - 2, 1 : size // 2])
            assert np.median(at) < 6 * np.median(around)


def test_a_real_server_returns_every_size_as_it_came_or_as_asked(tmp_path: Path) -> None:
    with local_server(tmp_path) as server, Client(server.target, timeout=240) as client:
        for width, height in ((16, 16), (333, 517), (4000, 3000)):
            photo = images.encode(gradient(width, height))
            assert images.decode(client.stylize(photo, "starry-night").image).shape == (height, width, 3)
        asked = client.stylize(images.encode(gradient(64, 48)), "starter/starry-night", width=30)
        assert (asked.width, asked.height) == (30, 22)


@pytest.mark.data
def test_it_paints_in_the_hand_and_keeps_the_content(starter: Bundle, engine: Engine, data: Path) -> None:
    import torch

    from impasto.backbones import CONTENT_LAYERS, STYLE_LAYERS
    from impasto.nn.perception import load_perception
    from impasto_trainer.evaluation.judge import Eye, Judge

    weights = data / "weights" / "vgg19_features_fp16.safetensors"
    eye = Eye(load_perception({*CONTENT_LAYERS, *STYLE_LAYERS}, weights), torch.device("cpu"))
    painting = images.decode((data / "paintings" / "starry_night.jpg").read_bytes())
    judge = Judge(eye, painting, starter.manifest["training"]["recipe"]["painting_size"])
    photos = [images.decode(path.read_bytes()) for path in sorted((data / "photos_large").glob("kodak_*.jpg"))[:5]]

    def fractions(strength: float) -> tuple[float, float]:
        sized = [images.with_long_side(photo, 256, multiple=starter.size_multiple) for photo in photos]
        pairs = [
            judge.fractions(eye.see(photo), eye.see(paint(engine, starter, "starry-night", photo, strength)))
            for photo in sized
        ]
        return median(style for style, _ in pairs), median(content for _, content in pairs)

    styles, contents = zip(*(fractions(strength) for strength in STRENGTHS), strict=True)
    assert list(styles) == sorted(styles, reverse=True)
    assert list(contents) == sorted(contents)
    assert styles[0] == pytest.approx(1, abs=0.02)
    assert styles[-1] < 0.35
    assert contents[-1] < 0.55
