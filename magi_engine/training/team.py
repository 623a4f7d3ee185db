"""Several GPUs of one computer that train one network: a process each, with clips of its own.

Started by ``python -m torch.distributed.run --standalone --nproc-per-node 4 -m ...``, which tells
each process its number; a process started as usual is a team of one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch import distributed as dist


@dataclass(frozen=True)
class Team:
    """The processes that train together. They must ask for the same things in the same order.

    Attributes:
        rank: this process's number, from 0.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process is the one that reports and saves."""
        return self.rank == 0

    def agree(self, number: float) -> float:
        """The number that the leading process gives."""
        if self.size == 1:
            return number
        shared = torch.tensor(number, dtype=torch.float64)
        dist.broadcast(shared, src=0)
        return float(shared)

    @torch.no_grad()
    def share(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite tensors of every process by those of the leading one."""
        for tensor in tensors if self.size > 1 else ():
            dist.broadcast(tensor, src=0)

    @torch.no_grad()
    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over all processes."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        parts = (flat / self.size).split([tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def leave(self) -> None:
        """End the common work; every process must come here, and none goes on before the others.

        A process that ended while another was still in its last exchange would take the
        connection down under it, and gloo's threads with it.
        """
        if self.size > 1:
            dist.barrier()
            dist.destroy_process_group()


ALONE = Team()


def join_team() -> Team:
    """The team this process was started for, with its own GPU chosen; :data:`ALONE` if for none."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return ALONE
    on_gpu = torch.cuda.is_available()
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo")
    return Team(dist.get_rank(), size)
