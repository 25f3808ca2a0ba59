"""What a bundle says about its styles: titles, and a model card each."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from impasto.errors import InvalidInput

_KNOWN = {"title", "artist", "year", "source"}
_PAINTING = "- Painting: "
_UNTOLD = "source not stated"
_PERCEPTIONS = {
    "vgg19": "VGG-19",
    "lowrank": "Impasto's VGG-19 of low rank",
    "compact": "Impasto's compact one, distilled from VGG-19",
}


@dataclass(frozen=True)
class About:
    """What only people know, from a TOML file.

    photos = "where the training photos come from, and their licences"
    perception = "whose VGG-19 weights"

    [styles.starry-night]
    title = "The Starry Night"
    artist = "Vincent van Gogh"
    year = "1889"
    source = "public domain; ..."
    """

    photos: str = ""
    perception: str = ""
    styles: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> About:
        """Read the file.

        Raises:
            InvalidInput: it cannot be read, is no TOML, or has a key that means nothing.
        """
        try:
            about = cls(**tomllib.loads(path.read_text(encoding="utf-8")))
            for style, known in about.styles.items():
                if unknown := set(known) - _KNOWN:
                    raise ValueError(f"{style} has {min(unknown)!r}; known are {', '.join(sorted(_KNOWN))}")
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise InvalidInput("about", f"cannot use {path}: {error}") from error
        return about

    def to_toml(self) -> str:
        """Return the contents of a file that `read` makes this of."""
        lines = [
            f"{key} = {json.dumps(value)}" for key, value in (("photos", self.photos), ("perception", self.perception))
        ]
        for style, known in self.styles.items():
            lines += ["", f"[styles.{style}]", *(f"{key} = {json.dumps(value)}" for key, value in known.items())]
        return "\n".join([*lines, ""])

    def check(self, styles: Sequence[str]) -> None:
        """Raise InvalidInput if this tells of a style that is not among these: most often a misspelt one."""
        for style in self.styles:
            if style not in styles:
                raise InvalidInput("about", f"tells of {style!r}; the checkpoint's styles are {', '.join(styles)}")

    def style(self, style: str) -> dict[str, str]:
        """Return the manifest's entry for a style."""
        known = self.styles.get(style, {})
        title = known.get("title") or style.replace("-", " ").title()
        return {"id": style, "title": title, "artist": known.get("artist", ""), "year": known.get("year", "")}


def model_card(style: str, about: About, architecture: Mapping[str, Any], training: Mapping[str, Any]) -> str:
    """Return a style's model card, Markdown.

    Args:
        style: its id.
        about: what people know of it.
        architecture: the transformer's, as bundle and checkpoint store it.
        training: the record of the training; its `figures`, style -> name -> value, are told where there are any.
    """
    entry = about.style(style)
    recipe: dict[str, Any] = training.get("recipe", {})
    painter = ", ".join(part for part in (entry["artist"], entry["year"]) if part)
    stages = training.get("earlier", [])
    figures = training.get("figures", {}).get(style)
    lines = [
        f"# {entry['title']}",
        "",
        f"A style of Impasto, learnt from {entry['title']}{f' ({painter})' if painter else ''}.",
        "",
        f"{_PAINTING}{about.styles.get(style, {}).get('source') or _UNTOLD}",
        f"- Photos: {training.get('photos', 'unknown')}; {about.photos or _UNTOLD}",
        f"- Perception: {'; '.join(part for part in (_perception(training), about.perception) if part)}",
        f"- Transformer: {_listed(architecture)}{_base(training)}",
        f"- Training: {training.get('step', 0)} steps on {training.get('device', 'unknown')}, "
        f"{training.get('seconds', 0) / 60:.0f} minutes",
        *(f"- Begun with: {begun}" for begun in _begun(training)),
        *(f"- Recipe until step {stage['until_step']}: {_listed(stage)}" for stage in stages),
        f"- Recipe{' after that' if stages else ''}: {_listed(recipe)}",
        *([f"- Figures: {', '.join(f'{name} {value}' for name, value in figures.items())}"] if figures else []),
        "",
        "It paints any photo. It was not made to hide who or what a photo shows.",
        "",
    ]
    return "\n".join(lines)


def source_told(card: str) -> str:
    """Return the painting's source that a model card tells; empty where it tells none."""
    told = next((line.removeprefix(_PAINTING) for line in card.splitlines() if line.startswith(_PAINTING)), "")
    return "" if told == _UNTOLD else told


def _perception(training: Mapping[str, Any]) -> str:
    network = str(training.get("perception", {}).get("network", "vgg19"))
    return _PERCEPTIONS.get(network, network)


def _base(training: Mapping[str, Any]) -> str:
    """Return whose transformer it is, where the style was learnt for one that was left as it is."""
    if not training.get("frozen"):
        return ""
    return f"; that of the bundle {training['from']['bundle']} {training['from']['version']}, as it is"


def _begun(training: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the training began with, if that was trained before and is not left as it is, the latest first."""
    before = training.get("from", {}).get("training", {})
    if before and not training.get("frozen"):
        steps = f"{before.get('step', 0)} steps by {_perception(before)}, {before.get('seconds', 0) / 60:.0f} minutes"
        yield f"{steps}; {_listed(before.get('recipe', {}))}"
        yield from _begun(before)


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items() if name != "until_step")
