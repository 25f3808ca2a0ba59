"""Videos: taken apart, painted, and put together again."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import numpy as np
import numpy.typing as npt
import pytest
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from impasto import images
from impasto_client import Client, InvalidRequest, StyleUnknown, video
from tests.server.support import serving
from tests.support import fake_bundle, gradient

RATE = 25
SIZE = (128, 96)
T = TypeVar("T")


class CountedFile(io.FileIO):
    """A file that counts what has been read of it."""

    bytes_read = 0

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        return data


def colour(number: int) -> images.Pixels:
    """Return the picture of a frame: one colour, and another for each."""
    return np.full((SIZE[1], SIZE[0], 3), [40 + 15 * number, 200 - 12 * number, 90], np.uint8)


def film(
    path: Path,
    pictures: list[images.Pixels],
    *,
    times: list[int] | None = None,
    sound: bool = False,
    colorspace: Colorspace = Colorspace.ITU709,
) -> Path:
    """Write a video, as a camera would: a frame each 1/25 s, or at these times in ms; with a tone, if asked for."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=RATE, options={"crf": "1"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 1000)
        stream.codec_context.colorspace = 1 if colorspace is Colorspace.ITU709 else 5
        stream.codec_context.color_range = 1
        tone: Any = container.add_stream("aac", rate=48_000, layout="mono") if sound else None
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p",
                dst_colorspace=colorspace,
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
            )
            frame.pts, frame.time_base = times[number] if times else number * 1000 // RATE, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if tone:
            for number in range(len(pictures) * 48_000 // RATE // 1024):
                wave = np.sin(np.arange(1024) * 0.06).astype(np.float32)[None]
                samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
                samples.rate, samples.pts = 48_000, number * 1024
                container.mux(tone.encode(samples))
            container.mux(tone.encode())
    return path


def turned(path: Path, matrix: list[int]) -> Path:
    """Let a video say that it is to be turned, as a phone does: in the track header of the MP4 file."""
    data = bytearray(path.read_bytes())
    begin = data.index(b"tkhd") + 4 + 40  # ISO/IEC 14496-12, 8.3.2: the matrix of a version 0 header
    data[begin : begin + 36] = np.asarray(matrix, ">i4").tobytes()
    path.write_bytes(data)
    return path


def read(image: bytes) -> images.Pixels:
    return images.decode(image)


def pictures_of(path: Path) -> list[npt.NDArray[np.float64]]:
    return [read(frame).astype(float) for frame in video.frames(path)]


def test_the_frames_of_a_video_are_jpeg_files_in_its_colours(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", [colour(number) for number in range(10)])

    found = list(video.frames(path))

    assert len(found) == 10
    for number, frame in enumerate(found):
        assert frame.startswith(b"\xff\xd8\xff")
        np.testing.assert_allclose(read(frame).astype(float), colour(number), atol=3)


@pytest.mark.parametrize("colorspace", [Colorspace.ITU601, Colorspace.ITU709])
def test_colours_are_right_whatever_matrix_the_video_has(tmp_path: Path, colorspace: Colorspace) -> None:
    red = np.full((96, 128, 3), [220, 30, 40], np.uint8)

    (frame,) = video.frames(film(tmp_path / "film.mp4", [red], colorspace=colorspace))

    np.testing.assert_allclose(read(frame).astype(float), red, atol=3)


def test_frames_are_decoded_as_they_are_asked_for(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8) for _ in range(60)]
    path = film(tmp_path / "film.mp4", pictures)

    with CountedFile(path) as file:
        found = video.frames(file)
        assert file.bytes_read == 0
        next(found)
        for_one = file.bytes_read
        assert len(list(found)) == 59

    assert 0 < for_one < file.bytes_read / 2


def test_every_third_frame_is_taken_with_a_stride_of_three(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", [colour(number) for number in range(10)])

    found = [read(frame) for frame in video.frames(path, stride=3)]

    assert len(found) == 4
    for frame, number in zip(found, (0, 3, 6, 9), strict=True):
        np.testing.assert_allclose(frame.astype(float), colour(number), atol=3)


def test_a_higher_quality_is_closer_and_larger(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", [gradient(*SIZE)])

    coarse, fine = (next(video.frames(path, quality=quality)) for quality in (20, 95))

    assert len(coarse) < len(fine)
    original = gradient(*SIZE).astype(float)
    assert np.abs(read(coarse) - original).mean() > np.abs(read(fine) - original).mean()


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30], lambda picture: np.rot90(picture, -1)),
        ([0, -(1 << 16), 0, 1 << 16, 0, 0, 0, 0, 1 << 30], lambda picture: np.rot90(picture, 1)),
        ([-(1 << 16), 0, 0, 0, -(1 << 16), 0, 0, 0, 1 << 30], lambda picture: np.rot90(picture, 2)),
    ],
)
def test_what_a_phone_filmed_on_its_side_stands_upright(
    tmp_path: Path, matrix: list[int], turn: Callable[[images.Pixels], images.Pixels]
) -> None:
    path = turned(film(tmp_path / "film.mp4", [gradient(*SIZE)] * 3), matrix)

    found = list(video.frames(path))

    assert len(found) == 3
    for frame in found:
        np.testing.assert_allclose(read(frame).astype(float), turn(gradient(*SIZE)), atol=16)


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_a_file_that_is_no_video_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)

    with pytest.raises(InvalidRequest, match=r"film\.mp4 is no video, or a damaged one") as raised:
        list(video.frames(path))

    assert raised.value.field == "source"


def test_a_file_without_pictures_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as container:
        tone: Any = container.add_stream("aac", rate=48_000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        samples.rate = 48_000
        container.mux([*tone.encode(samples), *tone.encode()])

    with pytest.raises(InvalidRequest, match=r"sound\.mp4 has no pictures"):
        list(video.frames(path))


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(video.frames(tmp_path / "film.mp4"))


@pytest.mark.parametrize(("option", "value"), [("quality", 0), ("quality", 101), ("stride", 0)])
def test_an_option_out_of_range_is_refused(option: str, value: int) -> None:
    with pytest.raises(InvalidRequest) as raised:
        video.frames("film.mp4", **{option: value})

    assert raised.value.field == option


@pytest.mark.parametrize("suffix", video.TARGETS)
@pytest.mark.parametrize("format", images.Format)
def test_pictures_are_written_as_a_video(tmp_path: Path, suffix: str, format: images.Format) -> None:
    path = tmp_path / f"painted{suffix}"

    count = video.write(
        path, (images.encode(colour(number), format=format) for number in range(10)), Fraction(30000, 1001)
    )

    assert count == 10
    for number, picture in enumerate(pictures_of(path)):
        np.testing.assert_allclose(picture, colour(number), atol=6)
    with av.open(str(path)) as container:
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(29.97, abs=0.01)
    assert list(tmp_path.iterdir()) == [path]


def test_a_picture_of_odd_size_is_made_even(tmp_path: Path) -> None:
    video.write(tmp_path / "painted.mp4", [images.encode(gradient(65, 49))], RATE)

    assert [picture.shape for picture in pictures_of(tmp_path / "painted.mp4")] == [(48, 64, 3)]


@pytest.mark.parametrize(
    ("target", "pictures", "rate", "field"),
    [
        ("painted.txt", [images.encode(gradient())], RATE, "target"),
        ("painted.mp4", [images.encode(gradient())], 0, "rate"),
        ("painted.mp4", [images.encode(gradient()), b"no picture"], RATE, "images"),
        ("painted.mp4", [], RATE, "images"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(
    tmp_path: Path, target: str, pictures: list[bytes], rate: float, field: str
) -> None:
    with pytest.raises(InvalidRequest) as raised:
        video.write(tmp_path / target, pictures, rate)

    assert raised.value.field == field
    assert list(tmp_path.iterdir()) == []


async def test_a_video_is_painted_frame_by_frame(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", [colour(number) for number in range(10)])

    count = await with_client(tmp_path, lambda client: video.stylize_video(client, source, tmp_path / "out.mp4", "ink"))

    assert count == 10
    painted = pictures_of(tmp_path / "out.mp4")
    assert len(painted) == 10
    for number, picture in enumerate(painted):
        np.testing.assert_allclose(picture, 255.0 - colour(number), atol=6)


async def test_a_painted_video_keeps_its_sound_and_the_times_of_its_frames(tmp_path: Path) -> None:
    times = [0, 30, 100, 120, 250, 400]  # ms
    source = film(tmp_path / "film.mp4", [colour(number) for number in range(6)], times=times, sound=True)
    target = tmp_path / "out.mp4"

    await with_client(tmp_path, lambda client: video.stylize_video(client, source, target, "ink", width=64))

    with av.open(str(target)) as container:
        assert [round((frame.time or 0) * 1000) for frame in container.decode(video=0)] == times
    assert heard(target) == heard(source)
    assert len(heard(source)) > 5


async def test_a_video_is_painted_without_its_sound_if_so_asked(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", [colour(1)] * 5, sound=True)
    target = tmp_path / "out.mkv"

    await with_client(tmp_path, lambda client: video.stylize_video(client, source, target, "ink", audio=False))

    assert heard(target) == []


async def test_a_frame_that_cannot_be_painted_ends_the_video_and_leaves_no_file(tmp_path: Path) -> None:
    source = film(tmp_path / "film.mp4", [colour(1)] * 5)

    with pytest.raises(StyleUnknown):
        await with_client(tmp_path, lambda client: video.stylize_video(client, source, tmp_path / "out.mp4", "nobodys"))

    assert not list(tmp_path.glob("*out*"))


def test_without_pyav_the_extra_is_named() -> None:
    program = "import sys; sys.modules['av'] = None; import impasto_client.video"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)

    assert "av is not installed; run: pip install 'impasto[video]'" in done.stderr


async def with_client(folder: Path, work: Callable[[Client], T]) -> T:
    """Do what blocks, in a thread, against a server in this event loop."""

    def connected(target: str) -> T:
        with Client(target) as client:
            return work(client)

    async with serving(fake_bundle(folder / "bundle")) as served:
        return await asyncio.to_thread(connected, str(served.server.address))


def heard(path: Path) -> list[tuple[float, bytes]]:
    """Return time and bytes of every packet of sound."""
    with av.open(str(path)) as container:
        tracks = container.streams.audio
        packets: Iterator[Any] = container.demux(tracks[0]) if tracks else iter(())
        return [(round(float(packet.dts * packet.time_base), 3), bytes(packet)) for packet in packets if packet.size]
