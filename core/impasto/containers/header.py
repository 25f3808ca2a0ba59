"""What every kind of file says before its pixels, and how one is refused."""

from __future__ import annotations

from dataclasses import dataclass, field

from impasto.errors import UnreadableImage

MAX_PROFILE = 4 * 1024**2  # bytes; presses' profiles have up to about three million
MAX_PIECES = 2000  # chunks or segments of a file, whatever its length ...
BYTES_A_PIECE = 256  # ... and one more for each so many bytes; encoders write them of 4096 or more


@dataclass(frozen=True)
class Header:
    """A picture's file, as far as its pixels.

    Attributes:
        width, height: px, as stored.
        file: of the same kind, with nothing in it but what the pixels are decoded from.
        exif: its EXIF block, of which nothing has been checked; empty where it has none.
        profile: its colour profile, of which nothing has been checked.
        coding: of a HEIF file, which kind of picture it is: AVIF or HEIC.
        orientation: which way up it is, by EXIF's numbers; None where its EXIF block tells.
        crop: left, top, right and bottom of what is shown of it, px; None for all of it.
    """

    width: int
    height: int
    file: bytes = field(repr=False)
    exif: bytes = field(default=b"", repr=False)
    profile: bytes | None = field(default=None, repr=False)
    coding: str = ""
    orientation: int | None = None
    crop: tuple[int, int, int, int] | None = None


def damaged(field: str, why: str) -> UnreadableImage:
    """Return the error about a picture of which something is missing or wrong."""
    return UnreadableImage(field, f"is a damaged picture ({why}); send the whole file, or save it anew")


def most_pieces(data: bytes) -> int:
    """Return how many chunks or segments a file of this length may have."""
    return MAX_PIECES + len(data) // BYTES_A_PIECE


def too_many_pieces(field: str, kind: str, allowed: int) -> UnreadableImage:
    return UnreadableImage(field, f"is a {kind} in more than {allowed:,} pieces; save it anew")


def check_profile(size: int, field: str) -> None:
    """Raise UnreadableImage unless a colour profile may have this many bytes."""
    if size > MAX_PROFILE:
        raise UnreadableImage(
            field, f"has a colour profile of more than {MAX_PROFILE // 1024**2} MiB; convert the picture to sRGB"
        )
