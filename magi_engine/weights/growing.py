"""A safetensors file that is written tensor by tensor and, after a kill, goes on where it was."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import filelock
import torch
from torch import Tensor

from magi_engine.atomic import put_in_place
from magi_engine.disk import require_room, writing
from magi_engine.errors import OutputError
from magi_engine.weights.shards import DTYPES, TensorInfo

_CODES = {dtype: code for code, dtype in DTYPES.items()}
MARGIN_BYTES = 256 << 20
"""Of room that is to be left."""
_ALIGNMENT = 8


class GrowingFile:
    """Writes one safetensors file in bounded memory.

    The header is known before the first tensor, and the tensors follow one another without gaps,
    so how far the file has come follows from its length alone. Until the last tensor is there it
    has another name. A context manager; inside it the file belongs to this process.

    Args:
        path: the file to be.
        infos: all its tensors, in the order in which they will be written.
        metadata: goes into the header. A beginning with another header, made from other weights
            or in another way, is written anew.
    """

    def __init__(
        self, path: Path, infos: Mapping[str, TensorInfo], metadata: Mapping[str, str]
    ) -> None:
        self._path = path
        self._part = unfinished(path)
        self._infos = dict(infos)
        self._header = _header(infos, metadata)
        sizes = [_size_bytes(info) for info in infos.values()]
        self._ends = list(accumulate(sizes, initial=len(self._header)))
        self._lock = filelock.FileLock(path.parent / f".{path.name}.lock")
        self._file: BinaryIO | None = None
        self._written = 0

    @property
    def missing(self) -> tuple[str, ...]:
        """The tensors that are still to be written, in order."""
        return tuple(self._infos)[self._written :]

    def __enter__(self) -> GrowingFile:
        """Open the file, or what an earlier run has left of it.

        Raises:
            DiskFullError: there is no room for the rest of it.
            OutputError: the folder may not be written to, or another process writes this file.
        """
        with writing(self._path.parent, goes_on=True):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise OutputError(
                    "{path} is being made by another program.",
                    "Wait until it is done.",
                    path=self._path,
                ) from error
            try:
                self._open()
            except BaseException:
                self._close()
                raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def write(self, name: str, blocks: Iterable[Tensor]) -> None:
        """Write the next of :attr:`missing`, given as pieces of it, on the CPU, in order.

        Raises:
            DiskFullError, OutputError: what was written before is kept, to go on from.
        """
        assert self._file is not None
        assert name == self.missing[0]
        for block in blocks:
            with writing(self._path.parent, goes_on=True):
                self._file.write(block.contiguous().flatten().view(torch.uint8).numpy().data)
        with writing(self._path.parent, goes_on=True):
            self._flush(self._file)
        if self._file.tell() != self._ends[self._written + 1]:
            raise ValueError(f"{name} is not of the size that was announced")
        self._written += 1

    def finish(self) -> Path:
        """Give the complete file its name; returns it. Errors as of :meth:`write`."""
        assert self._file is not None
        assert not self.missing
        self._file.close()
        with writing(self._path.parent, goes_on=True):
            put_in_place(self._part, self._path)
        return self._path

    def _open(self) -> None:
        written = self._usable()
        needed = self._ends[-1] - self._ends[written]
        require_room(self._path.parent, needed, MARGIN_BYTES)
        self._file = self._part.open("r+b" if written else "wb")
        if written:
            self._file.truncate(self._ends[written])
            self._file.seek(self._ends[written])
        else:
            self._file.write(self._header)
            self._flush(self._file)
        self._written = written

    def _usable(self) -> int:
        """How many tensors an earlier run has left.

        The last one does not count: a machine that lost power may not have it in full.
        """
        try:
            with self._part.open("rb") as file:
                if file.read(len(self._header)) != self._header:
                    return 0
                size_bytes = file.seek(0, os.SEEK_END)
        except FileNotFoundError:
            return 0
        complete = sum(end <= size_bytes for end in self._ends[1:])
        return max(0, complete - 1)

    def _flush(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())

    def _close(self) -> None:
        with contextlib.suppress(OSError):  # a full disk has been reported by then
            if self._file is not None:
                self._file.close()
        self._lock.release()
        with contextlib.suppress(OSError):
            Path(self._lock.lock_file).unlink()


def unfinished(path: Path) -> Path:
    """What ``path`` is called as long as it is being written."""
    return path.with_name(f".{path.name}.part")


def _header(infos: Mapping[str, TensorInfo], metadata: Mapping[str, str]) -> bytes:
    # https://github.com/huggingface/safetensors#format
    entries: dict[str, object] = {"__metadata__": {"format": "pt", **metadata}}
    position = 0
    for name, info in infos.items():
        end = position + _size_bytes(info)
        entries[name] = {
            "dtype": _CODES[info.dtype],
            "shape": list(info.shape),
            "data_offsets": [position, end],
        }
        position = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    return len(text).to_bytes(8, "little") + text


def _size_bytes(info: TensorInfo) -> int:
    count = 1
    for n in info.shape:
        count *= n
    return count * info.dtype.itemsize
