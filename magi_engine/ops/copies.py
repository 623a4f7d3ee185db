"""Copies between a device and the host that run beside the computing.

The same code runs with the CPU on both ends, where every copy is done before the call returns.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

CopyEvent = torch.Event | None
"""None on devices without streams."""


class CopyStream:
    """A stream for copies beside the computing.

    Args:
        device: that copies go to or come from.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def computed(self) -> CopyEvent:
        """An event after everything that was computed so far."""
        if self._stream is None:
            return None
        return torch.cuda.current_stream(self._device).record_event()

    def copy(self, pairs: Iterable[tuple[Tensor, Tensor]], after: CopyEvent) -> CopyEvent:
        """Copy each second tensor to the first; both contiguous, those of the host pinned.

        Args:
            after: the event the copies wait for.

        Returns:
            An event after the copies.
        """
        if self._stream is None:
            for target, source in pairs:
                target.copy_(source)
            return None
        if after is not None:
            self._stream.wait_event(after)
        with torch.cuda.stream(self._stream):
            for target, source in pairs:
                target.copy_(source, non_blocking=True)
        return self._stream.record_event()

    def wait(self, event: CopyEvent) -> None:
        """Let what is computed from now on wait for ``event``."""
        if event is not None:
            torch.cuda.current_stream(self._device).wait_event(event)


def host_buffer(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Memory of the host that ``device`` copies from and to at full speed; not initialised.

    PyTorch's own pinned memory is rounded up to a power of two, which for these sizes can be
    nearly twice what was asked for.

    Raises:
        MemoryError: the system does not give that much.
    """
    buffer = torch.empty(shape, dtype=dtype, device="cpu")
    if device.type != "cuda" or buffer.numel() == 0:
        return buffer
    address = buffer.data_ptr()
    if int(_runtime().cudaHostRegister(address, buffer.nbytes, 0)) != 0:
        raise MemoryError(f"{buffer.nbytes} bytes cannot be pinned")
    weakref.finalize(buffer.untyped_storage(), _release, address, device)
    return buffer


def _release(address: int, device: torch.device) -> None:
    torch.cuda.synchronize(device)  # a copy may still be under way
    _runtime().cudaHostUnregister(address)


def _runtime() -> Any:
    return torch.cuda.cudart()
