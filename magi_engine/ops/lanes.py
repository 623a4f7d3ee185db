"""Kernels that follow each other but do not depend on each other, on two streams of a device.

A kernel's last blocks leave much of a card idle, which in one stream nothing else may use. The
other stream's next kernel does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager

import torch


class Lanes:
    """The present stream of a device and another one beside it; on a CPU there is nothing to it.

    Memory that is allocated in a lane stays with it.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._beside = torch.cuda.Stream(device) if device.type == "cuda" else None

    @contextlib.contextmanager
    def opened(self) -> Iterator[tuple[AbstractContextManager[object], ...]]:
        """Two contexts to compute in. Both come after what was computed before, and what is
        computed after this comes after both."""
        if self._beside is None:
            yield contextlib.nullcontext(), contextlib.nullcontext()
            return
        present = torch.cuda.current_stream(self._device)
        self._beside.wait_stream(present)
        try:
            yield contextlib.nullcontext(), torch.cuda.stream(self._beside)
        finally:
            present.wait_stream(self._beside)
