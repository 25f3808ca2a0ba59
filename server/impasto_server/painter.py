"""The way of one photo through the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter

from impasto.images import Format, Limits, Pixels, Size, decode, encode, resize
from impasto_server.admission import Admission
from impasto_server.codec import Codec
from impasto_server.engines import Engines
from impasto_server.library import Brush
from impasto_server.order import Order, TrainedOrder
from impasto_server.sizes import output_size, working_size


@dataclass(frozen=True)
class Painting:
    """A photo painted.

    Attributes:
        file: a picture file.
        format: its format.
        size: its size.
        working_size: what it was painted at.
        pixels: how many were painted; 0 where the photo was wanted as it is.
        seconds: stage -> s: `decode`, `queue`, `engine`, `encode`, `total`; without queue and engine where not painted.
    """

    file: bytes = field(repr=False)
    format: Format
    size: Size
    working_size: Size
    pixels: int
    seconds: Mapping[str, float]


class Painter:
    """Paints orders.

    Args:
        engines: what paints.
        admission: who may come in.
        codec: what decodes, scales and encodes.
        default_working_size: px, the long side that larger photos are painted at.
        max_pixels: that a photo or a result may have.
    """

    def __init__(
        self,
        engines: Engines,
        admission: Admission,
        codec: Codec,
        *,
        default_working_size: int,
        max_pixels: int,
    ) -> None:
        self._engines = engines
        self._admission = admission
        self._codec = codec
        self._default_working_size = default_working_size
        self._limits = Limits(max_pixels)

    async def paint(self, order: TrainedOrder, brush: Brush) -> Painting:
        """Paint one photo.

        Raises:
            Overloaded: no place is free.
            InvalidInput: a photo that cannot be read, or a size that does not suit it.
            EngineError: the run failed.
        """
        with self._admission.admit():
            begun = perf_counter()
            pixels, size = await self._codec.run(self._prepare, order, brush)
            seconds = {"decode": perf_counter() - begun}
            painted_at: Size = (pixels.shape[1], pixels.shape[0])
            if brush.paints:
                run = await self._engines.run(pixels, brush)
                pixels = run.pixels
                seconds |= {"queue": run.queued, "engine": run.painting}
            finishing = perf_counter()
            file = await self._codec.run(_finish, pixels, size, order)
            done = perf_counter()
            seconds |= {"encode": done - finishing, "total": done - begun}
            painted = painted_at[0] * painted_at[1] if brush.paints else 0
            return Painting(file, order.format, size, painted_at, painted, seconds)

    def _prepare(self, order: Order, brush: Brush) -> tuple[Pixels, Size]:
        """Return what to paint, at its working size, and the size of the result.

        A photo that will not be painted keeps its own size: scaling there and back would blur it.
        """
        photo = decode(order.photo, limits=self._limits)
        size: Size = (photo.shape[1], photo.shape[0])
        result = output_size(size, order.output_size, order.format, self._limits.max_pixels)
        if not brush.paints:
            return photo, result
        return resize(photo, *working_size(size, order.working_size, self._default_working_size)), result


def _finish(pixels: Pixels, size: Size, order: Order) -> bytes:
    return encode(resize(pixels, *size), format=order.format, quality=order.quality)
