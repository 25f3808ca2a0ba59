from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save
from torch import Tensor

from impasto.bundle import CODES, GRAPH, IDENTITY, WEIGHTS, Bundle, write_bundle
from impasto.errors import BundleError
from impasto.nn.bundled import read_checkpoint, read_network
from impasto.nn.transformer import Architecture, TransformerNet, identity_code, new_code

SMALL = Architecture(name="johnson-cin", width=4, residual_blocks=1)


def network() -> TransformerNet:
    torch.manual_seed(0)
    return TransformerNet(SMALL).eval()


def bundle(path: Path, weights: dict[str, Tensor], architecture: dict[str, object] | None = None) -> Bundle:
    codes = new_code(SMALL)[None]
    manifest = {
        "name": "small",
        "version": "1",
        "architecture": architecture or SMALL.to_dict(),
        "code_size": SMALL.code_size,
        "size_multiple": SMALL.size_multiple,
        "training": {"step": 7},
        "styles": [{"id": "ink"}],
    }
    files = {
        GRAPH: b"a graph",
        WEIGHTS: save(weights),
        CODES: save({"ink": codes[0], IDENTITY: identity_code(codes)}),
        "styles/ink.jpg": b"a picture",
        "styles/ink.md": b"# Ink",
    }
    return write_bundle(path, manifest, files)


@pytest.mark.parametrize(
    "stored",
    [
        lambda name, value: (name, value),
        lambda name, value: (name, value.half()),
        lambda name, value: (name.removeprefix("design."), value),
    ],
    ids=["as now", "in fp16", "as the first bundles name them"],
)
@torch.no_grad()
def test_a_bundles_network_paints_as_the_one_that_it_was_made_of(
    tmp_path: Path, stored: Callable[[str, Tensor], tuple[str, Tensor]]
) -> None:
    made = bundle(tmp_path / "b", dict(stored(name, value) for name, value in network().state_dict().items()))
    photo, code = torch.rand(1, 3, 32, 32), new_code(SMALL)[None]
    torch.testing.assert_close(read_network(made)(photo, code), network()(photo, code), atol=5e-3, rtol=0)


def test_what_a_bundle_was_made_of_comes_back_with_its_codes(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(bundle(tmp_path / "b", network().state_dict()))
    assert (checkpoint.styles, checkpoint.training, checkpoint.optimizer) == (("ink",), {"step": 7}, {})
    assert torch.equal(checkpoint.codes, new_code(SMALL)[None])
    assert checkpoint.thumbnails == {"ink": b"a picture"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"name": "unheard-of"}, "a transformer that this Impasto cannot build"),
        ({"brushes": 3}, "a transformer that this Impasto cannot build"),
        ({"width": 8}, "its codes have"),
    ],
)
def test_a_transformer_that_cannot_be_built_is_refused(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    made = bundle(tmp_path / "b", network().state_dict(), {**SMALL.to_dict(), **change})
    with pytest.raises(BundleError, match=complaint):
        read_network(made)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    made = bundle(tmp_path / "b", {"design.stem": torch.zeros(1)})
    with pytest.raises(BundleError, match="does not fit"):
        read_network(made)
