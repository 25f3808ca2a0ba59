from __future__ import annotations

import pytest
import torch

from impasto import codes
from impasto.codes import GATE_CHANNELS
from impasto.nn.designs import DESIGNS
from impasto.nn.transformer import Architecture, TransformerNet, identity_code, new_code

SMALL = Architecture(width=4, residual_blocks=2)


def network(seed: int = 0) -> TransformerNet:
    torch.manual_seed(seed)
    return TransformerNet(SMALL).eval()


def some_codes(count: int) -> torch.Tensor:
    return new_code(SMALL) + 0.3 * torch.randn(count, SMALL.code_size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("design", DESIGNS)
@torch.no_grad()
def test_paints_at_the_size_of_the_photo_and_in_range(design: str) -> None:
    architecture = Architecture(name=design, width=4, residual_blocks=1)
    network, multiple = TransformerNet(architecture), architecture.size_multiple
    for height, width in ((16, 16), (5 * multiple, 17 * multiple), (128, 96)):
        painted = network(torch.rand(2, 3, height, width), new_code(architecture).repeat(2, 1))
        assert painted.shape == (2, 3, height, width)
        assert painted.min() >= 0
        assert painted.max() <= 1


@torch.no_grad()
def test_the_identity_code_returns_the_photo_exactly() -> None:
    photo = torch.rand(2, 3, 32, 48)
    code = identity_code(some_codes(3))
    assert torch.equal(network()(photo, code.repeat(2, 1)), photo)


@torch.no_grad()
def test_a_batch_of_mixed_styles_paints_each_photo_as_if_alone() -> None:
    photos, styles = torch.rand(3, 3, 32, 32), some_codes(3)
    together = network()(photos, styles)
    alone = torch.cat([network()(photos[k : k + 1], styles[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@torch.no_grad()
def test_strength_moves_steadily_from_the_photo_to_the_painting() -> None:
    photo, style = torch.rand(1, 3, 32, 32), some_codes(1)[0]
    identity = identity_code(style[None]).numpy()
    distances = []
    for strength in (0.0, 0.25, 0.5, 0.75, 1.0):
        code = torch.from_numpy(codes.at_strength(style.numpy(), identity, strength))
        distances.append(float((network()(photo, code[None]) - photo).abs().mean()))
    assert distances[0] < 1e-6
    assert distances == sorted(distances)


@pytest.mark.parametrize(
    ("architecture", "size", "channels"),
    [
        (Architecture("johnson-cin", 32, 5), 3206, (32, 64, 128, *[128] * 10, 64, 32)),
        (Architecture("shuffle-cin", 64, 4), 3238, (64, 64, 64, 128, *[128] * 8, 64, 64, 64, 64, 16)),
    ],
)
def test_the_order_of_a_code_is_frozen(architecture: Architecture, size: int, channels: tuple[int, ...]) -> None:
    assert architecture.code_size == size
    assert architecture.norm_channels == channels
    code, first = new_code(architecture), channels[0]
    assert code[:first].eq(1).all()
    assert code[first : 2 * first].eq(0).all()
    a, b = code[-2 * GATE_CHANNELS : -GATE_CHANNELS], code[-GATE_CHANNELS:]
    assert a.eq(0).all()
    assert b.eq(1).all()


def test_the_core_and_torch_agree_on_where_the_gate_is() -> None:
    code = some_codes(1).numpy()
    a, b = codes.gate(code)
    assert (a == code[:, -6:-3]).all()
    assert (b == code[:, -3:]).all()
    assert codes.GATE_CHANNELS == GATE_CHANNELS


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [({"name": "mystery"}, "mystery"), ({"width": 0}, "width 0"), ({"residual_blocks": -1}, "residual_blocks -1")],
)
def test_an_architecture_that_cannot_be_built_is_refused(arguments: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Architecture(**arguments)  # type: ignore[arg-type]
