from __future__ import annotations

import pytest
import torch

from impasto.nn.precision import mixed_precision


@pytest.mark.parametrize(("tiles", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_cpu_computes_in_bfloat16_if_it_multiplies_tiles_of_it(
    monkeypatch: pytest.MonkeyPatch, tiles: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: tiles)
    with mixed_precision(torch.device("cpu")):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == expected


def test_another_device_computes_as_it_does() -> None:
    with mixed_precision(torch.device("meta")):
        assert not torch.is_autocast_enabled("cpu")
