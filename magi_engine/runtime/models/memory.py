"""Free memory, and what a job does when it runs out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import psutil
import torch
from torch import nn

from magi_engine.errors import OutOfMemoryError
from magi_engine.messages import Message
from magi_engine.runtime.planning.placement import Placement
from magi_engine.sampling.memory import Memory, Parameters, Result

if TYPE_CHECKING:
    from magi_engine.runtime.models.loaded import LoadedModel

logger = logging.getLogger(__name__)


class PlannedMemory(Memory):
    """Runs a job's calls with ``model`` placed in one way, then in the next when memory runs out.

    Args:
        placements: ways that are left, the fastest first.

    Attributes:
        steady: whether there is another way out, so that the one in use stays.
    """

    def __init__(self, model: LoadedModel, placements: Sequence[Placement]) -> None:
        super().__init__()
        self._model = model
        self._left = list(placements)
        self._news = False
        self.steady = False

    def take_news(self) -> bool:
        """Whether memory has run out since this was asked before."""
        news, self._news = self._news, False
        return news

    @property
    def placement(self) -> Placement:
        """The way in use."""
        return self._left[0]

    @property
    def cache_on_host(self) -> bool:
        """See :class:`Memory`."""
        return self.placement.cache_on_host

    @property
    def cuda_graphs(self) -> bool:
        """See :class:`Memory`."""
        return self.placement.cuda_graphs

    def once(
        self,
        call: Callable[Parameters, Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Result:
        """See :class:`Memory`; the model is placed before."""
        self._model.place(self.placement)
        return call(*args, **kwargs)

    def step_down(self) -> bool:
        """See :class:`Memory`."""
        if self.steady or len(self._left) == 1:
            return False
        del self._left[0]
        logger.warning("too little memory: going on with %s", self.placement)
        self._news = True
        self._model.text.release()
        if self._model.device.type == "cuda":
            torch.cuda.empty_cache()
        return True


def free_bytes(device: torch.device) -> int:
    """Memory that can be had on ``device`` now; Apple's GPUs share the machine's."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    return psutil.virtual_memory().available


def require_room(module: nn.Module, name: Message, on_host: Callable[[str], bool]) -> None:
    """Check that the host has room for those weights of ``module`` that go there.

    Running out of it does not raise an error: the system slows to a crawl and kills something.

    Args:
        module: may be on the meta device.
        name: of it, for people.
        on_host: which of its tensors go to the host, by name.

    Raises:
        OutOfMemoryError: they do not fit.
    """
    needed = sum(tensor.nbytes for key, tensor in module.state_dict().items() if on_host(key))
    free = free_bytes(torch.device("cpu"))
    if needed > free:
        raise OutOfMemoryError(
            "{name} needs {needed:bytes} of memory on {device}, but only {free:bytes} are free.",
            "Close other programs, or choose a smaller model or another device.",
            name=name,
            needed=needed,
            device="cpu",
            free=free,
        )
