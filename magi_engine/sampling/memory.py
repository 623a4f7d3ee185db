"""What a job does when a device runs out of memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class Memory:
    """How a job uses memory; this base class has one way and does not change it.

    Attributes:
        spare: gives back what is only for speed; returns whether there was any.
    """

    def __init__(self) -> None:
        self.spare: Callable[[], bool] = lambda: False

    @property
    def cache_on_host(self) -> bool:
        """Whether keys and values of clean chunks are kept in the host's memory."""
        return False

    @property
    def cuda_graphs(self) -> bool:
        """Whether forwards run as CUDA graphs."""
        return False

    def step_down(self) -> bool:
        """Use less memory from now on. False if it cannot be less."""
        return False

    def run(
        self,
        call: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """``call(...)``; if memory runs out in it, once more with less, until it is enough.

        Everything of a job that allocates on the device goes through here. ``call`` must leave
        nothing half done.

        Raises:
            torch.OutOfMemoryError, MemoryError: there is too little for the last way, too.
        """
        return until_it_fits(
            lambda: self.once(call, *args, **kwargs), lambda: self.spare() or self.step_down()
        )

    def once(
        self,
        call: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """``call(...)`` in the way in use."""
        return call(*args, **kwargs)


def until_it_fits(call: Callable[[], Result], step_down: Callable[[], bool]) -> Result:
    """``call()``, again after each ``step_down`` for as long as memory runs out in it.

    Raises:
        torch.OutOfMemoryError, MemoryError: memory ran out and ``step_down`` was False.
    """
    while True:
        try:
            return call()
        except (torch.OutOfMemoryError, MemoryError) as error:
            shortage = error.with_traceback(None)  # its frames hold on to tensors
        if not step_down():
            raise shortage
