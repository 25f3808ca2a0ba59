"""What the clients return."""

from __future__ import annotations

from dataclasses import dataclass, field

from impasto.v1 import stylizer_pb2 as pb
from impasto_client.formats import FORMAT_NAMES


@dataclass(frozen=True)
class StageTimes:
    """Where a call's time went on the server, in seconds.

    Attributes:
        decode: reading the photo, and scaling it to the working size.
        queue: waiting for the engine.
        engine: painting.
        encode: scaling to the output size, and writing the result.
    """

    decode: float
    queue: float
    engine: float
    encode: float


@dataclass(frozen=True)
class Stylized:
    """A painted photo.

    Attributes:
        image: the bytes of the picture file.
        format: its file format: `jpeg`, `png` or `webp`.
        width, height: px.
        working_size: (width, height) in px that it was painted at.
        stage_times: where the time went.
        notes: what had to be done otherwise than asked for, in words.
    """

    image: bytes = field(repr=False)
    format: str
    width: int
    height: int
    working_size: tuple[int, int]
    stage_times: StageTimes
    notes: tuple[str, ...] = ()

    @property
    def media_type(self) -> str:
        return f"image/{self.format}"

    @classmethod
    def from_proto(cls, reply: pb.StylizeResponse) -> Stylized:
        times = reply.stage_times
        return cls(
            image=reply.image,
            format=FORMAT_NAMES.get(reply.format, "jpeg"),
            width=reply.size.width,
            height=reply.size.height,
            working_size=(reply.working_size.width, reply.working_size.height),
            stage_times=StageTimes(
                decode=times.decode.ToNanoseconds() / 1e9,
                queue=times.queue.ToNanoseconds() / 1e9,
                engine=times.engine.ToNanoseconds() / 1e9,
                encode=times.encode.ToNanoseconds() / 1e9,
            ),
            notes=tuple(reply.notes),
        )


@dataclass(frozen=True)
class Style:
    """A style that the server paints.

    Attributes:
        name: the resource name, `bundles/starter/styles/starry-night`.
        id: what to give to `stylize`: `starter/starry-night`, or `starry-night` alone where that is unambiguous.
        title, artist, year: of the painting; empty where unknown.
        bundle_version: of the bundle that holds it.
        transformer_digest: SHA-256, in hex; styles can be blended when theirs is the same.
        thumbnail: a small JPEG of the painting; empty in a list unless asked for.
        model_card: Markdown; empty in a list.
    """

    name: str
    id: str
    title: str
    artist: str
    year: str
    bundle_version: str
    transformer_digest: str
    thumbnail: bytes = field(repr=False)
    model_card: str = field(repr=False)

    @classmethod
    def from_proto(cls, style: pb.Style) -> Style:
        return cls(
            name=style.name,
            id=style.style_id,
            title=style.title,
            artist=style.artist,
            year=style.year,
            bundle_version=style.bundle_version,
            transformer_digest=style.transformer_digest,
            thumbnail=style.thumbnail,
            model_card=style.model_card,
        )
