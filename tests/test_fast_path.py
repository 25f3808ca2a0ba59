"""The fast path with the engine that this machine has, where the other tests have a fake: batches, frames, an end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import grpc
import numpy as np
import pytest

from impasto import images
from impasto.bundle import STARTER, load_bundle
from impasto.engine import Cancellation, Engine, Provider, available_providers, open_engine
from impasto.engine.probe import decibels
from impasto.errors import RunCancelled
from impasto.images import Format, Pixels, Planes, planes_of
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerStub
from impasto_server.local import local_server
from tests.test_starter import sample

STYLES = ("starry-night", "great-wave", "the-scream", "udnie")
STEP = 8  # px, that the frames of a pan lie apart
_LUMA = (0.299, 0.587, 0.114)


@pytest.fixture(scope="module", params=available_providers(), ids=lambda provider: provider.value)
def engine(request: pytest.FixtureRequest) -> Engine:
    return open_engine(load_bundle(STARTER), provider=request.param)


def test_in_a_batch_of_mixed_styles_each_photo_gets_the_pixels_that_it_gets_alone(engine: Engine) -> None:
    bundle = load_bundle(STARTER)
    photos = [sample(name, 128) for name in ("astronaut.png", "coffee.png", "chelsea.png", "astronaut.png")]
    codes = np.stack([bundle.code(style) for style in STYLES])
    mixed = engine.run(planes_of(photos), codes)
    for index, photo in enumerate(photos):
        in_the_mix = mixed[index : index + 1]
        among_its_own = engine.run(planes_of([photo] * len(photos)), np.stack([codes[index]] * len(photos)))[:1]
        alone = engine.run(planes_of([photo]), codes[index : index + 1])
        assert levels_apart(in_the_mix, among_its_own) <= 1
        if engine.precision == "fp32":
            assert levels_apart(in_the_mix, alone) <= 1
        assert decibels(in_the_mix, alone) > 50  # bfloat16 is rounded in another order in a batch of another size


def levels_apart(one: Planes, other: Planes) -> int:
    """Return how many of 255 levels two pictures differ by at most."""
    return int(np.abs(images.to_pixels(one).astype(int) - images.to_pixels(other)).max())


def test_a_run_on_the_plain_cpu_stops_when_it_is_told_to() -> None:
    bundle = load_bundle(STARTER)
    engine = open_engine(bundle, provider=Provider.CPU)
    cancellation = Cancellation()
    photo = planes_of([sample("astronaut.png", 1024)])
    stopper = threading.Timer(0.05, cancellation.cancel)
    stopper.start()
    with pytest.raises(RunCancelled):
        engine.run(photo, bundle.code("udnie")[None], cancellation)
    stopper.join()
    assert engine.run(photo[:, :, :64, :64], bundle.code("udnie")[None]).shape == (1, 3, 64, 64)


def pan() -> list[Pixels]:
    """Return the frames of a camera that moves over a photo."""
    photo = sample("coffee.png", 512)
    return [np.ascontiguousarray(photo[100:356, x : x + 320]) for x in range(0, 192, STEP)]


@pytest.mark.parametrize("style", STYLES)
async def test_the_frames_of_a_video_do_not_pump_in_brightness(tmp_path: Path, style: str) -> None:
    frames = pan()

    def messages() -> Iterator[pb.StylizeStreamRequest]:
        defaults = pb.StylizeRequest(style_id=style, format=pb.IMAGE_FORMAT_PNG)
        yield pb.StylizeStreamRequest(config=pb.StylizeStreamConfig(defaults=defaults))
        for frame in frames:
            request = pb.StylizeRequest(image=images.encode(frame, format=Format.PNG))
            yield pb.StylizeStreamRequest(item=pb.StylizeStreamItem(request=request))

    with local_server(tmp_path) as server:
        async with grpc.aio.insecure_channel(server.target) as channel:
            stub = StylizerStub(channel)  # type: ignore[no-untyped-call]
            painted = [images.decode(answer.response.image) async for answer in stub.StylizeStream(messages())]
    assert len(painted) == len(frames)
    steps = [brightness_step(*pair) for pair in pairwise(painted)]
    drift = np.cumsum(steps)
    slow = np.convolve(np.pad(drift, 4, mode="edge"), np.full(9, 1 / 9), mode="valid")
    assert np.abs(steps).max() < 2.5  # of 255, between two frames
    assert np.abs(drift - slow).max() < 2.5  # nothing that comes and goes


def brightness_step(before: Pixels, after: Pixels) -> float:
    """Return how much brighter what both frames show is in the second."""
    shown_before, shown_after = before[16:-16, STEP + 16 : -16], after[16:-16, 16 : -16 - STEP]
    return float(((shown_after.astype(float) - shown_before) @ _LUMA).mean())


async def test_a_flood_of_one_client_leaves_the_next_its_turn(tmp_path: Path) -> None:
    photo = images.encode(sample("astronaut.png", 512))
    options = [("grpc.use_local_subchannel_pool", 1)]

    def stub(channel: grpc.aio.Channel) -> StylizerStub:
        return StylizerStub(channel)  # type: ignore[no-untyped-call]

    request = pb.StylizeRequest(image=photo, style_id="udnie")
    with local_server(tmp_path) as server:
        async with (
            grpc.aio.insecure_channel(server.target, options) as flooding,
            grpc.aio.insecure_channel(server.target, options) as calm,
        ):
            await stub(calm).Stylize(request)
            finished: list[str] = []

            async def call(channel: grpc.aio.Channel, name: str) -> None:
                await stub(channel).Stylize(request)
                finished.append(name)

            flood = [asyncio.ensure_future(call(flooding, "flood")) for _ in range(16)]
            while not finished:
                await asyncio.sleep(0.001)
            await call(calm, "calm")
            await asyncio.gather(*flood)
    assert finished.index("calm") < 8
