"""What reaches the server of a mask, and what is refused before it does: the same for both clients."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from impasto.v1 import stylizer_pb2 as pb
from impasto_client import InvalidRequest, Mask, Painting, Photo
from tests.client.job_servers import ScriptedJobs
from tests.client.servers import both_clients, echo, serving, stylize_async, stylize_sync
from tests.client.stream_servers import Connect, collect, either_client, negative, photo, pixels
from tests.core.masks import flat, left_half, png
from tests.server.support import serving as serving_pictures
from tests.support import fake_bundle, gradient

FILE = png(left_half())
OTHER = flat((64, 48), 255)


@pytest.mark.parametrize("stylize", [stylize_sync, stylize_async])
@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (FILE, pb.Mask(image=FILE)),
        (Mask(FILE), pb.Mask(image=FILE)),
        (Mask(FILE, feather=0.01, inverted=True), pb.Mask(image=FILE, feather=0.01, inverted=True)),
        (Mask(FILE, feather=0), pb.Mask(image=FILE, feather=0)),
        (Mask(FILE, feather=0.1), pb.Mask(image=FILE, feather=0.1)),
    ],
)
def test_a_mask_reaches_the_server(stylize: Any, given: bytes | Mask, sent: pb.Mask) -> None:
    with serving(echo) as server:
        stylize(server.target, mask=given)

    request = server.calls[0].request
    assert request.mask == sent
    assert request.mask.HasField("feather") is sent.HasField("feather")


def test_without_a_mask_none_is_sent() -> None:
    with serving(echo) as server:
        stylize_sync(server.target)

    assert not server.calls[0].request.HasField("mask")


@both_clients
def test_a_job_gets_its_mask(connect: Any) -> None:
    with serving(ScriptedJobs()) as server, connect(server.target) as client:
        client.create_job(b"photo", Painting(b"painting"), mask=Mask(FILE, inverted=True))

    (request,) = server.requests("CreateStylization")
    assert request.stylize.mask == pb.Mask(image=FILE, inverted=True)


@pytest.mark.parametrize("stylize", [stylize_sync, stylize_async])
@pytest.mark.parametrize(
    ("mask", "field", "told"),
    [
        ("mask.png", "mask", "is a str; give the bytes"),
        (Path("mask.png"), "mask", "Path"),
        (b"", "mask", "no PNG file"),
        (b"\xff\xd8\xff\xe0 a JPEG", "mask", "no PNG file"),
        (Mask("mask.png"), "mask", "its image is a str"),  # type: ignore[arg-type]
        (Mask(FILE, feather=-0.01), "mask.feather", "give 0 to 0.1"),
        (Mask(FILE, feather=5), "mask.feather", "give 0 to 0.1"),
        (Mask(FILE, feather=math.nan), "mask.feather", "give 0 to 0.1"),
        (Mask(FILE, feather="soft"), "mask.feather", "give 0 to 0.1"),  # type: ignore[arg-type]
        (Mask(FILE, inverted="no"), "mask", "give True or False"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_mask_is_refused_before_the_call(stylize: Any, mask: Any, field: str, told: str) -> None:
    with serving(echo) as server, pytest.raises(InvalidRequest) as raised:
        stylize(server.target, mask=mask)

    assert raised.value.field == field
    assert told in raised.value.reason
    assert server.calls == []


@either_client
async def test_a_stream_has_one_mask_and_photos_have_their_own(connect: Connect, tmp_path: Path) -> None:
    photos = [photo(), Photo(photo(), mask=Mask(FILE, feather=0, inverted=True)), Photo(photo(), mask=OTHER)]
    async with serving_pictures(fake_bundle(tmp_path / "b")) as served, connect(served.server.address) as stylize:
        results = await collect(stylize(photos, "ink", format="png", mask=Mask(FILE, feather=0)))

    left = left_half()[:, :, None] == 255
    expected = [
        np.where(left, negative(), gradient()),
        np.where(left, gradient(), negative()),
        negative(),
    ]
    for result, wanted in zip(results, expected, strict=True):
        np.testing.assert_array_equal(pixels(result.get()), wanted)


@either_client
async def test_a_photo_of_another_size_than_the_streams_mask_has_an_error(connect: Connect, tmp_path: Path) -> None:
    async with serving_pictures(fake_bundle(tmp_path / "b")) as served, connect(served.server.address) as stylize:
        wrong, right = await collect(stylize([photo(40, 30), photo()], "ink", mask=FILE))

    assert isinstance(wrong.error, InvalidRequest)
    assert wrong.error.field == "mask"
    assert "64x48 px, and the photo 40x30 px" in wrong.error.reason
    assert right.get().image


def test_a_mask_shows_no_bytes() -> None:
    assert repr(Mask(FILE)) == "Mask(feather=None, inverted=False)"
    assert "mask" not in repr(Photo(b"photo", mask=FILE))
