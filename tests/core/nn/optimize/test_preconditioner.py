"""The initial matrix is a proper one, and learns how steep an objective is where."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.nn.optimize.preconditioner import Preconditioner
from impasto.nn.optimize.wavelets import LEVELS, analyse, bands, synthesise


def noise(*size: int, seed: int = 0) -> Tensor:
    return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("size", [(64, 96), (16, 16), (19, 70)])
def test_coefficients_are_the_picture_in_another_basis(size: tuple[int, int]) -> None:
    image = noise(*size)

    values = analyse(image)

    assert torch.allclose(synthesise(values, *size), image, atol=1e-5)
    assert values.square().sum().item() == pytest.approx(image.square().sum().item(), rel=1e-4)


def test_several_pictures_are_transformed_as_each_is_alone() -> None:
    images = torch.cat([noise(40, 57, seed=seed) for seed in range(3)])

    values = analyse(images)

    assert torch.equal(values, torch.cat([analyse(image[None]) for image in images]))
    assert torch.allclose(synthesise(values, 40, 57), images, atol=1e-5)


def test_the_stripes_of_a_level_are_where_bands_has_them() -> None:
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    found = {}
    for name, phase in {"upright": columns // 2, "level": rows // 2, "both": columns // 2 + rows // 2}.items():
        values = analyse((1.0 - 2.0 * (phase % 2)).expand(1, 3, 64, 64))
        found[name] = [(k, level) for k, (level, band) in enumerate(bands(values)) if band.abs().max() > 1e-4]

    assert found == {"upright": [(3, 2)], "level": [(4, 2)], "both": [(5, 2)]}


def test_the_bands_are_all_of_it_once() -> None:
    values = analyse(torch.zeros(1, 3, 50, 70))

    for _, band in bands(values):
        band.add_(1)

    assert (values == 1).all()


def test_a_flat_grey_picture_is_in_the_coarsest_means_of_lightness_alone() -> None:
    values = analyse(torch.full((1, 3, 64, 64), 0.5))

    corner = values[0, 0, : 64 >> LEVELS, : 64 >> LEVELS].clone()
    values[0, 0, : 64 >> LEVELS, : 64 >> LEVELS] = 0

    assert corner.min() > 1
    assert values.abs().max() < 1e-5


def learnt(size: tuple[int, int], steepness: Tensor, pairs: int = 8) -> Preconditioner:
    """Return one that has learnt from pairs of an objective with these coefficients' curvatures [1, 3, H', W']."""
    matrix = Preconditioner(torch.zeros(1, 3, *size))
    for seed in range(pairs):
        move = noise(*size, seed=seed)
        matrix.learn(move, synthesise(steepness * analyse(move), *size))
    return matrix


def test_it_is_symmetric_and_positive() -> None:
    size = 40, 57
    matrix = learnt(size, 1 + 9 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)))
    a, b = noise(*size, seed=20), noise(*size, seed=21)

    assert (matrix(a) * b).sum().item() == pytest.approx((a * matrix(b)).sum().item(), rel=1e-3)
    assert (matrix(a) * a).sum() > 0
    assert matrix.norm(a).item() == pytest.approx((matrix(a) * a).sum().item(), rel=1e-3)


def test_before_it_has_learnt_broad_stripes_move_further() -> None:
    matrix = Preconditioner(torch.zeros(1, 3, 64, 64))
    fine = torch.ones(1, 3, 64, 64)
    fine[..., ::2] = -1
    flat = torch.ones(1, 3, 64, 64)

    assert torch.allclose(matrix(fine), fine, atol=1e-5)
    assert torch.allclose(matrix(flat), LEVELS * flat, atol=1e-5)


def test_where_the_objective_is_steep_it_moves_less() -> None:
    steepness = torch.ones(1, 3, 64, 64)
    for _, band in bands(steepness):
        band[..., : band.shape[3] // 2] = 8.0  # the left half of the picture
    matrix = learnt((64, 64), steepness)
    pushed = torch.zeros(1, 3, 64, 64)
    pushed[:, :, 32, 12] = pushed[:, :, 32, 52] = 1.0

    moved = matrix(pushed)

    assert moved[0, 1, 32, 52] > 4 * moved[0, 1, 32, 12]


def test_what_was_saved_is_the_same_matrix() -> None:
    matrix = learnt((32, 32), torch.rand(3, 32, 32) + 0.1)
    other = Preconditioner(torch.zeros(1, 3, 32, 32))

    other.restore(matrix.state())

    assert torch.equal(other(noise(32, 32)), matrix(noise(32, 32)))


def test_an_objective_without_curvature_teaches_nothing_that_is_not_finite() -> None:
    matrix = Preconditioner(torch.zeros(1, 3, 32, 32))
    for _ in range(6):
        matrix.learn(torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32))

    assert torch.isfinite(matrix(noise(32, 32))).all()
