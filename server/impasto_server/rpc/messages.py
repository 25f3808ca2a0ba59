"""The server's words as the API's messages."""

from __future__ import annotations

from google.protobuf.duration_pb2 import Duration

from impasto.images import Size
from impasto.v1 import stylizer_pb2 as pb
from impasto_server.bundles.library import Style
from impasto_server.painting import Painting
from impasto_server.rpc.requests import FORMATS

FORMAT_NUMBERS = {written: number for number, written in FORMATS.items() if number != pb.IMAGE_FORMAT_UNSPECIFIED}


def style(style: Style, *, thumbnail: bool, card: bool) -> pb.Style:
    """Return the resource that a style is, with its larger parts if they are wanted."""
    return pb.Style(
        name=style.name,
        style_id=style.id,
        title=style.info.title,
        artist=style.info.artist,
        year=style.info.year,
        bundle_version=style.bundle.version,
        transformer_digest=style.bundle.transformer,
        thumbnail=style.info.thumbnail if thumbnail else b"",
        model_card=style.info.card if card else "",
    )


def painted(painting: Painting) -> pb.StylizeResponse:
    """Return the answer to a call whose photo has been painted."""
    response = pb.StylizeResponse(
        image=painting.file,
        format=FORMAT_NUMBERS[painting.format],
        size=size(painting.size),
        working_size=size(painting.working_size),
    )
    for stage in ("decode", "queue", "engine", "encode"):
        set_seconds(getattr(response.stage_times, stage), painting.seconds.get(stage, 0.0))
    return response


def size(size: Size) -> pb.Size:
    return pb.Size(width=size[0], height=size[1])


def set_seconds(duration: Duration, seconds: float) -> None:
    duration.FromNanoseconds(round(seconds * 1e9))
