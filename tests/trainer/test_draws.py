from __future__ import annotations

import torch

from impasto_trainer.draws import draw
from impasto_trainer.recipe import Recipe

STYLES = 16


def main_styles(recipe: Recipe, step: int, photos: int) -> list[int]:
    shares = draw(recipe, step, photos=photos, side=64, styles=STYLES, device=torch.device("cpu")).shares
    return shares.argmax(1).tolist()


def test_a_batch_has_as_many_styles_as_photos() -> None:
    recipe = Recipe(blend_share=0)
    assert all(len(set(main_styles(recipe, step, 4))) == 4 for step in range(20))


def test_every_style_gets_large_crops_too() -> None:
    recipe = Recipe(blend_share=0)
    large = range(recipe.large_every - 1, 100 * recipe.large_every, recipe.large_every)
    assert {style for step in large for style in main_styles(recipe, step, 1)} == set(range(STYLES))


def test_a_step_can_be_drawn_again() -> None:
    recipe = Recipe()
    first, again = (draw(recipe, 5, photos=4, side=64, styles=STYLES, device=torch.device("cpu")) for _ in range(2))
    assert torch.equal(
        torch.cat([first.shares, first.strength[:, None]], 1), torch.cat([again.shares, again.strength[:, None]], 1)
    )
    assert first.noise is not None
    assert again.noise is not None
    assert torch.equal(first.noise, again.noise)
