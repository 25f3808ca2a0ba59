"""A checkpoint: one safetensors file with a transformer, its codes, and what is needed to go on training it.

Tensors are named `transformer.*`, `codes` [S, D], `thumbnail.<style>` (a JPEG's bytes) and `optimizer.*`; the header's
`impasto` entry is a JSON object with the format version, the architecture, the styles' ids and the training record.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from impasto.errors import CheckpointError
from impasto.nn.transformer import Architecture, TransformerNet

CHECKPOINT_FILE = "checkpoint.safetensors"
"""What a training calls it in its folder."""

FORMAT_VERSION = 1
_HEADER = "impasto"


@dataclass
class Checkpoint:
    """A trained transformer and the styles it paints.

    Attributes:
        architecture: what the transformer is built from.
        weights: the transformer's state dict.
        styles: the styles' ids, in the order of `codes`.
        codes: [S, D].
        training: the record of the training, JSON-ready: recipe, step, photos, perception, last losses.
        thumbnails: style id -> JPEG of its painting.
        optimizer: flat tensors of the optimiser's state; empty in a checkpoint that is only for use.
    """

    architecture: Architecture
    weights: dict[str, Tensor]
    styles: tuple[str, ...]
    codes: Tensor
    training: dict[str, Any] = field(default_factory=dict)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    optimizer: dict[str, Tensor] = field(default_factory=dict)

    def transformer(self) -> TransformerNet:
        """Return the transformer with these weights, in evaluation mode."""
        network = TransformerNet(self.architecture)
        network.load_state_dict(self.weights)
        return network.eval()

    def save(self, path: Path) -> None:
        """Write the file so that at any moment either the old one or the new one is there, whole.

        Raises:
            CheckpointError: it could not be written; what was at `path` is untouched.
        """
        header = {
            "format_version": FORMAT_VERSION,
            "architecture": self.architecture.to_dict(),
            "styles": list(self.styles),
            "training": self.training,
        }
        tensors = {"codes": self.codes}
        tensors |= {f"transformer.{name}": value for name, value in self.weights.items()}
        tensors |= {f"optimizer.{name}": value for name, value in self.optimizer.items()}
        tensors |= {f"thumbnail.{style}": _from_bytes(data) for style, data in self.thumbnails.items()}
        plain = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
        write_atomically(path, save(plain, {_HEADER: json.dumps(header)}))

    @classmethod
    def load(cls, path: Path) -> Checkpoint:
        """Read a checkpoint.

        Raises:
            CheckpointError: missing, damaged, or of another format.
        """
        try:
            with safe_open(path, framework="pt") as file:
                header = json.loads((file.metadata() or {})[_HEADER])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            if header["format_version"] != FORMAT_VERSION:
                raise CheckpointError(
                    f"{path} has format version {header['format_version']!r}; this Impasto reads {FORMAT_VERSION}"
                )
            return cls(
                architecture=Architecture(**header["architecture"]),
                weights=_under("transformer.", tensors),
                styles=tuple(header["styles"]),
                codes=tensors["codes"],
                training=header["training"],
                thumbnails={name: value.numpy().tobytes() for name, value in _under("thumbnail.", tensors).items()},
                optimizer=_under("optimizer.", tensors),
            )
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{path} is no readable checkpoint: {error}") from error


def remove_drafts(path: Path) -> None:
    """Remove what a killed process left beside `path` while it was writing it."""
    for draft in path.parent.glob(f"{path.name}.*.tmp"):
        draft.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to `path` through a temporary file beside it.

    Raises:
        CheckpointError: no room, or no right to write; what was at `path` is untouched.
    """
    draft = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise CheckpointError(f"could not write {path}: {error}; an earlier file there is untouched") from error


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _from_bytes(data: bytes) -> Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
