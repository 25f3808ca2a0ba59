"""What a bundle is judged on: photos at several sizes, and the paintings that its styles come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from impasto import images
from impasto.errors import InvalidInput
from impasto_trainer.evaluation.judge import Eye, Sight
from impasto_trainer.paintings import Painting, style_id
from impasto_trainer.photos import find_photos

Item = TypeVar("Item")


@dataclass(frozen=True)
class Subject:
    """A photo at one size, and what the perception sees in it.

    Attributes:
        name: of its file, without the suffix.
        pixels: [H, W, 3].
        sight: what every style is compared with.
    """

    name: str
    pixels: images.Pixels = field(repr=False)
    sight: Sight


@dataclass(frozen=True)
class Sample:
    """The photos of one evaluation.

    Attributes:
        base: px, long side at which most is measured: the smallest of the sizes.
        subjects: px -> the photos with that long side; none where no photo is as large.
    """

    base: int
    subjects: dict[int, list[Subject]]


def read_photos(folder: Path, count: int) -> dict[str, images.Pixels]:
    """Return this many photos from all over the folder, each [H, W, 3], by the names of their files.

    Raises:
        InvalidInput: no such folder, none in it, or one that cannot be read.
    """
    found = spread(find_photos(folder), count)
    return {path.stem: images.decode(path.read_bytes(), field=f"photo {path.name}") for path in found}


def read_paintings(folder: Path, styles: Iterable[str]) -> dict[str, Painting]:
    """Return each style's painting: the file in the folder whose name gives the style's id.

    Raises:
        InvalidInput: no such folder, none for a style, or one that cannot be read.
    """
    try:
        files = {style_id(path): path for path in find_photos(folder)}
    except InvalidInput as error:
        raise InvalidInput("paintings", error.reason) from error
    missing = [style for style in styles if style not in files]
    if missing:
        raise InvalidInput(
            "paintings",
            f"{folder} holds no file for {', '.join(missing)}; it holds {', '.join(sorted(files))}. "
            "A file's name gives the id: the_scream.jpg is for the-scream",
        )
    return {style: Painting.read(files[style]) for style in styles}


def make_sample(photos: dict[str, images.Pixels], sizes: Iterable[int], multiple: int, eye: Eye) -> Sample:
    """Scale the photos down to each size, and look at them.

    Larger sizes get fewer photos, so that none takes much more time than another: at double the size, half of them.

    Args:
        photos: name -> [H, W, 3].
        sizes: px, long sides.
        multiple: px, that every side is rounded down to a multiple of.
        eye: what looks at them.

    Raises:
        InvalidInput: no photo is as large as the smallest size.
    """
    base = min(sizes)
    subjects = {}
    for size in sorted(sizes):
        large = [name for name, pixels in photos.items() if max(pixels.shape[:2]) >= size]
        chosen = spread(large, max(1, len(photos) * base // size))
        sized = {name: images.with_long_side(photos[name], size, multiple=multiple) for name in chosen}
        subjects[size] = [Subject(name, pixels, eye.see(pixels)) for name, pixels in sized.items()]
    if not subjects[base]:
        raise InvalidInput("photos", f"none has a long side of {base} px or more; give larger ones, or a smaller size")
    return Sample(base, subjects)


def spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return this many items, or all where there are fewer, at even distances."""
    step = max(1, len(items) / count)
    return [items[int(k * step)] for k in range(min(count, len(items)))]
