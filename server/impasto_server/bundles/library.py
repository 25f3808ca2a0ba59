"""Every style by its id, and the codes to paint with, as they are at one moment.

A library never changes. When bundles come and go there is a new one, and whoever has begun with the old one goes on
with it: see `shelf`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from impasto.bundle import Bundle, StyleInfo, load_bundle
from impasto.codes import Codes, at_strength, blend, check_weight, gate
from impasto.errors import BundleError, InvalidInput, StyleNotFound
from impasto_server.bundles.versions import oldest_first
from impasto_server.errors import BundleNotHeld
from impasto_server.order import Blend

MAX_PARTS = 100  # of a blend; far beyond use, and it bounds the work of looking them up
_PIN = "@"  # between a bundle's name and its version; no id has it


@dataclass(frozen=True)
class Style:
    """A style and the bundle that it lies in.

    Attributes:
        bundle: its bundle.
        info: what is known of it.
        pinned: whether it was asked for by its bundle's version.
    """

    bundle: Bundle = field(repr=False)
    info: StyleInfo
    pinned: bool = False

    @property
    def id(self) -> str:
        return f"{self._shelf_mark}/{self.info.id}"

    @property
    def name(self) -> str:
        """The resource name."""
        return f"bundles/{self._shelf_mark}/styles/{self.info.id}"

    @property
    def code(self) -> Codes:
        return self.bundle.code(self.info.id)

    @property
    def _shelf_mark(self) -> str:
        return f"{self.bundle.name}{_PIN}{self.bundle.version}" if self.pinned else self.bundle.name


@dataclass(frozen=True)
class Brush:
    """What to paint with.

    Attributes:
        label: the styles in it, for logs.
        bundle: the name of the first one's bundle.
        version: of that bundle.
        transformer: hex digest of what paints it.
        size_multiple: heights and widths must be multiples of this many px.
        code: [D], the strength applied.
        keeps: what must last as long as anyone paints with it: the transformer's engine.
    """

    label: str
    bundle: str
    version: str
    transformer: str
    size_multiple: int
    code: Codes = field(repr=False)
    keeps: object = field(default=None, repr=False, compare=False)

    @property
    def paints(self) -> bool:
        """False when the gate lets the photo through as it is, and the network not at all."""
        a, b = gate(self.code)
        return not (np.all(a == 1) and np.all(b == 0))


class Library:
    """The styles of several bundles, of each in one version or more.

    Args:
        bundles: no two of one name and version.
        current: the version of each bundle that requests get which name none; by default the newest.
        keeps: by the transformer's digest, what a Brush keeps.

    Attributes:
        bundles: in the order given.
        current: by name, the bundles that requests get which name no version.
        styles: of these, sorted by name.

    Raises:
        BundleError: two bundles have one name and version.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        *,
        current: Mapping[str, str] | None = None,
        keeps: Mapping[str, object] | None = None,
    ) -> None:
        self.bundles = tuple(bundles)
        self._keeps = keeps or {}
        self._versions: dict[str, dict[str, Bundle]] = {}
        for bundle in oldest_first(self.bundles, lambda bundle: bundle.version):
            self._add(bundle)
        chosen = current or {}
        self.current: Mapping[str, Bundle] = {
            name: versions[chosen.get(name, next(reversed(versions)))] for name, versions in self._versions.items()
        }
        styles = (Style(bundle, info) for bundle in self.current.values() for info in bundle.styles.values())
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
        """Return a style by `bundle/style`, by `bundle@version/style`, or by `style` where one bundle alone has it.

        Raises:
            InvalidInput: empty, or several bundles have it.
            StyleNotFound: none has it; BundleNotHeld where it is the version that is not there.
        """
        if not style_id:
            raise InvalidInput(field, "is empty; ListStyles lists the styles")
        if _PIN in style_id:
            return self._pinned(style_id)
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
            version=first.version,
            transformer=first.transformer,
            size_multiple=first.size_multiple,
            code=at_strength(code, first.identity, strength),
            keeps=self._keeps.get(first.transformer),
        )

    def held(self, name: str) -> list[str]:
        """Return the versions of a bundle that are there, the current one first, then the newest."""
        if name not in self.current:
            return []
        current = self.current[name].version
        return [current, *(version for version in reversed(self._versions[name]) if version != current)]

    def _add(self, bundle: Bundle) -> None:
        versions = self._versions.setdefault(bundle.name, {})
        if other := versions.get(bundle.version):
            raise BundleError(
                f"2 bundles are named {bundle.name!r} and numbered {bundle.version}: {other.path} and {bundle.path}; "
                "serve one of them, or number them differently"
            )
        versions[bundle.version] = bundle

    def _pinned(self, style_id: str) -> Style:
        where, _, last = style_id.rpartition("/")
        name, _, version = where.partition(_PIN)
        bundle = self._versions.get(name, {}).get(version)
        if bundle is None:
            raise BundleNotHeld(style_id, self._ids_in(name) or self._by_id, name, self.held(name))
        if last not in bundle.styles:
            raise StyleNotFound(style_id, (f"{where}/{style}" for style in bundle.styles))
        return Style(bundle, bundle.styles[last], pinned=True)

    def _ids_in(self, name: str) -> list[str]:
        """Return the ids of all styles of a bundle, with their versions."""
        bundles = self._versions.get(name, {}).values()
        return [Style(bundle, info, pinned=True).id for bundle in bundles for info in bundle.styles.values()]

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
