"""What a run does about memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch

Result = TypeVar("Result")


class Memory:
    """How a run uses memory; this one has enough and knows no other way.

    Attributes:
        spare: called when there is too little: gives back what is only for speed, and says whether
            there was any.
    """

    def __init__(self) -> None:
        self.spare: Callable[[], bool] = _nothing

    @property
    def cache_on_host(self) -> bool:
        """Whether keys and values of clean chunks are kept in the host's memory."""
        return False

    @property
    def cuda_graphs(self) -> bool:
        """Whether forwards run as CUDA graphs."""
        return False

    def step_down(self) -> bool:
        """There was too little: use less from now on. False if it cannot be less."""
        return False

    def run(self, call: Callable[[], Result]) -> Result:
        """``call``, again and again with less memory until there is enough for it.

        Raises:
            torch.OutOfMemoryError, MemoryError: there is too little for the last way, too.
        """
        while True:
            try:
                return call()
            except (torch.OutOfMemoryError, MemoryError) as error:
                shortage = error.with_traceback(None)  # its frames hold on to tensors
            if not self.spare() and not self.step_down():
                raise shortage


def _nothing() -> bool:
    return False
