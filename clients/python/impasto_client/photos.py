"""The photos of a stream, and what becomes of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from impasto_client.errors import ImpastoClientError
from impasto_client.masks import MaskLike
from impasto_client.results import Stylized

TrainedStyle = str | Mapping[str, float]
"""A style's id, or a blend: ids and their weights."""


@dataclass(frozen=True)
class Photo:
    """A photo of a stream, with options of its own; what it leaves out is as for the whole stream.

    Attributes:
        image: the bytes of a JPEG, PNG, WebP, AVIF or HEIC file.
        id: what its result is called by; by default its number, from 0, among the photos of the stream.
        style: a trained style's id, or a blend, `{"starry-night": 2, "the-scream": 1}`.
        strength, working_size, width, height, format, quality, metadata, mask: as for `Client.stylize`.
    """

    image: bytes = field(repr=False)
    id: str | None = None
    style: TrainedStyle | None = None
    strength: float | None = None
    working_size: int | None = None
    width: int | None = None
    height: int | None = None
    format: str | None = None
    quality: int | None = None
    metadata: str | None = None
    mask: MaskLike | None = field(default=None, repr=False)


PhotoLike = bytes | tuple[str, bytes] | Photo
"""What a stream takes for a photo: the bytes of a file, these with an id, or with an id and options."""


@dataclass(frozen=True)
class StreamResult:
    """What became of one photo of a stream.

    Attributes:
        id: the photo's.
        stylized: the painted photo; None where there is none.
        error: why there is none.
    """

    id: str
    stylized: Stylized | None = None
    error: ImpastoClientError | None = None

    def get(self) -> Stylized:
        """Return the painted photo, or raise the error."""
        if self.stylized is None:
            assert self.error is not None
            raise self.error
        return self.stylized
