"""Training in several processes, on one machine or on many: torchrun starts them and tells each who it is.

Each paints its share of a batch. Gradients are averaged before the step, so that all hold the same weights at any time.
Written out rather than left to DistributedDataParallel: the gradients are a few MB in one buffer, the frozen perception
needs no care, and the compiled step stays one graph.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from impasto.errors import InvalidInput


@dataclass(frozen=True)
class Ranks:
    """The processes that train one transformer; by default this one alone.

    Attributes:
        rank: the place of this process among them.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def writes(self) -> bool:
        """Whether this process is the one that shows progress and writes files."""
        return self.rank == 0

    def share(self, batch: int) -> slice:
        """Return which photos of a batch this process paints.

        Raises:
            InvalidInput: the batch cannot be shared out evenly.
        """
        if batch % self.count:
            raise InvalidInput("batch", f"{batch} photos cannot be shared by {self.count} processes; give a multiple")
        part = batch // self.count
        return slice(self.rank * part, (self.rank + 1) * part)

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over all processes into each tensor; all fp32 and on one device."""
        if self.count == 1:
            return
        together = torch.cat([tensor.reshape(-1) for tensor in tensors])
        dist.all_reduce(together)
        together /= self.count
        begin = 0
        for tensor in tensors:
            tensor.copy_(together[begin : begin + tensor.numel()].view(tensor.shape))
            begin += tensor.numel()

    def largest(self, number: int) -> int:
        """Return the largest of the numbers that the processes bring."""
        if self.count == 1:
            return number
        numbers = torch.tensor([number])
        dist.all_reduce(numbers, dist.ReduceOp.MAX)
        return int(numbers)


ALONE = Ranks()


@contextmanager
def joined() -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, if it started this one."""
    if not dist.is_torchelastic_launched():
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(local_rank())
    dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def local_rank() -> int:
    """Return the place of this process among those on this machine: which of its GPUs to use."""
    return int(os.environ.get("LOCAL_RANK", "0"))
