"""A checkpoint of an optimisation: safetensors, with the place in the plan as JSON in its header."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from impasto.errors import CheckpointError
from impasto.nn.optimize.adam import Adam
from impasto.nn.optimize.lbfgs import LBFGS

_FORMAT = 3
_DESCENTS: Mapping[str, type[LBFGS] | type[Adam]] = {LBFGS.name: LBFGS, Adam.name: Adam}
_HEADER = 8  # bytes of a safetensors file that hold the length of its header


@dataclass(frozen=True, kw_only=True)
class Saved:
    """Where an optimisation was.

    Attributes:
        perception: the name of what the optimisation saw by.
        optimizer: the descent's name.
        long_side: px, of the finest scale.
        scale, done: the scale's number, and the steps at it.
        totals: the objective after the last steps.
        rough: whether the perception still looked in bfloat16.
        notes: of the progress.
        tensors: the picture, and the descent's state.
    """

    perception: str
    optimizer: str
    long_side: int
    scale: int
    done: int
    totals: tuple[float, ...]
    rough: bool
    notes: tuple[str, ...]
    tensors: Mapping[str, Tensor] = field(repr=False)

    @classmethod
    def of(cls, descent: LBFGS | Adam, **place: Any) -> Saved:
        """Return a descent, with the attributes that tell its place."""
        tensors = {"picture": descent.picture.detach()} | descent.state()
        return cls(optimizer=descent.name, tensors=tensors, **place)

    def write(self) -> bytes:
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name != "tensors"}
        values["format"] = _FORMAT
        return save(
            {name: value.cpu().contiguous() for name, value in self.tensors.items()}, {"impasto": json.dumps(values)}
        )

    @classmethod
    def read(cls, data: bytes) -> Saved:
        """Return what `write` wrote, or raise CheckpointError."""
        try:
            length = int.from_bytes(data[:_HEADER], "little")
            values = json.loads(json.loads(data[_HEADER : _HEADER + length])["__metadata__"]["impasto"])
            tensors = load(data)
            if values.pop("format") != _FORMAT:
                raise CheckpointError("the checkpoint of this job was written by another version; create the job again")
            values |= {"totals": tuple(values["totals"]), "notes": tuple(values["notes"]), "tensors": tensors}
            return cls(**values)
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise CheckpointError(f"the checkpoint of this job cannot be read: {error}") from error

    def check(self, perception: str) -> None:
        """Raise CheckpointError unless this perception sees as the one did that led here: it has another objective."""
        if perception != self.perception:
            raise CheckpointError(
                f"this job was begun by a worker that sees by {self.perception}, and this one sees by {perception}; "
                "give all workers the same weights"
            )

    def descent(self, device: torch.device) -> LBFGS | Adam:
        """Return the descent as it was."""
        tensors = {
            name: value.to(device, memory_format=torch.channels_last) if value.dim() == 4 else value
            for name, value in self.tensors.items()
        }
        descent = _DESCENTS[self.optimizer](tensors.pop("picture"))
        descent.restore(tensors)
        return descent
