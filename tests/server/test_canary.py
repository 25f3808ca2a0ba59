"""A bundle that does not paint is refused before anyone is served from it, and one that does is not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load, save

from impasto import images
from impasto.bundle import MANIFEST, STARTER, WEIGHTS, Bundle, load_bundle, write_bundle
from impasto.codes import GATE_CHANNELS, Codes, at_strength, gate
from impasto.engine import Cancellation, Engine, FakeEngine, Provider, available_providers, open_engine
from impasto.engine.probe import probe_photo
from impasto.engine.sight import Sight
from impasto.errors import EngineError
from impasto.images import Pixels, Planes
from impasto.nn.bundled import read_network
from impasto_server.bundles.canary import Canary
from impasto_server.bundles.gallery import Gallery
from impasto_server.errors import BundleRefused
from tests.support import fake_bundle

pytestmark = pytest.mark.skipif(not STARTER.is_dir(), reason="the starter bundle is not there")

FIVE = ("gauguin-tahiti", "great-wave", "mondrian-composition", "starry-night", "the-scream")

Spoil = Callable[[Planes, Planes], Planes]
"""From the photo and the painted photo, each [1, 3, H, W], to what comes out instead."""


@pytest.fixture(scope="module")
def starter() -> Bundle:
    return load_bundle(STARTER)


@pytest.fixture(scope="module")
def engine(starter: Bundle) -> Engine:
    return open_engine(starter, provider=Provider.CPU)


@pytest.fixture(scope="module")
def canary() -> Canary:
    return Canary()


class Spoilt(FakeEngine):
    """An engine that paints, and something then happens to whatever is not the photo."""

    def __init__(self, engine: Engine, spoil: Spoil) -> None:
        super().__init__()
        self._engine = engine
        self._spoil = spoil

    def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
        painted = self._engine.run(images, codes, cancellation)
        return painted if not gate(codes)[1].any() else self._spoil(images, painted)


def only(bundle: Bundle, *styles: str) -> Bundle:
    """Return a bundle as if it had these styles alone."""
    infos = {style: bundle.styles[style] for style in styles}
    return replace(bundle, styles=infos, codes={style: bundle.codes[style] for style in styles})


def recoded(bundle: Bundle, change: Callable[[Codes], Codes]) -> Bundle:
    codes = {style: np.asarray(change(code), np.float32) for style, code in bundle.codes.items()}
    return replace(bundle, codes=codes)


def reweighted(path: Path, change: Callable[[Planes], NDArray[Any]]) -> Bundle:
    """Write the starter with every weight of its transformer changed."""
    manifest = json.loads((STARTER / MANIFEST).read_bytes())
    files = {name: (STARTER / name).read_bytes() for name in manifest.pop("files")}
    weights = {name: change(value).astype(value.dtype) for name, value in load(files[WEIGHTS]).items()}
    del manifest["format_version"]
    return write_bundle(path, manifest, {**files, WEIGHTS: save(weights)})


def without_norms(code: Codes) -> Codes:
    return np.concatenate([np.zeros(code.size - 2 * GATE_CHANNELS), code[-2 * GATE_CHANNELS :]])


def refusal(canary: Canary, bundle: Bundle, engine: Engine) -> str:
    with pytest.raises(BundleRefused) as refused:
        canary.check(bundle, engine)
    reason = refused.value.reason
    assert f"{bundle.name}@{bundle.version}" in reason
    return reason


def sample(name: str) -> Pixels:
    """Return one of scikit-image's photos, 256 px on its long side."""
    import skimage

    photo = images.decode((Path(skimage.__file__).parent / "data" / name).read_bytes())
    return images.with_long_side(photo, 256, multiple=8)


@pytest.mark.parametrize("provider", available_providers())
def test_the_starter_passes_on_every_provider_that_is_here(
    starter: Bundle, canary: Canary, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    canary.check(starter, open_engine(starter, provider=provider))
    assert not [record for record in caplog.records if "canary" in record.name]


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "rocket.jpg"])
def test_every_style_would_pass_on_other_photos_too(starter: Bundle, engine: Engine, name: str) -> None:
    photo = images.to_planes(sample(name))
    gallery = Gallery(starter, photo, Sight())
    for style, code in starter.codes.items():
        assert gallery.try_style(style, engine.run(photo, code[None])).faults() == []


def test_the_photo_itself_has_the_fractions_that_the_photo_has_by_definition(starter: Bundle) -> None:
    photo = probe_photo(starter.size_multiple)
    trial = Gallery(starter, photo, Sight()).try_style("starry-night", photo)
    assert trial.content == pytest.approx(0, abs=1e-6)
    assert trial.style_loss == trial.photo_loss
    assert trial.nearest != "starry-night"


SPOILT: Mapping[str, tuple[Spoil, str]] = {
    "black": (lambda _, painted: 0 * painted, "is flat"),
    "grey": (lambda _, painted: 0 * painted + 0.5, "is flat"),
    "grey with the noise of a sensor": (
        lambda _, painted: 0.5 + np.random.default_rng(0).normal(0, 1 / 255, painted.shape).astype(np.float32),
        "is flat",
    ),
    "of a tenth of its contrast": (lambda _, painted: 0.5 + 0.1 * (painted - 0.5), "is flat"),
    "saturated": (lambda _, painted: np.round(painted), "is lost.*is far from its painting"),
    "noise": (
        lambda _, painted: np.random.default_rng(0).random(painted.shape, np.float32),
        "is lost.*is far from its painting",
    ),
    "noisy": (
        lambda _, painted: np.clip(painted + np.random.default_rng(0).normal(0, 0.3, painted.shape), 0, 1).astype("f"),
        "is far from its painting",
    ),
    "the photo": (lambda photo, _: photo, "is hardly painted.*is far from its painting"),
    "the photo in grey": (
        lambda photo, _: np.repeat(photo.mean(1, keepdims=True), 3, axis=1),
        "is far from its painting",
    ),
    "a mirror image": (lambda _, painted: painted[..., ::-1].copy(), "is lost"),
    "rows for columns": (lambda _, painted: painted.transpose(0, 1, 3, 2).copy(), "is lost"),
    "planes for pixels": (lambda _, painted: painted.transpose(0, 2, 3, 1).reshape(painted.shape), "is lost"),
    "the negative": (lambda _, painted: 1 - painted, "is far from its painting"),
}


@pytest.mark.parametrize("what", SPOILT)
def test_a_bundle_is_refused_whose_pictures_come_out(
    starter: Bundle, engine: Engine, canary: Canary, what: str
) -> None:
    spoil, fault = SPOILT[what]
    reason = refusal(canary, only(starter, *FIVE), Spoilt(engine, spoil))
    assert any(f"in the style {style} is" in reason for style in FIVE)
    assert "allowed" in reason
    assert re.search(fault, reason)


WRONG_CODES: Mapping[str, tuple[Callable[[Bundle], Callable[[Codes], Codes]], str]] = {
    "zeros": (lambda _: np.zeros_like, "is flat"),
    "zeros but for the gate": (lambda _: without_norms, "is flat"),
    "the photo's": (lambda bundle: lambda _: bundle.identity, "is hardly painted"),
    "too weak": (lambda bundle: lambda code: at_strength(code, bundle.identity, 0.3), "is hardly painted"),
    "half lost in noise": (lambda _: noisy, "has a weave"),
}


@pytest.mark.parametrize("what", WRONG_CODES)
def test_a_bundle_is_refused_whose_codes_are(starter: Bundle, engine: Engine, canary: Canary, what: str) -> None:
    change, fault = WRONG_CODES[what]
    assert fault in refusal(canary, recoded(only(starter, *FIVE), change(starter)), engine)


def noisy(code: Codes) -> Codes:
    """Return a code with noise in its gammas and betas, as large as they are."""
    norms, gate = np.split(code, [-2 * GATE_CHANNELS])
    noise = np.random.default_rng(0).normal(0, np.sqrt(np.mean(np.square(norms))), norms.shape)
    return np.concatenate([norms + noise, gate])


def test_a_bundle_is_refused_whose_codes_are_of_a_transformer_that_numbers_its_channels_in_another_way(
    starter: Bundle, engine: Engine, canary: Canary
) -> None:
    channels = read_network(starter).architecture.norm_channels
    rng = np.random.default_rng(1)
    orders = [rng.permutation(count) for count in channels]

    def reordered(code: Codes) -> Codes:
        parts = np.split(code, np.cumsum(np.repeat(channels, 2)))
        return np.concatenate([*(part[orders[i // 2]] for i, part in enumerate(parts[:-1])), parts[-1]])

    assert "allowed" in refusal(canary, recoded(starter, reordered), engine)


WRONG_WEIGHTS: Mapping[str, tuple[Callable[[Planes], NDArray[Any]], str]] = {
    "shuffled": (
        lambda weight: np.random.default_rng(0).permutation(weight.ravel()).reshape(weight.shape),
        "is far from its painting",
    ),
    "zeros": (np.zeros_like, "is flat"),
    "of ten times the size": (lambda weight: 10 * weight, "is far from its painting"),
    "half the size": (lambda weight: weight / 2, "is far from its painting"),
    "half lost in noise": (
        lambda weight: weight + np.random.default_rng(0).normal(0, weight.std(), weight.shape),
        "has a weave of the network's grid",
    ),
}


@pytest.mark.parametrize("what", WRONG_WEIGHTS)
def test_a_bundle_is_refused_whose_weights_are(canary: Canary, tmp_path: Path, what: str) -> None:
    change, fault = WRONG_WEIGHTS[what]
    bundle = reweighted(tmp_path / "starter", change)
    assert fault in refusal(canary, only(bundle, *FIVE), open_engine(bundle, provider=Provider.CPU))


def test_a_bundle_whose_red_and_blue_are_swapped_is_refused_even_if_every_style_is_in_range(
    starter: Bundle, engine: Engine, canary: Canary
) -> None:
    swapping = Spoilt(engine, lambda _, painted: painted[:, ::-1].copy())
    bundle = only(starter, "moulin-de-la-galette", "starry-night", "water-lilies")
    assert "red and blue seem to be swapped" in refusal(canary, bundle, swapping)


def test_two_styles_that_are_mixed_up_are_named_in_a_warning(
    starter: Bundle, engine: Engine, canary: Canary, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = "starry-night", "water-lilies"
    bundle = only(starter, one, other, "great-wave")
    mixed = {**bundle.codes, one: bundle.codes[other], other: bundle.codes[one]}
    canary.check(replace(bundle, codes=mixed), engine)
    assert f"the style {one} paints more like {other}" in caplog.text
    assert f"the style {other} paints more like {one}" in caplog.text
    assert "the style great-wave" not in caplog.text


def test_a_bundle_is_refused_when_too_many_of_its_styles_are_mixed_up(
    starter: Bundle, engine: Engine, canary: Canary
) -> None:
    pairs = {"starry-night": "water-lilies", "gauguin-tahiti": "wheat-field-cypresses"}
    mixed = {**pairs, **{other: one for one, other in pairs.items()}}
    bundle = only(starter, *mixed, "great-wave")
    codes = {style: starter.code(mixed.get(style, style)) for style in bundle.styles}
    reason = refusal(canary, replace(bundle, codes=codes), engine)
    assert "4 of 5 styles paint more like another painting of the bundle than their own" in reason


def test_an_identity_that_changes_the_photo_is_told_by_how_much(canary: Canary, tmp_path: Path) -> None:
    class Dimming(FakeEngine):
        def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
            return images * np.float32(0.9)

    reason = refusal(canary, fake_bundle(tmp_path / "b"), Dimming())
    assert re.search(r"the code identity changes the photo by 25\.5 of 255; at most 1 is allowed", reason)


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda _, painted: painted * np.float32("nan"), "numbers that are not finite"),
        (lambda _, painted: painted / np.float32(0), "numbers that are not finite"),
        (lambda _, painted: 255 * painted, "makes numbers from .* to .*; 0 to 1 is allowed"),
        (lambda _, painted: painted[:, :, ::2, ::2], r"makes a picture of \(1, 3, 128, 128\)"),
        (lambda _, painted: 0 * painted, "the photo painted in the style gold is flat"),
    ],
    ids=["nan", "infinite", "bytes", "small", "black"],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_no_picture_is_refused_by_any_engine(canary: Canary, tmp_path: Path, spoil: Spoil, fault: str) -> None:
    assert re.search(fault, refusal(canary, fake_bundle(tmp_path / "b"), Spoilt(FakeEngine(), spoil)))


def test_a_negative_is_no_painting_even_where_a_fake_engine_makes_it(canary: Canary, tmp_path: Path) -> None:
    assert "allowed" in refusal(canary, fake_bundle(tmp_path / "b"), FakeEngine())


def test_a_thumbnail_that_is_no_picture_is_named(starter: Bundle, engine: Engine, canary: Canary) -> None:
    styles = {**starter.styles, "udnie": replace(starter.styles["udnie"], thumbnail=b"GIF89a")}
    assert "thumbnail of udnie" in refusal(canary, replace(starter, styles=styles), engine)


def test_an_engine_that_fails_is_no_fault_of_the_bundle(starter: Bundle, canary: Canary) -> None:
    class Failing(FakeEngine):
        def run(self, images: Planes, codes: Codes, cancellation: Cancellation | None = None) -> Planes:
            raise EngineError("the device is gone")

    with pytest.raises(EngineError, match="the device is gone"):
        canary.check(starter, Failing())
