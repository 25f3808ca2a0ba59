"""Bundles on the shelf: every style by its id, and the codes to paint with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from impasto.bundle import Bundle, StyleInfo, load_bundle
from impasto.codes import Codes, at_strength, blend, check_weight, gate
from impasto.errors import BundleError, InvalidInput, StyleNotFound
from impasto_server.order import Blend

MAX_PARTS = 100  # of a blend; far beyond use, and it bounds the work of looking them up


@dataclass(frozen=True)
class Style:
    """A style and the bundle that it lies in."""

    bundle: Bundle = field(repr=False)
    info: StyleInfo

    @property
    def id(self) -> str:
        return f"{self.bundle.name}/{self.info.id}"

    @property
    def name(self) -> str:
        """The resource name."""
        return f"bundles/{self.bundle.name}/styles/{self.info.id}"

    @property
    def code(self) -> Codes:
        return self.bundle.code(self.info.id)


@dataclass(frozen=True)
class Brush:
    """What to paint with.

    Attributes:
        label: the styles in it, for logs.
        bundle: the name of the first one's bundle.
        transformer: hex digest of what paints it.
        size_multiple: heights and widths must be multiples of this many px.
        code: [D], the strength applied.
    """

    label: str
    bundle: str
    transformer: str
    size_multiple: int
    code: Codes = field(repr=False)

    @property
    def paints(self) -> bool:
        """False when the gate lets the photo through as it is, and the network not at all."""
        a, b = gate(self.code)
        return not (np.all(a == 1) and np.all(b == 0))


class Library:
    """The styles of several bundles.

    Attributes:
        bundles: in the order given.
        styles: sorted by name.

    Raises:
        BundleError: two bundles have one name.
    """

    def __init__(self, bundles: Sequence[Bundle]) -> None:
        for name, count in Counter(bundle.name for bundle in bundles).items():
            if count > 1:
                paths = ", ".join(str(bundle.path) for bundle in bundles if bundle.name == name)
                raise BundleError(f"{count} bundles are named {name!r}: {paths}; serve one of them")
        self.bundles = tuple(bundles)
        styles = (Style(bundle, info) for bundle in bundles for info in bundle.styles.values())
        self.styles = tuple(sorted(styles, key=lambda style: style.name))
        self._by_id = {style.id: style for style in self.styles}
        self._by_last_part: dict[str, list[Style]] = {}
        for style in self.styles:
            self._by_last_part.setdefault(style.info.id, []).append(style)

    @classmethod
    def load(cls, paths: Iterable[Path]) -> Library:
        """Read and verify bundles, or raise BundleError."""
        return cls([load_bundle(path) for path in paths])

    def find(self, style_id: str, *, field: str = "style_id") -> Style:
        """Return a style by `bundle/style`, or by `style` where one bundle alone has it.

        Raises:
            InvalidInput: empty, or several bundles have it.
            StyleNotFound: none has it.
        """
        if not style_id:
            raise InvalidInput(field, "is empty; ListStyles lists the styles")
        if style_id in self._by_id:
            return self._by_id[style_id]
        found = self._by_last_part.get(style_id, [])
        if len(found) > 1:
            ids = ", ".join(style.id for style in found)
            raise InvalidInput(field, f"{style_id!r} is in several bundles; say which: {ids}")
        if not found:
            raise StyleNotFound(style_id, self._ids_like(style_id))
        return found[0]

    def brush(self, style: str | Blend, strength: float) -> Brush:
        """Return what paints a style or a blend at a strength.

        Raises:
            InvalidInput: a strength or weight out of range, an empty blend, or one across transformers.
            StyleNotFound: see `find`.
        """
        styles, code = self._single(style) if isinstance(style, str) else self._blended(style)
        first = styles[0].bundle
        return Brush(
            label=" + ".join(style.id for style in styles),
            bundle=first.name,
            transformer=first.transformer,
            size_multiple=first.size_multiple,
            code=at_strength(code, first.identity, strength),
        )

    def _single(self, style_id: str) -> tuple[list[Style], Codes]:
        style = self.find(style_id)
        return [style], style.code

    def _blended(self, parts: Blend) -> tuple[list[Style], Codes]:
        if not 1 <= len(parts) <= MAX_PARTS:
            raise InvalidInput("blend.parts", f"{len(parts)} styles are given; give 1 to {MAX_PARTS}")
        styles: list[Style] = []
        for index, part in enumerate(parts):
            where = f"blend.parts[{index}]"
            check_weight(part.weight, f"{where}.weight")
            style = self.find(part.style_id, field=f"{where}.style_id")
            if styles and style.bundle.transformer != styles[0].bundle.transformer:
                raise InvalidInput(
                    f"{where}.style_id",
                    f"{style.id} is painted by another transformer than {styles[0].id}; blend styles of one",
                )
            styles.append(style)
        return styles, blend([style.code for style in styles], [part.weight for part in parts], field="blend.parts")

    def _ids_like(self, style_id: str) -> list[str]:
        """Return all ids, written as the caller wrote theirs where that is unambiguous."""
        if "/" in style_id:
            return list(self._by_id)
        short = self._by_last_part.items()
        return [
            one for last, styles in short for one in ([last] if len(styles) == 1 else [style.id for style in styles])
        ]
