"""Whether there is room for a model, asked before the minutes of loading it."""

from __future__ import annotations

import psutil
import torch
from torch import nn

from magi_engine.errors import OutOfMemoryError


def free_bytes(device: torch.device) -> int:
    """Memory that can be had on ``device`` now; Apple's GPUs share the machine's."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free
    return psutil.virtual_memory().available


def require_room(module: nn.Module, name: str, device: torch.device) -> None:
    """Check that the weights of ``module``, which may be on the meta device, fit.

    On the CPU running out does not raise an error: the system slows to a crawl and kills
    something.

    Raises:
        OutOfMemoryError: they do not fit.
    """
    needed = sum(tensor.nbytes for tensor in module.state_dict().values())
    free = free_bytes(device)
    if needed > free:
        raise OutOfMemoryError(
            "{name} needs {needed:GB} of memory on {device}, but only {free:GB} are free.",
            "Close other programs, or choose a smaller model or another device.",
            name=name,
            needed=needed,
            device=device,
            free=free,
        )
