"""Decodes one HEIC file in a process of its own; see decision 41. Run as a script, by `impasto.apart`.

It reads the file from its standard input and writes to its standard output a line that tells, in JSON, the mode, the
size, and what the size was divided by, and then the pixels, row by row. It imports nothing of Impasto's, so that it is
there soon and has little to lose.
"""

from __future__ import annotations

import io
import json
import signal
import sys

NOT_INSTALLED, UNREADABLE = 3, 4  # exit statuses
MODES = ("L", "LA", "RGB", "RGBA", "I;16")

_MEMORY = 2**30  # bytes of address space, of which threads and libraries reserve more than they use ...
_MEMORY_A_PIXEL = 24  # ... and more for each pixel
_WRITTEN_A_PIXEL = 4  # bytes ...
_WRITTEN = 4096  # ... and for the line before them
_SECONDS = 30  # of a processor; a picture of 50 megapixels takes about four
_STRIP = 256  # rows that are written at once
_MESSAGE = 300  # characters


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to all of a group: who waits for the picture decides
        signal.signal(number, signal.SIG_IGN)
    width, height, least_width, least_height, *folders = sys.argv[1:]
    sys.path += folders
    try:
        from pi_heif import options
        from pi_heif.as_plugin import HeifImageFile
        from PIL import Image
    except ImportError as error:
        return _failed(error, NOT_INSTALLED)
    _limit(int(width) * int(height))
    options.DECODE_THREADS = 1
    try:
        image: Image.Image = HeifImageFile(io.BytesIO(sys.stdin.buffer.read()))
        image.load()
    except Exception as error:
        return _failed(error, UNREADABLE)
    if image.mode == "RGBa":  # colours that have been multiplied by their opacity
        image = image.convert("RGBA")
    _write(*_shrunk(image, int(least_width), int(least_height)))
    return 0


def _limit(pixels: int) -> None:
    """Take no more than decoding so many pixels does. Whoever breaks a limit, ends."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    memory = _MEMORY + _MEMORY_A_PIXEL * pixels
    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, _SECONDS),
        (resource.RLIMIT_FSIZE, _WRITTEN_A_PIXEL * pixels + _WRITTEN),  # which is memory of whoever waits
        (resource.RLIMIT_CORE, 0),
    ):
        allowed = resource.getrlimit(kind)[1]
        resource.setrlimit(kind, (most, most) if allowed < 0 or most < allowed else (allowed, allowed))


def _shrunk(image, width: int, height: int):  # type: ignore[no-untyped-def]  # Pillow is imported late
    """Return the picture with each side divided by the largest number that leaves these, and that number.

    One with opacity is left as it is, or what is invisible would bleed into what is not.
    """
    divisor = max(1, min(image.width // width, image.height // height)) if width and height else 1
    if divisor == 1 or image.mode not in ("L", "RGB"):
        return image, 1
    return image.reduce(divisor), divisor


def _write(image, divisor: int) -> None:  # type: ignore[no-untyped-def]
    out = sys.stdout.buffer
    out.write(json.dumps({"mode": image.mode, "size": image.size, "divisor": divisor}).encode() + b"\n")
    for top in range(0, image.height, _STRIP):
        out.write(image.crop((0, top, image.width, min(top + _STRIP, image.height))).tobytes())
    out.flush()


def _failed(error: Exception, status: int) -> int:
    print(f"{error or type(error).__name__}".replace("\n", " ")[:_MESSAGE], file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
