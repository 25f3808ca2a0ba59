"""Pictures are large: none may outlive its request until Python happens to collect its garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from impasto_server.fast.scheduler import Piece, Run
from impasto_server.painting import Painting
from tests.server.support import refusal, serving
from tests.support import fake_bundle


@contextmanager
def garbage_kept() -> Iterator[list[object]]:
    """Collect what only cycles hold, and give it to whoever asks when the block has ended."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.garbage.clear()
    found: list[object] = []
    try:
        yield found
        gc.collect()
        found += gc.garbage
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def pictures(objects: list[object]) -> list[object]:
    return [item for item in objects if type(item) in (np.ndarray, Painting, Piece, Run)]


async def test_a_painted_photo_leaves_no_picture_behind(tmp_path: Path) -> None:
    async with serving(fake_bundle(tmp_path / "b")) as served:
        await served.stylize()
        gc.disable()
        try:
            with garbage_kept() as found:
                for _ in range(5):
                    await served.stylize()
                await served.stylize(strength=0)
                await refusal(served.stylize(image=b"no picture"))
        finally:
            gc.enable()
    assert pictures(found) == []
