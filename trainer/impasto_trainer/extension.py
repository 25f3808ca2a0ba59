"""The bundle of a new style: another bundle's transformer, to the byte, with codes of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from impasto.bundle import CODES, IDENTITY, Bundle, write_bundle
from impasto.cards import About, model_card
from impasto.codes import Codes
from impasto_trainer.paintings import Painting

_MADE_ANEW = ("format_version", "files")
_PER_STYLE = ("paintings", "figures", "style_weights", "starts")  # parts of the training's record that are by style


def write_extension(
    path: Path,
    base: Bundle,
    codes: Mapping[str, Codes],
    paintings: Sequence[Painting],
    training: Mapping[str, Any],
    about: About,
    *,
    name: str,
    kept: Sequence[Bundle] = (),
) -> Bundle:
    """Write a bundle that paints new styles by the transformer of another, and shares its session in a server.

    Args:
        path: its directory, made if need be; a bundle there is replaced.
        base: whose transformer and identity it has; what its manifest says of them holds on.
        codes: the new styles', id -> [D].
        paintings: what they were learnt from.
        training: the record of it.
        about: what people know of the paintings.
        name: the new bundle's.
        kept: bundles of the same transformer whose styles come along, as far as no new one takes their place. The new
            one's version is the number after those of the same name.

    Raises:
        BundleError: see `impasto.bundle.write_bundle`.
    """
    older = {style: bundle for bundle in kept for style in bundle.styles if style not in codes}
    files = {file: (base.path / file).read_bytes() for file in base.manifest["files"] if _is_the_transformers(file)}
    files[CODES] = save(
        {**{style: bundle.code(style) for style, bundle in older.items()}, **codes, IDENTITY: base.identity}
    )
    for style, bundle in older.items():
        files |= _style_files(style, bundle.styles[style].thumbnail, bundle.styles[style].card)
    for painting in paintings:
        card = model_card(painting.style, about, base.manifest["architecture"], training)
        files |= _style_files(painting.style, painting.thumbnail(), card)
    entries = [entry for style, bundle in older.items() for entry in bundle.manifest["styles"] if entry["id"] == style]
    manifest = {
        **{key: value for key, value in base.manifest.items() if key not in _MADE_ANEW},
        "name": name,
        "version": _next_version([bundle.version for bundle in kept if bundle.name == name]),
        "training": _record(training, older),
        "styles": [*entries, *(about.style(painting.style) for painting in paintings)],
    }
    return write_bundle(path, manifest, files)


def _next_version(earlier: Sequence[str]) -> str:
    """Return the number after those of a bundle's earlier versions, as far as they are numbers: servers ask for one."""
    return str(1 + max((int(version) for version in earlier if version.isdecimal()), default=0))


def _is_the_transformers(file: str) -> bool:
    return file != CODES and not file.startswith("styles/")


def _style_files(style: str, thumbnail: bytes, card: str) -> dict[str, bytes]:
    return {f"styles/{style}.jpg": thumbnail, f"styles/{style}.md": card.encode()}


def _record(training: Mapping[str, Any], older: Mapping[str, Bundle]) -> dict[str, Any]:
    """Return the record of the training, with what is known by style of those that came along."""
    known: dict[str, dict[str, Any]] = {part: {} for part in _PER_STYLE}
    for style, bundle in older.items():
        for part in _PER_STYLE:
            found = bundle.manifest.get("training", {}).get(part, {})
            known[part] |= {style: found[style]} if style in found else {}
    return {**training, **{part: {**known[part], **training.get(part, {})} for part in _PER_STYLE}}
