"""How a style did on the probe photo, and what is allowed.

The ranges were found by measurement: docs/decisions/0025-output-canary.md has the figures of styles that paint and of
bundles that were broken in many ways.
"""

from __future__ import annotations

from dataclasses import dataclass

LEAST_CONTENT, MOST_CONTENT = 0.1, 0.85
"""Content fraction: 0 is the photo itself, 1 has nothing of it."""

MOST_STYLE = 0.8
"""Style fraction: 1 is the photo itself, 0 the painting's hand."""

GOOD_STYLE_LOSS, MOST_STYLE_LOSS = 0.25, 0.6
"""Style losses that are well, and not well, whatever the photo's own is. A picture of one colour has 0.65 and more."""

FLAT, LEAST_SPREAD = 1 / 255, 0.25
"""Standard deviation of a painted picture's luminance: what nothing may be under, and the least share of the lesser of
the photo's and the painting's."""

MOST_WEAVE, MOST_WEAVE_OF_PHOTO = 2e-4, 4
"""Energy of a pattern that repeats with the network's own grid, as `impasto.nn.losses.grid` has it, and how many times
the photo's it may be. The former is a weave that can be seen."""

CLEARLY = 1.15
"""How many times as far from one painting as from another is nearer to the other, and no matter of chance."""

MOST_SWAPPED = 0.75
"""How far the styles of a bundle may come nearer to their paintings by a swap of red and blue: a ratio of losses."""


@dataclass(frozen=True)
class Trial:
    """One style's figures.

    Attributes:
        style: its id.
        spread: standard deviation of the painted picture's luminance, of 0..1.
        lively: the lesser of the photo's and the painting's.
        content: content fraction.
        style_loss: of the painted photo.
        photo_loss: style loss of the photo itself; the two make the style fraction.
        weave: energy of a pattern that repeats with the network's grid, in the painted picture.
        photo_weave: in the photo.
        swapped: style loss with red and blue swapped, over that without.
        nearest: id of the bundle's painting whose style is nearest, but for its own.
        astray: distance to its own painting over that to `nearest`; 0 in a bundle with one style.
    """

    style: str
    spread: float
    lively: float
    content: float
    style_loss: float
    photo_loss: float
    weave: float
    photo_weave: float
    swapped: float
    nearest: str = ""
    astray: float = 0.0

    @property
    def least_spread(self) -> float:
        """What is allowed of `spread`."""
        return max(FLAT, LEAST_SPREAD * self.lively)

    @property
    def most_style_loss(self) -> float:
        """What is allowed of `style_loss`."""
        return min(max(MOST_STYLE * self.photo_loss, GOOD_STYLE_LOSS), MOST_STYLE_LOSS)

    @property
    def most_weave(self) -> float:
        """What is allowed of `weave`."""
        return max(MOST_WEAVE, MOST_WEAVE_OF_PHOTO * self.photo_weave)

    @property
    def is_astray(self) -> bool:
        """Whether it paints in the hand of another painting of the bundle rather than its own."""
        return self.astray > CLEARLY

    def faults(self) -> list[str]:
        """Return what is out of range, with what is allowed: each a phrase that goes on from "the photo painted in"."""
        found = []
        if self.spread < self.least_spread:
            found.append(
                f"is flat: its luminance has a standard deviation of {self.spread:.3f}, "
                f"at least {self.least_spread:.3f} is allowed"
            )
        if self.content < LEAST_CONTENT:
            found.append(f"is hardly painted: content fraction {self.content:.2f}, at least {LEAST_CONTENT} is allowed")
        if self.content > MOST_CONTENT:
            found.append(f"is lost: content fraction {self.content:.2f}, at most {MOST_CONTENT} is allowed")
        if self.style_loss > self.most_style_loss:
            found.append(
                f"is far from its painting: style loss {self.style_loss:.2f} (the photo's own is "
                f"{self.photo_loss:.2f}), at most {self.most_style_loss:.2f} is allowed"
            )
        if self.weave > self.most_weave:
            found.append(
                f"has a weave of the network's grid: {self.weave * 1e6:.0f} millionths of energy, "
                f"at most {self.most_weave * 1e6:.0f} are allowed"
            )
        return found
