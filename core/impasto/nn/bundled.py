"""What lies in a bundle, for torch: its transformer and codes, to train new styles against or to train on."""

from __future__ import annotations

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from impasto.bundle import WEIGHTS, Bundle
from impasto.errors import BundleError
from impasto.nn.checkpoint import Checkpoint
from impasto.nn.transformer import Architecture, TransformerNet


def read_network(bundle: Bundle) -> TransformerNet:
    """Return a bundle's transformer, in evaluation mode.

    Raises:
        BundleError: of an architecture that this Impasto does not know, or its weights do not fit it.
    """
    architecture = _architecture(bundle)
    network = TransformerNet(architecture)
    try:
        network.load_state_dict(_weights(bundle))
    except RuntimeError as error:
        raise BundleError(f"{bundle.path}: {WEIGHTS} does not fit {architecture}; export it again") from error
    return network.eval()


def read_checkpoint(bundle: Bundle) -> Checkpoint:
    """Return the checkpoint that a bundle was made of, as far as it is in the bundle: without the optimiser's state.

    Raises:
        BundleError: see `read_network`.
    """
    network = read_network(bundle)
    return Checkpoint(
        architecture=network.architecture,
        weights=network.state_dict(),
        styles=tuple(bundle.styles),
        codes=torch.stack([torch.from_numpy(bundle.code(style)) for style in bundle.styles]),
        training=dict(bundle.manifest.get("training", {})),
        thumbnails={style: info.thumbnail for style, info in bundle.styles.items()},
    )


def _architecture(bundle: Bundle) -> Architecture:
    stored = bundle.manifest.get("architecture", {})
    try:
        architecture = Architecture(**stored)
    except (TypeError, ValueError) as error:
        raise BundleError(
            f"{bundle.path} has a transformer that this Impasto cannot build, {stored}: {error}; "
            "use the Impasto that made it, or a newer one"
        ) from error
    if architecture.code_size != bundle.identity.size:
        raise BundleError(
            f"{bundle.path}: its codes have {bundle.identity.size} numbers, but {architecture} takes "
            f"{architecture.code_size}; export it again"
        )
    return architecture


def _weights(bundle: Bundle) -> dict[str, Tensor]:
    """Return the transformer's state dict, in fp32 whatever it is stored in."""
    try:
        stored = load_file(bundle.path / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{bundle.path}: cannot read {WEIGHTS}: {error}; copy the bundle again") from error
    # The first bundles, made when there was one design only, name its layers without saying whose they are.
    return {f"design.{name.removeprefix('design.')}": value.float() for name, value in stored.items()}
