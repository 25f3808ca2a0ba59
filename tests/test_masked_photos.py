"""Photos painted in part by the programs themselves: the real engine, and a job that a worker of its own paints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from impasto import images
from impasto.images import Format
from impasto.optimization import Optimization
from impasto_client import Client, Mask, Painting, Stylized
from impasto_server.local import LocalServer, local_server
from impasto_worker.slow import stirred
from tests.core.masks import png
from tests.test_starter import sample
from tests.worker.processes import worker

SIDE = 256  # px
FEATHER = 0.02
STEPS = 10
PHOTO = sample("astronaut.png", SIDE)
FILE = images.encode(PHOTO, format=Format.PNG)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[LocalServer]:
    with local_server(
        folder, ["--provider", "cpu", "--bundle-probe", "off", "--jobs", "on", "--workers", "0"]
    ) as running:
        yield running


def subject() -> Image.Image:
    """Return a mask of the person in the photo, roughly."""
    image = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(image).ellipse([60, 0, 180, 190], fill=255)
    return image


def zones(width: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return what of a result, [width, width], is surely inside of the mask, and what surely outside."""
    margin = 2 * (round(FEATHER * width) + 2 * width // SIDE + 2) + 1
    mask = subject().resize((width, width), Image.Resampling.NEAREST)
    least, most = (np.asarray(mask.filter(kind(margin))) for kind in (ImageFilter.MinFilter, ImageFilter.MaxFilter))
    assert (least == 255).any()
    assert (most == 0).any()
    return least == 255, most == 0


def pixels(stylized: Stylized) -> images.Pixels:
    return images.decode(stylized.image)


@pytest.mark.parametrize("width", [SIDE, 2 * SIDE], ids=["as large as the photo", "twice as large"])
def test_the_subject_is_the_photos_and_the_rest_is_painted(server: LocalServer, width: int) -> None:
    with Client(server.target) as client:
        painted = pixels(client.stylize(FILE, "starry-night", width=width, format="png"))
        mask = Mask(png(subject()), feather=FEATHER, inverted=True)
        result = pixels(client.stylize(FILE, "starry-night", width=width, format="png", mask=mask))

    inside, outside = zones(width)
    kept = images.resize(PHOTO, width, width)
    np.testing.assert_array_equal(result[inside], kept[inside])
    np.testing.assert_array_equal(result[outside], painted[outside])
    assert (result >= np.minimum(kept, painted)).all()
    assert (result <= np.maximum(kept, painted)).all()
    assert np.abs(painted[inside].astype(int) - kept[inside]).mean() > 10


def test_in_a_jpeg_what_is_kept_is_the_photo_as_a_jpeg_has_it(server: LocalServer) -> None:
    with Client(server.target) as client:
        result = pixels(client.stylize(FILE, "starry-night", mask=Mask(png(subject()), inverted=True)))
        unpainted = pixels(client.stylize(FILE, "starry-night", strength=0))

    inside, _ = zones(SIDE)
    blocks = np.asarray(Image.fromarray(inside).convert("L").filter(ImageFilter.MinFilter(17))) > 0  # of 8x8 px
    assert blocks.any()
    np.testing.assert_array_equal(result[blocks], unpainted[blocks])


def test_a_job_paints_around_the_subject(server: LocalServer, folder: Path) -> None:
    store = "--database", f"sqlite:///{folder}/state/jobs.sqlite", "--blobs", str(folder / "state" / "blobs")
    with worker(folder, *store, step_seconds=0.01), Client(server.target) as client:
        job = client.create_job(
            FILE,
            Painting(FILE),
            format="png",
            optimization={"steps": STEPS},
            mask=Mask(png(subject()), feather=FEATHER, inverted=True),
        )
        client.wait(job.name, timeout=60)
        result = pixels(client.result(job.name))

    inside, outside = zones(SIDE)
    painted = stirred(PHOTO, Optimization(steps=STEPS))
    np.testing.assert_array_equal(result[inside], PHOTO[inside])
    np.testing.assert_array_equal(result[outside], painted[outside])
