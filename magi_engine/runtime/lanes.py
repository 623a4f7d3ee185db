"""Work of a device that runs beside its main queue, and moments in these queues.

Everything here that knows of CUDA's streams is in this file. On other devices there is one queue,
and a call returns when its work is done; the same code runs there.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

_URGENT = -1
"""Priority of a stream whose kernels go before those of others."""


class Moment:
    """The end of everything that was queued before it was made."""

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
    def reached(self) -> bool:
        """Whether it has come; the host does not wait."""
        return self._event is None or self._event.query()

    def wait(self) -> None:
        """Let the host wait for it."""
        if self._event is not None:
            self._event.synchronize()

    def seconds_since(self, earlier: Moment) -> float:
        """Time of the device between two moments of one queue that have both come."""
        if self._event is None or earlier._event is None:
            return self._time_s - earlier._time_s
        return earlier._event.elapsed_time(self._event) / 1000


class Lanes:
    """The main queue of a device and an urgent one beside it."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._urgent: torch.cuda.Stream | None = None
        if device.type == "cuda":
            self._urgent = torch.cuda.Stream(device, priority=_URGENT)

    @property
    def steps_ahead(self) -> int:
        """How many steps may be queued beyond the one the host waits for.

        One is enough for the device never to wait for the host, and few enough to stop soon.
        """
        return 0 if self._urgent is None else 1

    def now(self) -> Moment:
        """The end of what is in the queue that is in use."""
        return Moment(self._device)

    @contextlib.contextmanager
    def beside(self) -> Iterator[None]:
        """What is queued in this context runs beside what is queued in the main queue later.

        It comes after what is in the main queue now. Tensors that it uses must be kept until it
        is done.
        """
        if self._urgent is None:
            yield
            return
        self._urgent.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._urgent):
            yield

    def to_host(self, tensor: Tensor) -> Tensor:
        """A copy in the host's memory; its values are there at a moment made after this call."""
        if self._urgent is None or tensor.device.type == "cpu":
            return tensor.cpu()
        try:
            host = torch.empty(tensor.shape, dtype=tensor.dtype, device="cpu", pin_memory=True)
        except RuntimeError as error:  # some systems give little memory that stays in its place
            logger.info("a copy to the host is waited for: %s", error)
            return tensor.cpu()
        return host.copy_(tensor, non_blocking=True)
