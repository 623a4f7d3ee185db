"""Reading a safetensors file straight into a graphics card's memory.

Several threads read pieces of the file into small pinned buffers, from which they are copied while
the next ones are read. The machine's memory never holds more than those buffers.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import torch
from torch import Tensor

_THREADS = 4
_PIECE_BYTES = 32 << 20
_BUFFERS = 2
"""Of each thread: one is read into while the other is copied."""


@dataclass(frozen=True)
class Stretch:
    """Bytes of a file and where they belong.

    Attributes:
        offset: in the file.
        target: contiguous tensor to be filled.
    """

    offset: int
    target: Tensor


def read_stretches(path: Path, stretches: Sequence[Stretch]) -> None:
    """Fill every target, which are all on one device, from the file.

    Raises:
        OSError, EOFError: the file cannot be read, or ends too early.
    """
    if not stretches:
        return
    pieces: queue.SimpleQueue[Stretch] = queue.SimpleQueue()
    for stretch in stretches:
        flat = stretch.target.reshape(-1).view(torch.uint8)
        for start in range(0, flat.numel(), _PIECE_BYTES):
            pieces.put(Stretch(stretch.offset + start, flat[start : start + _PIECE_BYTES]))
    errors: list[BaseException] = []

    def work() -> None:
        try:
            # The mode belongs to a thread; targets made in it can only be filled in it.
            with torch.inference_mode():
                _Reader(path, stretches[0].target.device).run(pieces, errors)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, name="weights-reader") for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


class _Reader:
    """One thread's buffers and its stream of copies."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self._path = path
        self._device = device
        cuda = device.type == "cuda"
        self._stream = torch.cuda.Stream(device) if cuda else None
        if self._stream is not None:
            # The targets' memory may still be in use by what had it before.
            self._stream.wait_stream(torch.cuda.current_stream(device))
        self._buffers = [
            torch.empty(_PIECE_BYTES, dtype=torch.uint8, pin_memory=cuda) for _ in range(_BUFFERS)
        ]
        self._copied: list[torch.cuda.Event | None] = [None] * _BUFFERS

    def run(self, pieces: queue.SimpleQueue[Stretch], errors: list[BaseException]) -> None:
        with self._path.open("rb", buffering=0) as file:
            for slot in itertools.cycle(range(_BUFFERS)):
                try:
                    piece = pieces.get_nowait()
                except queue.Empty:
                    break
                if errors:
                    return
                self._wait(slot)
                size = piece.target.numel()
                self._read(file, piece.offset, slot, size)
                self._copy(slot, piece.target)
        for slot in range(_BUFFERS):
            self._wait(slot)

    def _read(self, file: FileIO, offset: int, slot: int, size: int) -> None:
        view = self._buffers[slot].numpy().data[:size]
        file.seek(offset)
        while view:
            count = file.readinto(view)
            if not count:
                raise EOFError(f"{self._path} ends too early")
            view = view[count:]

    def _copy(self, slot: int, target: Tensor) -> None:
        source = self._buffers[slot][: target.numel()]
        if self._stream is None:
            target.copy_(source)
            return
        with torch.cuda.stream(self._stream):
            target.copy_(source, non_blocking=True)
            event = self._copied[slot] = torch.cuda.Event()
            event.record(self._stream)

    def _wait(self, slot: int) -> None:
        event = self._copied[slot]
        if event is not None:
            event.synchronize()
