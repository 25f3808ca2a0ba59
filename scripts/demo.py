"""Paint three photos, or your own, in every style, or in one at several strengths, and lay them out in one picture.

    python -m scripts.demo [--photo my.jpg] [--style starry-night] [--out demo] [--studio]

Starts a server of its own on free ports, has it paint over gRPC as any backend would, and ends it; or, with --studio,
leaves it running for an hour with the studio, a page for browsers. The three photos come with scikit-image. The
environment variable PHOTO does as well as --photo.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np

from impasto import images
from impasto.bundle import STARTER
from impasto.errors import ImpastoError, InvalidInput, MissingDependency
from impasto.sheets import contact_sheet
from impasto_client import Client, ImpastoClientError, Style
from impasto_server.local import LocalServer, local_server
from scripts.studio import MINUTES, OUT, left_running

STRENGTHS = (0.3, 0.6, 1.0)
FULL = (1.0,)
SAMPLES = ("astronaut.png", "coffee.png", "chelsea.png")
CELL = 256  # px, the long side of a picture on the sheet
COLUMNS = 8  # pictures beside each other, at most


@dataclass(frozen=True)
class Photo:
    """A photo to paint: its name, the bytes of its file, and its pixels [H, W, 3]."""

    name: str
    data: bytes
    pixels: images.Pixels


@dataclass(frozen=True)
class Painted:
    """A photo painted in a style: [H, W, 3], and seconds in the engine and for the whole call."""

    photo: Photo
    style: str
    strength: float
    pixels: images.Pixels
    jpeg: bytes
    engine: float
    call: float


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        photos = read_photos(options.photo)
        options.out.mkdir(parents=True, exist_ok=True)
        with _serving(options) as server, Client(server.target, timeout=120) as client:
            styles = [client.style(options.style)] if options.style else client.styles(thumbnails=True)
            strengths = STRENGTHS if options.style else FULL
            painted = [
                paint(client, photo, short_id(style), strength)
                for style in styles
                for photo in photos
                for strength in strengths
            ]
            sheet = write(painted, photos, styles, options.out)
    except (ImpastoError, ImpastoClientError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return 130
    print_table(painted)
    print(f"\nNow look at {sheet}")
    if server.studio:
        if find_spec("torch") is None:
            print("To paint in the style of any painting there as well: make demo ANY_PAINTING=1, which installs torch")
        print(f"For the next {MINUTES:g} minutes, or until `make demo-stop`, paint your own in a browser:")
        print(f"http://127.0.0.1:{server.studio}/")
    return 0


def read_photos(path: Path | None) -> list[Photo]:
    """Return the photo at `path`, or the samples.

    Raises:
        InvalidInput: it cannot be read, or is no picture.
        MissingDependency: the samples are not installed.
    """
    return [_read_photo(path) for path in ([path] if path else _samples())]


def paint(client: Client, photo: Photo, style: str, strength: float) -> Painted:
    started = time.perf_counter()
    result = client.stylize(photo.data, style, strength=strength)
    call = time.perf_counter() - started
    return Painted(photo, style, strength, images.decode(result.image), result.image, result.stage_times.engine, call)


def short_id(style: Style) -> str:
    """Return a style's id without its bundle's, of which there is one."""
    return style.id.rpartition("/")[2]


def write(painted: Sequence[Painted], photos: Sequence[Photo], styles: Sequence[Style], out: Path) -> Path:
    """Write every picture as a JPEG, and all of them as one sheet; return the path of the sheet."""
    for one in painted:
        (out / f"{one.photo.name}-{one.style}-{one.strength:g}.jpg").write_bytes(one.jpeg)
    paintings = {short_id(style): images.decode(style.thumbnail, field="thumbnail") for style in styles}
    several = len({one.strength for one in painted}) > 1
    rows = strengths_of(painted, paintings) if several else gallery(painted, photos, paintings)
    sheet = out / "sheet.png"
    sheet.write_bytes(images.encode(contact_sheet(rows, [], cell=CELL), format=images.Format.PNG))
    return sheet


def strengths_of(painted: Sequence[Painted], paintings: Mapping[str, images.Pixels]) -> list[list[images.Pixels]]:
    """Return a row a photo: it, the painting, and it painted at rising strengths."""
    (painting,) = paintings.values()
    rows = [painted[start : start + len(STRENGTHS)] for start in range(0, len(painted), len(STRENGTHS))]
    return [[row[0].photo.pixels, painting, *(one.pixels for one in row)] for row in rows]


def gallery(
    painted: Sequence[Painted], photos: Sequence[Photo], paintings: Mapping[str, images.Pixels]
) -> list[list[images.Pixels]]:
    """Return the photos in a row, and under them blocks of a painting and the photos painted as it."""
    across = max(1, COLUMNS // (1 + len(photos)))
    blocks = [
        [painting, *(one.pixels for one in painted if one.style == style)] for style, painting in paintings.items()
    ]
    paper = np.full_like(photos[0].pixels, 255)
    rows = [[paper, *(photo.pixels for photo in photos)] * min(across, len(blocks))]
    return rows + [[*chain(*blocks[start : start + across])] for start in range(0, len(blocks), across)]


def print_table(painted: Sequence[Painted]) -> None:
    print(f"{'photo':16} {'size':>10} {'style':22} {'strength':>8} {'engine':>9} {'whole call':>11}")
    for one in painted:
        height, width = one.pixels.shape[:2]
        size, engine, call = f"{width}x{height}", one.engine * 1e3, one.call * 1e3
        print(f"{one.photo.name:16} {size:>10} {one.style:22} {one.strength:8g} {engine:6.0f} ms {call:8.0f} ms")


def _serving(options: argparse.Namespace) -> AbstractContextManager[LocalServer]:
    """Return what starts a server, and ends it with the block, unless the studio is asked for."""
    if options.studio:
        return left_running(options.out, options.bundle)
    return local_server(options.out, ["--bundle", str(options.bundle), "--log-format", "console"])


def _samples() -> list[Path]:
    """Return the photos that lie in scikit-image's wheel; its `data` module would download what is missing."""
    spec = find_spec("skimage")
    if spec is None or spec.origin is None:
        raise MissingDependency("scikit-image", "demo")
    return [Path(spec.origin).parent / "data" / name for name in SAMPLES]


def _read_photo(path: Path) -> Photo:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput("PHOTO", f"cannot read {path}: {error.strerror}") from error
    return Photo(path.stem, data, images.decode(data, field=f"PHOTO {path}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="demo.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get("PHOTO") or None
    parser.add_argument(
        "--photo", type=Path, default=default, metavar="FILE", help="a JPEG, PNG, WebP, AVIF or HEIC file [$PHOTO]"
    )
    parser.add_argument("--style", metavar="ID", help="this one at several strengths [every style]")
    parser.add_argument("--bundle", type=Path, default=STARTER, metavar="DIR", help="whose style it is [the starter]")
    parser.add_argument("--out", type=Path, default=OUT, metavar="DIR", help="where to write [%(default)s]")
    parser.add_argument("--studio", action="store_true", help="leave the server running for an hour, with the studio")
    return parser


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the server is ended then, too
    os.environ.setdefault("no_grpc_proxy", "127.0.0.1")  # a proxy does not reach this machine's own ports
    sys.exit(main())
