"""The gRPC service: decode, call, encode."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from impasto.logs import note
from impasto.v1 import stylizer_pb2 as pb
from impasto.v1.stylizer_pb2_grpc import StylizerServicer
from impasto_server.config import Config
from impasto_server.health import Health
from impasto_server.library import Library, Style
from impasto_server.metrics import Metrics
from impasto_server.paging import page
from impasto_server.painter import Painter, Painting
from impasto_server.requests import FORMATS, read_order
from impasto_server.sizes import Size

SERVICE = pb.DESCRIPTOR.services_by_name["Stylizer"].full_name

_FORMAT_NUMBERS = {written: number for number, written in FORMATS.items() if number != pb.IMAGE_FORMAT_UNSPECIFIED}


class Stylizer(StylizerServicer):
    """Speaks the API's messages, and leaves the work to others."""

    def __init__(self, config: Config, library: Library, painter: Painter, health: Health, metrics: Metrics) -> None:
        self._config = config
        self._library = library
        self._painter = painter
        self._health = health
        self._metrics = metrics

    @override
    async def Stylize(self, request: pb.StylizeRequest, context: Any) -> pb.StylizeResponse:
        order = read_order(request, max_working_size=self._config.max_working_size, max_pixels=self._config.max_pixels)
        brush = self._library.brush(order.style, order.strength)
        note(style=brush.label, strength=round(order.strength, 3), request_bytes=len(order.photo))
        self._health.check_warm()
        painting = await self._painter.paint(order, brush)
        self._metrics.painted(painting)
        note(**_noteworthy(painting))
        return _response(painting)

    @override
    async def ListStyles(self, request: pb.ListStylesRequest, context: Any) -> pb.ListStylesResponse:
        styles, next_token = page(self._library.styles, request.page_size, request.page_token)
        return pb.ListStylesResponse(
            styles=[_style(style, thumbnail=request.include_thumbnails, card=False) for style in styles],
            next_page_token=next_token,
        )

    @override
    async def GetStyle(self, request: pb.GetStyleRequest, context: Any) -> pb.Style:
        style = self._library.find(_style_id(request.name), field="name")
        return _style(style, thumbnail=True, card=True)


def _style_id(name: str) -> str:
    """Return the style id in a resource name; anything else is taken for an id."""
    match name.split("/"):
        case ["bundles", bundle, "styles", style]:
            return f"{bundle}/{style}"
        case _:
            return name


def _style(style: Style, *, thumbnail: bool, card: bool) -> pb.Style:
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


def _response(painting: Painting) -> pb.StylizeResponse:
    response = pb.StylizeResponse(
        image=painting.file,
        format=_FORMAT_NUMBERS[painting.format],
        size=_size(painting.size),
        working_size=_size(painting.working_size),
    )
    for stage in ("decode", "queue", "engine", "encode"):
        nanoseconds = round(painting.seconds.get(stage, 0.0) * 1e9)
        getattr(response.stage_times, stage).FromNanoseconds(nanoseconds)
    return response


def _size(size: Size) -> pb.Size:
    return pb.Size(width=size[0], height=size[1])


def _noteworthy(painting: Painting) -> dict[str, object]:
    times = {f"{stage}_ms": round(seconds * 1e3, 1) for stage, seconds in painting.seconds.items()}
    return {
        "size": "{}x{}".format(*painting.size),
        "working_size": "{}x{}".format(*painting.working_size),
        "format": painting.format.value,
        "reply_bytes": len(painting.file),
        **times,
    }
