"""Videos: their frames as photos for a stream, and painted frames as a video.

    from impasto_client import Client, video

    with Client() as client:
        video.stylize_video(client, "holiday.mp4", "painted.mp4", "starry-night")

Needs PyAV: `pip install 'impasto[video]'`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from impasto.errors import MissingDependency
from impasto_client.client import Client
from impasto_client.errors import InvalidRequest
from impasto_client.photos import Photo, TrainedStyle

try:
    import av
    from av.audio.stream import AudioStream
    from av.container import InputContainer, OutputContainer
    from av.filter import Graph
    from av.video.frame import VideoFrame
    from av.video.reformatter import ColorRange, Colorspace, Interpolation
    from av.video.stream import VideoStream
except ImportError as error:
    raise MissingDependency("av", "video") from error

Source = str | Path | IO[bytes]
"""A video file: its path, or itself, opened for reading bytes."""

FRAME_QUALITY = 95  # of the JPEG files that go to the server, and that come back
TARGETS = (".mp4", ".mov", ".mkv")
"""The files that can be written, by their suffix."""

_USUAL_RATE = Fraction(25)  # frames a second, and s, of a video that does not say
_USUAL_TICK = Fraction(1, 90_000)
_ENCODING = {"crf": "18"}  # nearly without visible loss: strokes are detail, of which the default, 23, loses some
_BT709, _LIMITED = 1, 1  # colour matrix and range as H.264 numbers them; what is not said, players guess by the size
_SCALING = Interpolation.BICUBIC | Interpolation.ACCURATE_RND  # without it, colours come out a level or two darker
_TURNS = {90: ["cclock"], -90: ["clock"], 180: ["clock"] * 2, -180: ["clock"] * 2}  # degrees, counterclockwise


def frames(source: Source, *, quality: int = FRAME_QUALITY, stride: int = 1) -> Iterator[bytes]:
    """Iterate over the frames of a video, upright, as JPEG files. They are decoded as they are asked for.

    Args:
        source: the video.
        quality: 1 to 100, of the JPEG files.
        stride: 2 for every other frame, 3 for every third, and so on.

    Raises:
        InvalidRequest: it is no video, or a damaged one; or a value is not allowed.
        OSError: the file cannot be read.
    """
    if not 1 <= quality <= 100:
        raise InvalidRequest("quality", f"{quality} is out of range; give 1 to 100")
    if stride < 1:
        raise InvalidRequest("stride", f"{stride} is out of range; give 1 or more")
    return (_jpeg(frame, quality) for number, frame in enumerate(_decoded(source)) if number % stride == 0)


def write(target: str | Path, images: Iterable[bytes], rate: float | Fraction) -> int:
    """Write pictures as a video, H.264, and return how many there were. The file is there when it is whole.

    Args:
        target: an .mp4, .mov or .mkv file.
        images: the bytes of JPEG, PNG or WebP files. The first decides on the size, which H.264 wants even.
        rate: frames a second.

    Raises:
        InvalidRequest: a picture that cannot be read, another kind of file, or a rate that is none.
        OSError: the file cannot be written.
    """
    if not rate > 0:
        raise InvalidRequest("rate", f"{rate} is out of range; give frames a second, above 0")
    steady = Fraction(rate).limit_denominator(100_000)
    with _Writer(target, steady, 1 / steady) as writer:
        return sum(writer.add(image, number) for number, image in enumerate(images))


def stylize_video(
    client: Client,
    source: str | Path,
    target: str | Path,
    style: TrainedStyle,
    *,
    audio: bool = True,
    **options: Any,
) -> int:
    """Paint a video, and return how many frames it has. Each keeps its time, and the sound is copied as it is.

    Args:
        client: who paints.
        source: the video.
        target: an .mp4, .mov or .mkv file, which is there when it is whole.
        style: as for `Client.stylize_stream`.
        audio: whether to copy the first audio track.
        options: as for `Client.stylize_stream`: strength, working_size, width, height, window, timeout, on_lost.

    Raises:
        InvalidRequest: the source is no video, or a damaged one; the target is of another kind; or a value is not
            allowed.
        OSError: a file cannot be read, or written.
        ImpastoClientError: what went wrong with a frame, or with all.
    """

    def photos() -> Iterator[Photo]:
        for frame in _decoded(source):
            if frame.pts is None:
                raise _no_video(source, "does not say when its frames are due")
            yield Photo(_jpeg(frame, FRAME_QUALITY), id=str(frame.pts))

    with _opened(source) as opened:
        stream = _video(source, opened)
        rate, tick = stream.average_rate or _USUAL_RATE, stream.time_base or _USUAL_TICK
        track = next(iter(opened.streams.audio if audio else ()), None)
        results = client.stylize_stream(photos(), style, format="jpeg", quality=FRAME_QUALITY, **options)
        with closing(results), _Writer(target, rate, tick, track) as writer:
            return sum(writer.add(result.get().image, int(result.id)) for result in results)


class _Writer:
    """A video that is being written, beside the place where it will be."""

    def __init__(self, target: str | Path, rate: Fraction, tick: Fraction, track: AudioStream | None = None) -> None:
        """Begin.

        Args:
            target: where it will be.
            rate: frames a second, on the average.
            tick: s, the unit of the frames' times.
            track: what to copy beside the pictures.
        """
        self._target = Path(target)
        if self._target.suffix.lower() not in TARGETS:
            raise InvalidRequest("target", f"{self._target.name} is of another kind; give one of {', '.join(TARGETS)}")
        self._rate = rate
        self._tick = tick
        self._track = track
        self._draft = self._target.with_name(f".{self._target.stem}.draft{self._target.suffix}")
        self._closing = ExitStack()
        self._closing.callback(self._draft.unlink, missing_ok=True)
        self._output: OutputContainer = self._closing.enter_context(av.open(str(self._draft), "w"))
        self._pictures: VideoStream | None = None
        self._sound: Iterator[av.Packet[AudioStream]] = iter(())
        self._heard: av.Packet[AudioStream] | None = None

    def add(self, image: bytes, time: int) -> int:
        """Add a picture that is shown from this tick on; return 1."""
        frame = _picture(image)
        if self._pictures is None:
            self._pictures = self._begin(frame.width, frame.height)
        frame = frame.reformat(
            width=self._pictures.width,
            height=self._pictures.height,
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=_SCALING,
        )
        frame.pts, frame.time_base = time, self._tick
        self._copy_sound(time * self._tick)
        self._output.mux(self._pictures.encode(frame))
        return 1

    def __enter__(self) -> _Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._closing:
            if error is None:
                self._finish()

    def _finish(self) -> None:
        if self._pictures is None:
            raise InvalidRequest("images", "there are none; give at least one")
        self._output.mux(self._pictures.encode())
        self._copy_sound(None)
        self._output.close()
        self._draft.replace(self._target)

    def _begin(self, width: int, height: int) -> VideoStream:
        stream = self._output.add_stream("libx264", rate=self._rate, options=_ENCODING)
        stream.width, stream.height, stream.pix_fmt = max(2, width // 2 * 2), max(2, height // 2 * 2), "yuv420p"
        context: Any = stream.codec_context
        context.time_base = self._tick
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED
        if self._track:
            copied = self._output.add_stream_from_template(self._track)
            self._sound = _packets(self._track, copied)
            self._heard = next(self._sound, None)
        return stream

    def _copy_sound(self, until: Fraction | None) -> None:
        """Copy what is heard before a time in s, or all that is left."""
        while (packet := self._heard) and (until is None or (packet.dts or 0) * packet.time_base < until):
            self._heard = next(self._sound, None)
            self._output.mux(packet)


def _packets(track: AudioStream, copied: AudioStream) -> Iterator[av.Packet[AudioStream]]:
    container: Any = track.container
    for packet in container.demux(track):
        if packet.dts is not None:  # the last, which is empty, has none
            packet.stream = copied
            yield packet


def _decoded(source: Source) -> Iterator[VideoFrame]:
    with _opened(source) as container:
        stream = _video(source, container)
        stream.thread_type = "AUTO"
        turns: dict[int, Graph] = {}
        for frame in container.decode(stream):
            yield _upright(frame, turns)


@contextmanager
def _opened(source: Source) -> Iterator[InputContainer]:
    try:
        with av.open(source, "r") as container:
            yield container
    except av.error.InvalidDataError as error:
        raise _no_video(source, f"is no video, or a damaged one ({error.strerror})") from error


def _video(source: Source, container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise _no_video(source, "has no pictures")
    return container.streams.video[0]


def _no_video(source: Source, why: str) -> InvalidRequest:
    name = source if isinstance(source, str | Path) else getattr(source, "name", "the file")
    return InvalidRequest("source", f"{name} {why}; give a video file, such as an .mp4")


def _upright(frame: VideoFrame, turns: dict[int, Graph]) -> VideoFrame:
    """Return a frame as it is to be looked at: phones store what they film as their sensor lies."""
    turn = frame.rotation
    if turn not in _TURNS:
        return frame
    if turn not in turns:
        turns[turn] = _turning(frame, _TURNS[turn])
    turns[turn].vpush(frame)
    return turns[turn].vpull()


def _turning(frame: VideoFrame, directions: list[str]) -> Graph:
    graph = Graph()
    buffer = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1, 1)
    )
    steps = [graph.add("transpose", direction) for direction in directions]
    graph.link_nodes(buffer, *steps, graph.add("buffersink")).configure()
    return graph


def _jpeg(frame: VideoFrame, quality: int) -> bytes:
    """Return a frame as a JPEG file, whose colours are full-range BT.601 (JFIF 1.02, page 3)."""
    picture = frame.reformat(
        format="yuvj420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG, interpolation=_SCALING
    )
    encoder: Any = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    encoder.thread_count = 1
    encoder.qmin = encoder.qmax = _quantizer(quality)
    picture.pts = None
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode()])


def _quantizer(quality: int) -> int:
    """Return FFmpeg's scale of the quantization tables, in eighths, for libjpeg's quality."""
    percent = 5000 / quality if quality < 50 else 200 - 2 * quality
    return min(31, max(1, round(percent * 8 / 100)))


def _picture(image: bytes) -> VideoFrame:
    try:
        with av.open(io.BytesIO(image), "r") as container:
            return next(container.decode(video=0))
    except av.error.InvalidDataError as error:
        raise InvalidRequest("images", "one is no picture; give the bytes of JPEG, PNG or WebP files") from error
