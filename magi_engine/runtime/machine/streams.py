"""CUDA streams and events of a job; on other devices the same calls run one after the other."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

_HIGH_PRIORITY = -1


class DeviceEvent:
    """An event at the end of what the current stream has been given so far."""

    def __init__(self, device: torch.device) -> None:
        self._event: torch.cuda.Event | None = None
        self._time_s = 0.0
        if device.type == "cuda":
            self._event = torch.cuda.Event(enable_timing=True)
            self._event.record(torch.cuda.current_stream(device))
            return
        if device.type == "mps":
            torch.mps.synchronize()
        self._time_s = time.monotonic()

    @property
    def is_done(self) -> bool:
        """Whether the device has got there; the host does not wait."""
        return self._event is None or self._event.query()

    def wait(self) -> None:
        """Block the host until the device has got there."""
        if self._event is not None:
            self._event.synchronize()

    def seconds_since(self, earlier: DeviceEvent) -> float:
        """Seconds of the device between two events of one stream, both done."""
        if self._event is None or earlier._event is None:
            return self._time_s - earlier._time_s
        return earlier._event.elapsed_time(self._event) / 1000


class Streams:
    """The current stream of a device and a side stream of high priority."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._side: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._side = torch.cuda.Stream(device, priority=_HIGH_PRIORITY)

    @property
    def steps_ahead(self) -> int:
        """Steps that may be queued beyond the one the host waits for.

        One is enough for the device never to wait for the host, and few enough to stop soon.
        """
        return 0 if self._side is None else 1

    def record(self) -> DeviceEvent:
        """An event in the current stream."""
        return DeviceEvent(self._device)

    @contextlib.contextmanager
    def side(self) -> Iterator[None]:
        """Queue what is called in this context on the side stream.

        It runs after what the current stream has now, and beside what that is given later.
        Tensors it uses must be kept until it is done.
        """
        if self._side is None:
            yield
            return
        self._side.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._side):
            yield

    def to_host(self, tensor: Tensor) -> Tensor:
        """A copy in pinned host memory; valid once an event recorded after this call is done."""
        if self._side is None or tensor.device.type == "cpu":
            return tensor.cpu()
        try:
            host = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu", pin_memory=True)
        except RuntimeError as error:  # some systems give little memory that stays in its place
            logger.info("a copy to the host is waited for: %s", error)
            return tensor.cpu()
        return host.copy_(tensor, non_blocking=True)
