"""Pictures that were made to do harm: each is small to send, and dear to a decoder that takes it as it comes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from PIL import Image

from benchmarks.hostile_heifs import heic_of_tiles, hostile_heifs
from benchmarks.hostile_parts import (
    ANIMATION,
    canvas,
    endless_profile,
    frame,
    many_codes,
    overlapping_exif,
    png,
    png_chunk,
    png_header,
    profile,
    riff,
    webp,
)
from impasto.images import Pixels, Size

FLOOD = 31 * 1024**2  # bytes, a little less than the largest request that a server takes by default

_PAETH = 4  # a PNG's dearest filter

Make = Callable[[], bytes]


def hostile(size: Size, flood: int = FLOOD) -> Mapping[str, Make]:
    """Return what makes each file, by what it is.

    Args:
        size: of those that are decoded in full; at most 16,383 px a side.
        flood: bytes of those that are many of one thing.
    """
    return {
        **_jpegs(size, flood),
        **_pngs(size, flood),
        **_webps(size, flood),
        **hostile_heifs(size, flood),
        **_others(),
    }


# JPEG


def _jpegs(size: Size, flood: int) -> dict[str, Make]:
    return {
        "JPEG, flat, all pixels made up": partial(_claiming, size),
        "JPEG, 65,500 px wide": partial(_claiming, (65_500, max(16, size[0] * size[1] // 65_500))),
        "JPEG, progressive, 20 scans": lambda: _scans(_claiming(size, progressive=True), 20),
        "JPEG, progressive, 100 scans": lambda: _scans(_claiming(size, progressive=True), 100),
        "JPEG, progressive, 10,000 scans": lambda: _scans(_claiming(size, progressive=True), 10_000),
        "JPEG, progressive CMYK, profile": lambda: _claiming(
            size, "CMYK", progressive=True, icc_profile=profile(b"CMYK", grid=15)
        ),
        "JPEG, a bomb": partial(_claiming, (65_500, 65_500)),
        "JPEG, million comments": lambda: _before(_claiming(size), _segment(0xFE, b""), flood),
        "JPEG, million comments among its scans": lambda: _among_scans(
            _claiming(size, progressive=True), _segment(0xFE, b""), flood
        ),
        "JPEG, EXIF in million pieces": lambda: _before(_claiming(size), _segment(0xE1, b"Exif\0\0."), flood),
        "JPEG, million code tables": lambda: _before(
            _claiming(size), _segment(0xC4, b"\x03" + bytes(15) + b"\x01\0"), flood
        ),
        "JPEG, million tables among its scans": lambda: _among_scans(
            _claiming(size, progressive=True), _segment(0xDB, b"\x03" + bytes(range(1, 65))), flood
        ),
        "JPEG, padded": lambda: _before(_claiming(size), b"\xff", flood),
        "JPEG, escaped padding": lambda: _before(_claiming(size), b"\xff\0", flood),
        "JPEG, restarts": lambda: _restarts(size, flood),
        "JPEG, EXIF of entries that overlap": lambda: _before(_claiming(size), _exif_segment(5000)),
        "JPEG, profile of 4 MiB": lambda: _claiming(size, icc_profile=profile(b"RGB ", grid=87)),
        "JPEG, profile of 5 MiB": lambda: _claiming(size, icc_profile=profile(b"RGB ", grid=95)),
        "JPEG, profile of 100,000 steps": lambda: _claiming(size, icc_profile=endless_profile(100_000)),
        "JPEG, profile that fits not": lambda: _claiming(size, icc_profile=profile(b"CMYK", grid=9)),
        "JPEG, 12-bit": lambda: _with_frame(_claiming(size), 0xC1, 12),
        "JPEG, lossless": lambda: _with_frame(_claiming(size), 0xC3, 8),
        "JPEG, arithmetic-coded": lambda: _with_frame(_claiming(size), 0xC9, 8),
        "JPEG and ZIP": lambda: _claiming(size) + b"PK\x03\x04" + bytes(flood),
        "PDF and JPEG": lambda: b"%PDF-1.7\n" + _claiming(size),
    }


def _claiming(size: Size, mode: str = "RGB", **options: object) -> bytes:
    """Return a JPEG of few pixels that claims to be of this size; a decoder makes up what is missing."""
    file = _saved(
        Image.new(mode, (16, 16), (90, 120, 150, 0)[: len(mode.strip("1"))] if mode != "L" else 9), "JPEG", **options
    )
    at = next(file.index(marker) for marker in (b"\xff\xc0\0", b"\xff\xc2\0") if marker in file)
    return file[: at + 5] + struct.pack(">HH", size[1], size[0]) + file[at + 9 :]


def _segment(marker: int, contents: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(contents) + 2) + contents


def _before(file: bytes, segment: bytes, flood: int = 0) -> bytes:
    """Return a JPEG with a segment, or so many bytes of them, at its beginning."""
    return file[:2] + segment * max(1, flood // len(segment)) + file[2:]


def _among_scans(file: bytes, segment: bytes, flood: int) -> bytes:
    at = file.rindex(b"\xff\xda")
    return file[:at] + segment * (flood // len(segment)) + file[at:]


def _scans(file: bytes, count: int) -> bytes:
    """Return a progressive JPEG whose last scan comes again, until there are this many."""
    last = file[file.rindex(b"\xff\xda") : -2]
    return file[:-2] + last * (count - file.count(b"\xff\xda\0")) + file[-2:]


def _restarts(size: Size, flood: int) -> bytes:
    """Return a JPEG that begins anew at each block."""
    file = _before(_claiming(size), _segment(0xDD, b"\0\x01"))
    marks = b"".join(bytes((0xFF, 0xD0 + k)) for k in range(8))
    return file[:-2] + marks * (flood // len(marks)) + file[-2:]


def _with_frame(file: bytes, marker: int, bits: int) -> bytes:
    at = file.index(b"\xff\xc0\0")
    return file[: at + 1] + bytes((marker,)) + file[at + 2 : at + 4] + bytes((bits,)) + file[at + 5 :]


def _exif_segment(entries: int) -> bytes:
    return _segment(0xE1, b"Exif\0\0" + overlapping_exif(entries, 65_000))


# PNG


def _pngs(size: Size, flood: int) -> dict[str, Make]:
    text = b"\0\0" + zlib.compress(bytes(1_000_000))
    broken_text = b"k\0\x01\0\0\0" + zlib.compress(b"\xff" * 1_000_000)
    return {
        "PNG, flat": partial(_flat_png, size, 8, 2),
        "PNG, flat, 16-bit, alpha": partial(_flat_png, size, 16, 6),
        "PNG, flat, 16-bit, alpha, predicted": partial(_flat_png, size, 16, 6, predictor=_PAETH),
        "PNG, flat, interlaced": partial(_flat_png, size, 8, 6, interlaced=True),
        "PNG, 1-bit, interlaced": partial(_flat_png, size, 1, 0, interlaced=True),
        "PNG, 16-bit grey, shade, profile": lambda: _flat_png(
            size, 16, 0, ("tRNS", b"\0\x09"), ("iCCP", b"p\0\0" + zlib.compress(profile(b"GRAY")))
        ),
        "PNG, palette, transparent, profile": lambda: _flat_png(
            size,
            8,
            3,
            ("PLTE", bytes(768)),
            ("tRNS", bytes(range(256))),
            ("iCCP", b"p\0\0" + zlib.compress(profile(b"RGB ", grid=33))),
        ),
        "PNG, a bomb": lambda: png(png_header((50_000, 50_000), 8, 2), ("IDAT", zlib.compress(bytes(10**6)))),
        "PNG, as large as can be told": lambda: png(png_header((2**31 - 1, 2**31 - 1), 16, 6), ("IDAT", b"")),
        "PNG, pixels beyond its end": lambda: png(png_header((64, 64), 8, 0), ("IDAT", _deflated(2 * 10**8))),
        "PNG, million chunks": lambda: _flooded(png_chunk("aaAa", b""), flood),
        "PNG, million chunks at its end": lambda: _flooded(png_chunk("tEXt", b"a\0b"), flood, after=True),
        "PNG, 500,000 pieces of pixels": lambda: _in_pieces(1),
        "PNG, 25,000 texts of 1 MB": lambda: _flooded(png_chunk("zTXt", text), flood),
        "PNG, 25,000 broken texts of 1 MB": lambda: _flooded(png_chunk("iTXt", broken_text), flood, after=True),
        "PNG, 25,000 profiles of 1 MB": lambda: _flooded(png_chunk("iCCP", b"p" + text), flood),
        "PNG, a profile of 200 MB": lambda: png(
            png_header((64, 64), 8, 0),
            ("iCCP", b"p\0\0" + _deflated(2 * 10**8)),
            ("IDAT", zlib.compress(bytes(65 * 64))),
        ),
        "PNG, EXIF of entries that overlap": lambda: png(
            png_header((64, 64), 8, 0),
            ("IDAT", zlib.compress(bytes(65 * 64))),
            ("eXIf", overlapping_exif(65_535, flood)),
        ),
        "PNG, million frames": lambda: _flooded(
            png_chunk("fcTL", struct.pack(">IIIIIHHBB", 0, 64, 64, 0, 0, 1, 1, 0, 0)), flood, after=True
        ),
        "PNG, palette of 10 MB": lambda: _flat_png((64, 64), 8, 3, ("PLTE", bytes(10**7))),
        "PNG and HTML": lambda: _flat_png((64, 64), 8, 2) + b"<script>alert(1)</script>" + bytes(flood),
    }


def _flat_png(
    size: Size, depth: int, colour: int, *extra: tuple[str, bytes], interlaced: bool = False, predictor: int = 0
) -> bytes:
    """Return a PNG all of whose values are 0."""
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes((predictor,)) + bytes(-(-size[0] * channels * depth // 8))
    stream = _deflated(len(row) * size[1] + 8 * sum(size)) if interlaced else _deflated(size[1], row)
    return png(png_header(size, depth, colour, interlaced), *extra, ("IDAT", stream))


def _deflated(count: int, block: bytes = b"\0") -> bytes:
    """Return a block so many times, deflated."""
    deflate, at_once = zlib.compressobj(1), max(1, 10**6 // len(block))
    several = block * at_once
    parts = [deflate.compress(several) for _ in range(count // at_once)]
    return b"".join((*parts, deflate.compress(block * (count % at_once)), deflate.flush()))


def _flooded(chunk: bytes, flood: int, *, after: bool = False) -> bytes:
    file = png(png_header((64, 64), 8, 0), ("IDAT", zlib.compress(bytes(65 * 64))))
    at = file.index(b"IEND" if after else b"IDAT") - 4
    return file[:at] + chunk * (flood // len(chunk)) + file[at:]


def _in_pieces(length: int) -> bytes:
    """Return a PNG whose pixels come in pieces of this many bytes."""
    noise = np.random.default_rng(0).integers(0, 256, 701 * 700, np.uint8).reshape(700, 701)
    noise[:, 0] = 0
    stream = zlib.compress(noise.tobytes(), 1)
    return png(
        png_header((700, 700), 8, 0),
        *(("IDAT", stream[at : at + length]) for at in range(0, len(stream), length)),
    )


# WebP


def _webps(size: Size, flood: int) -> dict[str, Make]:
    small = _saved(Image.new("RGBA", (16, 16), (9, 99, 199, 99)), "WEBP", lossless=True)[12:]
    return {
        "WebP, flat, alpha, profile": lambda: _saved(
            Image.new("RGBA", size, (9, 99, 199, 99)),
            "WEBP",
            lossless=True,
            quality=0,
            method=0,
            icc_profile=profile(b"RGB ", grid=33),
        ),
        "WebP, canvas larger than its frame": lambda: webp(canvas(size, 0x12), ANIMATION, frame((16, 16), small)),
        "WebP, a vast canvas": lambda: webp(canvas((2**24, 255), 0x12), ANIMATION, frame((16, 16), small)),
        "WebP, million chunks": lambda: webp(canvas((16, 16), 0x10), *[riff("aaaa", b"")] * (flood // 8), small),
        "WebP, million chunks in its frame": lambda: webp(
            canvas((16, 16), 0x12), ANIMATION, frame((16, 16), small + riff("aaaa", b"") * (flood // 8))
        ),
        "WebP, 500,000 frames": lambda: webp(
            canvas((16, 16), 0x12), ANIMATION, *[one := frame((16, 16), small)] * (flood // len(one))
        ),
        "WebP, 65,536 groups of codes": many_codes,
        "WebP, EXIF of entries that overlap": lambda: webp(
            canvas((16, 16), 0x18), small, riff("EXIF", overlapping_exif(65_535, flood))
        ),
        "WebP, profile of 31 MB": lambda: webp(canvas((16, 16), 0x30), riff("ICCP", bytes(flood)), small),
    }


# Others


def _others() -> dict[str, Make]:
    image = Image.new("RGB", (64, 64))
    return {
        **{f"{kind}, in disguise": partial(_saved, image, kind) for kind in ("GIF", "TIFF", "BMP", "EPS", "PPM")},
        "SVG, in disguise": lambda: b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>",
        "ZIP": lambda: b"PK\x03\x04" + bytes(1000),
    }


# Yardsticks


def honest(photo: Pixels, size: Size) -> Mapping[str, Make]:
    """Return what makes a photo of this size in each format, from a smaller one that is repeated.

    Args:
        photo: [H, W, 3].
        size: of the files.
    """
    repeats = [-(-wanted // given) for wanted, given in zip(reversed(size), photo.shape, strict=False)]
    image = Image.fromarray(np.tile(photo, (*repeats, 1))[: size[1], : size[0]])
    return {
        "JPEG, an honest photo": partial(_saved, image, "JPEG", quality=85),
        "JPEG, an honest photo, progressive": partial(_saved, image, "JPEG", quality=85, progressive=True),
        "WebP, an honest photo": partial(_saved, image, "WEBP", quality=75, method=0),
        "PNG, an honest photo": partial(_saved, image, "PNG", compress_level=1),
        "AVIF, an honest photo": partial(_saved, image, "AVIF", quality=60, speed=9),
        "HEIC, of tiles": partial(heic_of_tiles, size),
    }


def _saved(image: Image.Image, format: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()
