"""One file of tensors, in any of the formats MAGI-1 is published in, read without surprises.

Every reader tells names, shapes and types first, so that a wrong file is refused before gigabytes
are read, and then hands out the tensors one by one.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import zipfile
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import torch
from safetensors import SafetensorError, safe_open

from magi_engine.errors import WeightsError
from magi_engine.json_text import parse_json
from magi_engine.messages import Message
from magi_engine.weights.staging import Stretch, read_stretches

DAMAGED_HINT = Message("Download that file again.")

# https://github.com/huggingface/safetensors#format
DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
"""What safetensors calls each type."""

_MAX_HEADER_BYTES = 100_000_000
_ZIP_MAGIC = b"PK\x03\x04"
# Files compressed with zstd's --long=31 need a window of this size to be read.
_MAX_ZSTD_WINDOW_BYTES = 2**31


@dataclass(frozen=True)
class TensorInfo:
    """What is known of a tensor before it is read."""

    shape: tuple[int, ...]
    dtype: torch.dtype


class Shard(Protocol):
    """One file of named tensors."""

    @property
    def path(self) -> Path: ...

    def infos(self) -> dict[str, TensorInfo]:
        """Every tensor of the file. Raises WeightsError if the file is damaged or unsafe."""
        ...

    def tensors(
        self, names: Collection[str], device: torch.device
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The named tensors, in the file's own order, on ``device``."""
        ...


def open_shard(path: Path) -> Shard:
    """The reader for a file, by its name; nothing is read yet.

    Raises:
        WeightsError: the name is that of no known format.
    """
    if path.name.endswith(".safetensors"):
        return SafetensorsShard(path)
    if path.name.endswith(".safetensors.zst"):
        return ZstdShard(path)
    if path.suffix == ".bin":
        return PickleShard(path)
    raise WeightsError(
        "{path} is no known kind of weights.",
        "Weights are .safetensors, .safetensors.zst or .bin files.",
        path=path,
    )


@dataclass(frozen=True)
class SafetensorsShard:
    """A plain safetensors file; on the CPU its tensors are mapped, not copied."""

    path: Path

    def infos(self) -> dict[str, TensorInfo]:
        with self._open(torch.device("cpu")) as file:
            infos = {}
            for name in file.keys():  # noqa: SIM118 (not a mapping)
                view = file.get_slice(name)
                dtype = _dtype(view.get_dtype(), name, self.path)
                infos[name] = TensorInfo(tuple(view.get_shape()), dtype)
            return infos

    def tensors(
        self, names: Collection[str], device: torch.device
    ) -> Iterator[tuple[str, torch.Tensor]]:
        if device.type == "cuda":
            yield from self._staged(names, device)
            return
        with self._open(device) as file:
            for name in file.offset_keys():
                if name in names:
                    yield name, file.get_tensor(name)

    def _staged(
        self, names: Collection[str], device: torch.device
    ) -> Iterator[tuple[str, torch.Tensor]]:
        """The same by several threads, without a copy of the file in the machine's memory."""
        try:
            with self.path.open("rb") as file:
                header = _read_header(file, self.path)
                offset = file.tell()
                # Before room is made for what the header only claims.
                if offset + sum(size for _, _, size in header) != file.seek(0, os.SEEK_END):
                    raise _damaged(self.path)
            tensors: dict[str, torch.Tensor] = {}
            stretches: list[Stretch] = []
            for name, info, size_bytes in header:
                if name in names:
                    tensors[name] = torch.empty(info.shape, dtype=info.dtype, device=device)
                    stretches.append(Stretch(offset, tensors[name]))
                offset += size_bytes
            read_stretches(self.path, stretches)
        except (OSError, EOFError) as error:
            raise _damaged(self.path) from error
        yield from tensors.items()

    @contextlib.contextmanager
    def _open(self, device: torch.device) -> Iterator[Any]:
        try:
            with safe_open(self.path, framework="pt", device=str(device)) as file:
                yield file
        except (SafetensorError, OSError) as error:
            raise _damaged(self.path) from error


@dataclass(frozen=True)
class ZstdShard:
    """A safetensors file compressed as a whole with zstd.

    It is decompressed as a stream, each tensor straight into its own memory: no temporary file,
    and never more memory than the tensors that are kept.
    """

    path: Path

    def infos(self) -> dict[str, TensorInfo]:
        with self._open() as stream:
            return {name: info for name, info, _ in _read_header(stream, self.path)}

    def tensors(
        self, names: Collection[str], device: torch.device
    ) -> Iterator[tuple[str, torch.Tensor]]:
        with self._open() as stream:
            for name, info, size_bytes in _read_header(stream, self.path):
                data = _room(size_bytes, self.path)
                _read_exactly(stream, data.numpy().data, self.path)
                if name in names:
                    yield name, data.view(info.dtype).reshape(info.shape).to(device)
            if stream.read(1):
                raise _damaged(self.path)

    @contextlib.contextmanager
    def _open(self) -> Iterator[BinaryIO]:
        import zstandard

        try:
            with (
                self.path.open("rb") as file,
                zstandard.ZstdDecompressor(max_window_size=_MAX_ZSTD_WINDOW_BYTES).stream_reader(
                    file, read_across_frames=True
                ) as stream,
            ):
                yield stream
        except (zstandard.ZstdError, OSError) as error:
            raise _damaged(self.path) from error


@dataclass(frozen=True)
class PickleShard:
    """A PyTorch ``.bin`` pickle, of which only tensors are accepted: code in it is never run."""

    path: Path

    def infos(self) -> dict[str, TensorInfo]:
        return {
            name: TensorInfo(tuple(tensor.shape), tensor.dtype)
            for name, tensor in self._load().items()
        }

    def tensors(
        self, names: Collection[str], device: torch.device
    ) -> Iterator[tuple[str, torch.Tensor]]:
        for name, tensor in self._load().items():
            if name in names:
                yield name, tensor.detach().to(device)

    def _load(self) -> dict[str, torch.Tensor]:
        try:
            with self.path.open("rb") as file:
                # Only the zip format can be mapped; PyTorch before 1.6 wrote another.
                mapped = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
            if mapped:
                # PyTorch packs nothing; a few bytes can unpack to more than there is memory.
                with zipfile.ZipFile(self.path) as archive:
                    if any(entry.compress_type for entry in archive.infolist()):
                        raise _damaged(self.path)
            state = torch.load(self.path, map_location="cpu", weights_only=True, mmap=mapped)
        except pickle.UnpicklingError as error:
            raise WeightsError(
                "{path} holds something other than plain tensors; nothing in it was run.",
                "Use weights from the official release.",
                path=self.path,
            ) from error
        except WeightsError:
            raise
        except Exception as error:  # damaged bytes can make the unpickler raise anything
            raise _damaged(self.path) from error
        if not isinstance(state, dict) or not all(
            isinstance(name, str) and isinstance(value, torch.Tensor)
            for name, value in state.items()
        ):
            raise WeightsError(
                "{path} is not a table of named tensors.",
                "Use weights from the official release.",
                path=self.path,
            )
        return state


def _damaged(path: Path) -> WeightsError:
    return WeightsError("{path} is damaged, incomplete or cannot be read.", DAMAGED_HINT, path=path)


def _dtype(code: str, name: str, path: Path) -> torch.dtype:
    if code not in DTYPES:
        raise WeightsError(
            "The tensor {name} in {path} has the unsupported type {code}.",
            "Use weights from the official release.",
            name=name,
            path=path,
            code=code,
        )
    return DTYPES[code]


def _read_header(stream: BinaryIO, path: Path) -> list[tuple[str, TensorInfo, int]]:
    """Name, info and size in bytes of each tensor, in the order in which the data follows."""
    prefix = bytearray(8)
    _read_exactly(stream, memoryview(prefix), path)
    header_bytes = int.from_bytes(prefix, "little")
    if header_bytes > _MAX_HEADER_BYTES:
        raise _damaged(path)
    header = bytearray(header_bytes)
    _read_exactly(stream, memoryview(header), path)
    try:
        entries = parse_json(header)
        entries.pop("__metadata__", None)
        ordered = sorted(entries.items(), key=lambda item: item[1]["data_offsets"])
        tensors: list[tuple[str, TensorInfo, int]] = []
        position = 0
        for name, entry in ordered:
            info = TensorInfo(
                tuple(int(n) for n in entry["shape"]), _dtype(entry["dtype"], name, path)
            )
            size_bytes = math.prod(info.shape) * info.dtype.itemsize
            if min(info.shape, default=0) < 0 or entry["data_offsets"] != [
                position,
                position + size_bytes,
            ]:
                raise _damaged(path)
            position += size_bytes
            tensors.append((name, info, size_bytes))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    return tensors


def _room(size_bytes: int, path: Path) -> torch.Tensor:
    """Memory for a tensor, unless the header claims more than there can be."""
    try:
        return torch.empty(size_bytes, dtype=torch.uint8)
    except (RuntimeError, TypeError, MemoryError) as error:
        raise _damaged(path) from error


def _read_exactly(stream: BinaryIO, target: memoryview, path: Path) -> None:
    filled = 0
    while filled < len(target):
        count = stream.readinto(target[filled:])  # type: ignore[attr-defined]
        if not count:
            raise _damaged(path)
        filled += count
