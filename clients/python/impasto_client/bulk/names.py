"""What counts as a photo, and what its picture is called."""

from __future__ import annotations

from hashlib import blake2b

from impasto_client.formats import PHOTO_SUFFIXES as PHOTO_SUFFIXES

MANIFEST = "_impasto"
"""The folder below OUT, whose name no photo's folder can have."""

_SUFFIXES = {"jpeg": (".jpg", ".jpeg"), "png": (".png",), "webp": (".webp",)}  # of a format; the first is given


def is_photo(path: str) -> bool:
    """Tell whether a path ends as a photo's, and no part of it is hidden or the manifest's."""
    if not path.lower().endswith(PHOTO_SUFFIXES):
        return False
    return not any(part.startswith(".") and part not in (".", "..") for part in path.split("/")) and not (
        path.startswith(f"{MANIFEST}/")
    )


def is_sound(path: str) -> bool:
    """Tell whether a path stays where it is put: the key `../a.jpg` of a bucket would leave a folder."""
    return not any(part in ("", ".", "..") for part in path.split("/")) and "\0" not in path


def output_of(path: str, format: str) -> str:
    """Return the path of a photo's picture, which is no other photo's, whatever other photos there are.

    It is the photo's own where that ends as the format's do; else the format's suffix is added to it: `a.png` becomes
    `a.png.jpg`, beside the `a.jpg` of `a.jpg`. A photo that is called `a.png.jpg` has to make room for that: to
    `a.png.jpg.jpg`.
    """
    first, *others = _SUFFIXES[format]
    whole = path.lower().endswith((first, *others))
    taken = path.endswith(first) and is_photo(other := path.removesuffix(first)) and output_of(other, format) == path
    return path if whole and not taken else path + first


def digest_of(text: str) -> int:
    """Return 64 bits that are the same for the same text on every machine."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogateescape"), digest_size=8).digest(), "big")
