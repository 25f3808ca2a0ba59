"""Which size a photo is painted at, and which size it leaves in. Sizes are (width, height) in px."""

from __future__ import annotations

from impasto.errors import ImageTooLarge, InvalidInput
from impasto.images import MIN_SIDE, Format, Size, fit
from impasto_server.order import OutputSize


def working_size(photo: Size, asked: int | None, default: int) -> Size:
    """Return the size to paint at.

    Args:
        photo: of the photo.
        asked: the long side that the request names.
        default: the longest long side otherwise.

    A very long and thin photo is painted a little less thin, since no side may be below MIN_SIDE: keeping its
    proportions would make the long side, and with it the work, as large as the caller likes.
    """
    width, height = fit(*photo, asked or min(max(photo), default))
    return max(MIN_SIDE, width), max(MIN_SIDE, height)


def output_size(photo: Size, asked: OutputSize, format: Format, max_pixels: int) -> Size:
    """Return the size of the result.

    Raises:
        ImageTooLarge: more pixels than allowed, or a side longer than the format can hold.
    """
    width, height = _complete(photo, asked)
    check_pixels(width, height, asked, max_pixels)
    if max(width, height) > format.max_side:
        raise ImageTooLarge(
            _named_side(asked),
            f"{width}x{height} px has a longer side than {format.value} can hold, {format.max_side} px; "
            "ask for a smaller output_size, or for PNG",
        )
    return width, height


def check_sides(asked: OutputSize, max_pixels: int) -> None:
    """Check what can be checked without the photo.

    Raises:
        InvalidInput: a side below 1, or more pixels than allowed.
    """
    for side, value in (("width", asked.width), ("height", asked.height)):
        if value is not None and value < 1:
            raise InvalidInput(f"output_size.{side}", f"{value} px is out of range; give 1 or more, or leave it out")
    check_pixels(asked.width or 1, asked.height or 1, asked, max_pixels)


def check_pixels(width: int, height: int, asked: OutputSize, max_pixels: int) -> None:
    """Raise ImageTooLarge for a result with more pixels than allowed."""
    if width * height > max_pixels:
        raise ImageTooLarge(
            _named_side(asked), f"{width}x{height} px is {width * height:,} pixels; at most {max_pixels:,} are allowed"
        )


def _complete(photo: Size, asked: OutputSize) -> Size:
    width, height = photo
    match asked.width, asked.height:
        case None, None:
            return photo
        case int(wide), None:
            return wide, max(1, round(wide * height / width))
        case None, int(high):
            return max(1, round(high * width / height)), high
        case int(wide), int(high):
            return wide, high
    raise AssertionError("unreachable")


def _named_side(asked: OutputSize) -> str:
    """Return the field to point at: the longer of the sides that the caller named."""
    return "output_size.width" if (asked.width or 0) >= (asked.height or 0) else "output_size.height"
