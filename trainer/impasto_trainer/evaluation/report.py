"""The figures of a bundle as a page of Markdown, and its styles as sheets to look at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from impasto.machine import machine, table
from impasto.sheets import contact_sheet, small_jpeg
from impasto_trainer.evaluation import probes
from impasto_trainer.evaluation.figures import PROBED, STRENGTHS, Brush, Equivalence, Figures, Fractions
from impasto_trainer.evaluation.neq import NOISE_CAP, PHOTO_CAP, Weights
from impasto_trainer.evaluation.sample import Sample, spread
from impasto_trainer.paintings import Painting

PAGE = "quality.md"
PICTURES = "pictures"
BY_HAND = "<!-- Below this line the page is written by hand, and kept. -->"
_SHEET_BYTES = 120_000
_SHEET_CELL = 224  # px
_SHEET_PHOTOS = 4
_SHEET_STRENGTHS = (0.5, 1.0)
_NONE = "-"
_SKY_DEVIATION = probes.luminance(probes.sky(256)).std()

_DEFINITIONS = f"""# Quality

How far a painted photo has gone, by relative losses (`impasto.nn.losses`):

- **style fraction**: its style loss against the painting, over the photo's own. 1 is the photo, 0 the painting's hand.
- **content fraction**: its content loss against the photo, over the painting's. 0 is the photo, 1 shares nothing with
  it. The two pull against each other. Classic fast-style networks, measured in the same way, lie between style 0.12 and
  0.56 at content 0.29 to 0.43.
- **N_eq** (Johnson et al. 2016, section 4.1): how many iterations of L-BFGS on the pixels bring the objective of the
  style's own training (content, style and smoothness, in its weights) as low as the painted photo has it: from white
  noise, and from the photo, which is stricter. An iteration takes little more than one evaluation. The count ends
  after {NOISE_CAP} iterations from noise and {PHOTO_CAP} from the photo; the best-known fast-style networks reach 8 to
  10 from the photo at 256 px.

Every figure is a median over photos, painted by the engine that serves them.
"""

_BEHAVIOUR = f"""Over {PROBED} photos at most, at the smallest size and full strength:

- **monotone**: the share of the photos whose style fraction falls and whose content fraction rises at every step of
  the strength from {STRENGTHS[0]:g} to {STRENGTHS[-1]:g}.
- **grey, white, sky**: standard deviation of the luminance (0 to 255) of a grey, a white and a sky without a cloud,
  painted; each has noise of one level, as from a sensor. The sky has {_SKY_DEVIATION:.0f} of its own.
- **dark**: what is added to the mean luminance of a photo at {probes.DARK:.0%} of its brightness. 0 is kept.
- **letters**: content fraction of a page of print.
- **border**: variance in the outer {probes.FRAME} px over that of the rest, over the same in the photo. 1 is no border.
- **Nyquist**: millionths of the power that lie at the highest frequency, where a checkerboard would be; the photo's
  in brackets.
- **grid**: energy, in millionths, of a pattern that repeats with the network's own grid (`impasto.nn.losses.grid`);
  200 is a visible weave.
- **shift**: RMS difference, in 8-bit levels, of the painted shifted photo and the shifted painted photo, by
  {probes.SHIFT[0]} and {probes.SHIFT[1]} px. **noise**: that which noise of {probes.NOISE:g} in the photo makes.
"""


def page(title: str, figures: Sequence[Figures], perception: str, sheets: Mapping[str, str], command: str) -> str:
    """Return the page of a bundle, Markdown.

    Args:
        title: the bundle's name and version, and its engine.
        figures: of each style.
        perception: what looked at the pictures.
        sheets: style -> where its sheet lies, seen from the page; may be empty.
        command: what makes the page.
    """
    pictures = [f"![{style}]({place})\n" for style, place in sheets.items()]
    parts = [
        _DEFINITIONS,
        f"## {title}\n",
        f"Judged by {perception} on {date.today():%Y-%m-%d}; {machine()}.\n",
        f"```sh\n{command}\n```\n",
        tables(figures),
        "## Behaviour\n",
        _BEHAVIOUR,
        behaviour_table(figures),
        "## Objectives\n",
        "What N_eq goes by, for each style.\n",
        objective_table(figures),
        *(["## Sheets\n", *pictures] if pictures else []),
    ]
    return "\n".join(parts)


def write(out: Path, text: str, sheets: Mapping[str, bytes]) -> Path:
    """Write the page and its pictures, keep what was written by hand below the line, and return the page's path.

    Args:
        out: a folder, made if need be.
        text: the page.
        sheets: where each picture lies, seen from the page -> JPEG.
    """
    path = out / PAGE
    (out / PICTURES).mkdir(parents=True, exist_ok=True)
    for place, data in sheets.items():
        (out / place).write_bytes(data)
    earlier = path.read_text(encoding="utf-8") if path.exists() else ""
    kept = earlier.partition(BY_HAND)[2] or "\n"
    path.write_text(f"{text}\n{BY_HAND}{kept}", encoding="utf-8")
    return path


def tables(figures: Sequence[Figures]) -> str:
    """Return the fractions at each size, N_eq, and the fractions at each strength, Markdown."""
    sizes = list(figures[0].fractions)
    counts = [f"{size} px: {_photos(figures[0].fractions[size], size)}" for size in sizes]
    fractions = table(
        ("style", *(f"{size} px, style / content" for size in sizes), "N_eq from noise", "N_eq from the photo"),
        [
            (one.style, *(_pair(one.fractions[size]) for size in sizes), _all(one.from_noise), _all(one.from_photo))
            for one in figures
        ],
    )
    strengths = table(
        ("style / content at strength", *(f"{strength:g}" for strength in STRENGTHS)),
        [(one.style, *(_pair(one.strengths[strength]) for strength in STRENGTHS)) for one in figures],
    )
    return f"{fractions}\n\n{'; '.join(counts)}; {_neq_photos(figures[0])}.\n\n{strengths}\n"


def summary(figures: Figures) -> dict[str, float]:
    """Return what is worth saying of a style on its model card, by name; what was not measured is left out."""
    found: dict[str, float] = {}
    for size, fractions in figures.fractions.items():
        if fractions:
            found[f"style fraction at {size} px"] = round(fractions.style, 3)
            found[f"content fraction at {size} px"] = round(fractions.content, 3)
    for start, counted in (("noise", figures.from_noise), ("the photo", figures.from_photo)):
        for size, one in counted.items():
            found[f"N_eq from {start} at {size} px"] = min(one.iterations, one.cap)
    return found


def behaviour_table(figures: Sequence[Figures]) -> str:
    """Return everything else, Markdown."""
    header = ("style", "monotone", "grey", "white", "sky", "dark", "letters", "border")
    rows = []
    for one in figures:
        found = one.behaviour
        rows.append(
            (
                one.style,
                f"{found.monotone:.0%}",
                *(f"{value:.1f}" for value in (found.grey, found.white, found.sky)),
                f"{found.dark:+.0f}",
                f"{found.letters:.2f}",
                f"{found.border:.2f}",
                f"{found.nyquist * 1e6:.0f} ({found.nyquist_photo * 1e6:.0f})",
                f"{found.grid * 1e6:.0f}",
                f"{found.shift:.1f}",
                f"{found.noise:.1f}",
            )
        )
    return table((*header, "Nyquist", "grid", "shift", "noise"), rows) + "\n"


def objective_table(figures: Sequence[Figures]) -> str:
    """Return the weights of each style's objective, and what its N_eq cost, Markdown."""
    return (
        table(
            ("style", "content", "style weight", "smoothness", "evaluations from noise", "from the photo"),
            [(one.style, *_weights(one.weights), _cost(one.from_noise), _cost(one.from_photo)) for one in figures],
        )
        + "\n"
    )


def seconds(figures: Sequence[Figures]) -> str:
    """Return how long each part took over all styles, on one line."""
    parts = {part: sum(one.seconds[part] for one in figures) for part in figures[0].seconds}
    return ", ".join(f"{part} {total:.0f} s" for part, total in parts.items())


def iterations(found: Equivalence) -> str:
    """Return N_eq as it is shown: how many iterations, or that they are more than were tried."""
    return f">={found.cap}" if math.isinf(found.iterations) else f"{found.iterations:g}"


def sheet_place(style: str) -> str:
    """Return where a style's sheet lies, seen from the page."""
    return f"{PICTURES}/quality-{style}.jpg"


def sheet(brush: Brush, sample: Sample, style: str, painting: Painting) -> bytes:
    """Return a style's contact sheet, JPEG: some photos, a page of print and a sky, as they are and painted."""
    subjects = spread(sample.subjects[sample.base], _SHEET_PHOTOS)
    pictures = [subject.pixels for subject in subjects] + [probes.letters(sample.base), probes.sky(sample.base)]
    rows = [[*pictures, painting.pixels]]
    rows += [[brush.paint(picture, style, strength) for picture in pictures] for strength in _SHEET_STRENGTHS]
    labels = [*(subject.name for subject in subjects), "print", "sky", style]
    return small_jpeg(contact_sheet(rows, labels, cell=_SHEET_CELL), _SHEET_BYTES)


def _photos(fractions: Fractions | None, size: int) -> str:
    if fractions is None:
        return f"no photo has a long side of {size} px"
    return "1 photo" if fractions.photos == 1 else f"{fractions.photos} photos"


def _neq_photos(figures: Figures) -> str:
    return (
        "; ".join(
            f"N_eq at {size} px: {found.photos} photo{'s' if found.photos > 1 else ''}"
            for size, found in figures.from_noise.items()
        )
        or "N_eq was not asked for"
    )


def _pair(fractions: Fractions | None) -> str:
    return _NONE if fractions is None else f"{fractions.style:.2f} / {fractions.content:.2f}"


def _all(found: Mapping[int, Equivalence]) -> str:
    """Return N_eq, with the size where there are several."""
    if len(found) < 2:
        return "".join(iterations(one) for one in found.values()) or _NONE
    return ", ".join(f"{iterations(one)} at {size} px" for size, one in found.items())


def _cost(found: Mapping[int, Equivalence]) -> str:
    return ", ".join(f"{one.evaluations:.0f}" for one in found.values()) or _NONE


def _weights(weights: Weights) -> tuple[str, ...]:
    return f"{weights.content:g}", f"{weights.style:g}", f"{weights.tv:g}"
