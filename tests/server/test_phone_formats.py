"""Photos in the formats of phones, sent to a server."""

from __future__ import annotations

import io
from pathlib import Path

import grpc
import numpy as np
import pytest
from PIL import Image

from benchmarks.heifs import grid, heif, turned
from benchmarks.hostile_heifs import heic
from impasto import apart, images
from tests.server.support import serving
from tests.support import fake_bundle, gradient


async def test_an_avif_is_painted(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(gradient()).save(buffer, "AVIF", quality=100, subsampling="4:4:4")

    async with serving(fake_bundle(tmp_path / "bundle")) as served:
        painted = images.decode((await served.stylize(image=buffer.getvalue())).image)

    assert (painted == 255 - images.decode(buffer.getvalue())).all()


@pytest.mark.skipif(not apart.folders(), reason="HEIC is read with impasto[heif]")
async def test_a_portrait_in_heic_is_painted_upright(tmp_path: Path) -> None:
    photo = heif(grid(1, 1, 64, 48, 2).having(turned(3)), heic("tile"))

    async with serving(fake_bundle(tmp_path / "bundle")) as served:
        response = await served.stylize(image=photo)

    painted = images.decode(response.image)
    assert painted.shape == (64, 48, 3)
    assert np.abs(painted.astype(int) - (255 - images.decode(photo).astype(int))).max() <= 1


async def test_a_video_is_refused_with_what_is_read(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "bundle")) as served:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await served.stylize(image=b"\0\0\0\x14ftypqt  \0\0\0\0qt  ")

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "which is no JPEG, PNG, WebP, AVIF" in str(caught.value.details())
