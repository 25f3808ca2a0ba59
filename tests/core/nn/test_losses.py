from __future__ import annotations

import torch

from impasto.nn.losses import (
    color_loss,
    color_moments,
    content_loss,
    gram,
    grid,
    relative_error,
    style_loss,
    total_variation,
)


def features(scale: float = 1.0, seed: int = 0) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: scale * torch.rand(2, 8, 12, 16, generator=generator) for name in ("relu1_1", "relu2_1")}


def grams(of: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: gram(value) for name, value in of.items()}


def test_the_loss_of_a_picture_against_itself_is_nothing() -> None:
    assert content_loss(features(), features()).eq(0).all()
    assert style_loss(features(), grams(features())).eq(0).all()


def test_losses_do_not_depend_on_the_scale_of_the_backbone() -> None:
    small, large = (
        (content_loss(features(s, 1), features(s, 2)), style_loss(features(s, 1), grams(features(s, 2))))
        for s in (1.0, 50.0)
    )
    torch.testing.assert_close(small, large, rtol=1e-4, atol=0)


def test_losses_speak_of_each_picture_alone() -> None:
    value, target = features(seed=1), features(seed=2)
    both = content_loss(value, target)
    second = content_loss({k: v[1:] for k, v in value.items()}, {k: v[1:] for k, v in target.items()})
    torch.testing.assert_close(both[1:], second)


def test_a_gram_matrix_does_not_depend_on_the_size_of_the_picture() -> None:
    tile = torch.rand(1, 4, 8, 8)
    torch.testing.assert_close(gram(tile), gram(tile.repeat(1, 1, 3, 2)))


def test_a_gram_matrix_is_computed_in_full_precision_under_autocast() -> None:
    value = 100 * torch.rand(1, 4, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        inside = gram(value)
    assert inside.dtype == torch.float32
    torch.testing.assert_close(inside, gram(value))


def test_one_target_serves_a_whole_batch() -> None:
    value, target = torch.rand(3, 5), torch.rand(1, 5)
    expected = ((value - target) ** 2).sum(1) / (target**2).sum()
    torch.testing.assert_close(relative_error(value, target), expected)


def test_total_variation_counts_neighbours_differences() -> None:
    assert total_variation(torch.full((1, 3, 8, 8), 0.7)).item() == 0
    stripes = torch.zeros(1, 3, 8, 8)
    stripes[..., ::2] = 1
    assert total_variation(stripes).item() == 1


def test_the_grid_term_sees_a_pattern_that_repeats_and_nothing_else() -> None:
    generator = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=generator), size=256, mode="bicubic")
    woven = smooth + 0.02 * torch.tensor([1.0, 0.0, -1.0, 0.0]).repeat(64)
    assert grid(smooth, 4).item() < 1e-5
    assert abs(grid(woven, 4).item() - 0.02**2 / 2) < 2e-5


def test_color_loss_is_0_at_the_painting_and_grows_with_the_means_and_the_contrasts_distance() -> None:
    painting = torch.rand(1, 3, 40, 30, generator=torch.Generator().manual_seed(0)) * 0.5 + 0.2
    moments = color_moments(painting)

    assert color_loss(painting.flip(2), *moments).item() < 1e-6
    assert color_loss(painting + 0.1, *moments) < color_loss(painting + 0.2, *moments)
    assert color_loss((painting - 0.45) * 2 + 0.45, *moments) > 1
    assert torch.isfinite(color_loss(painting, *color_moments(torch.full_like(painting, 0.5))))
