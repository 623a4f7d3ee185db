"""Turning T5-XXL, 19 GB of fp32 pickles, once into 5 GB of 8-bit weights, in little memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

from magi_engine.disk import writing
from magi_engine.errors import WeightsError
from magi_engine.model.tokenizer import Tokenizer
from magi_engine.ops.int8 import quantise_int8
from magi_engine.weights.checkpoint import Checkpoint, fit_checkpoint
from magi_engine.weights.growing import GrowingFile
from magi_engine.weights.provenance import (
    FILE_NAME,
    SIDE_FILES,
    TEXT_RECIPE,
    Provenance,
    content_hash,
    find_small_text_encoder,
    note_source,
    small_text_encoder_folder,
)
from magi_engine.weights.shards import TensorInfo
from magi_engine.weights.text_encoder import TIED, build_text_model, to_int8

_ROWS_AT_ONCE = 1024
_HASHING_SHARE = 0.3

Poll = Callable[[], None]
"""Called between blocks; may wait (a pause) or raise (a cancellation)."""


def shrink_text_encoder(
    source: Path, models_dir: Path, poll: Poll = lambda: None
) -> Iterator[float]:
    """Make the 8-bit form of the encoder in ``source`` where it is looked for, if it is not there.

    Yields:
        The fraction done. Errors as of :func:`convert_text_encoder`.
    """
    hashing = content_hash(source)
    while True:
        try:
            yield _HASHING_SHARE * next(hashing)
        except StopIteration as end:
            sha256 = end.value
            break
        poll()
    target = small_text_encoder_folder(models_dir, sha256)
    if find_small_text_encoder(models_dir, sha256) is None:
        for fraction in convert_text_encoder(source, target, sha256, poll):
            yield _HASHING_SHARE + (1 - _HASHING_SHARE) * fraction
    with writing(target):
        note_source(target, source)
    yield 1.0


def convert_text_encoder(
    source: Path, target: Path, source_sha256: str, poll: Poll = lambda: None
) -> Iterator[float]:
    """Write the 8-bit form of the encoder in ``source`` into the folder ``target``.

    Tensors are read and written one by one. After a kill, a full disk or a cancellation it goes
    on where it was. ``target`` has weights only once they are complete.

    Args:
        source_sha256: see :func:`content_hash`; noted in the file.

    Yields:
        The fraction done.

    Raises:
        ModelNotFoundError, WeightsError: the source is incomplete, damaged, unsafe, or no T5.
        DiskFullError, OutputError: the target cannot be written.
    """
    model = build_text_model(source)
    Tokenizer.load(source / "spiece.model")
    checkpoint = Checkpoint.open(source)
    fit = fit_checkpoint(model, checkpoint, tied=TIED)
    infos: dict[str, TensorInfo] = {}
    to_int8(model)
    wanted = model.state_dict()
    sources: dict[str, tuple[int, str]] = {}
    for index, shard in enumerate(checkpoint.shards):
        for stored in shard.infos():
            name = next(iter(fit.get(stored, {})), None)
            if name is None:
                continue
            sources[name] = (index, stored)
            for target_name in (name, f"{name}_scale"):
                if target_name in wanted:
                    tensor = wanted[target_name]
                    infos[target_name] = TensorInfo(tuple(tensor.shape), tensor.dtype)
    noted = Provenance(TEXT_RECIPE, source_sha256)
    total = sum(_count(infos[name]) for name in sources)
    with GrowingFile(target / FILE_NAME, infos, noted.metadata) as file:
        missing = file.missing
        done = sum(_count(infos[name]) for name in sources if name not in missing)
        scale: Tensor | None = None
        for name in missing:
            if name not in sources:  # a scale: its weight is the one before
                weight = name.removesuffix("_scale")
                if scale is None:
                    scale = _scales(checkpoint, *sources[weight])
                file.write(name, [scale])
                scale = None
                continue
            scales: list[Tensor] = []
            tensor = _read(checkpoint, *sources[name])
            # Only this tensor's pages of the source are mapped meanwhile.
            dtype = infos[name].dtype
            file.write(name, _polled(_blocks(tensor, name, dtype, scales), poll))
            scale = torch.cat(scales) if scales else None
            done += tensor.numel()
            del tensor
            yield done / total
        _copy_side_files(source, target)
        file.finish()


def _count(info: TensorInfo) -> int:
    return torch.Size(info.shape).numel()


def _read(checkpoint: Checkpoint, shard: int, stored: str) -> Tensor:
    # Opened for each tensor, so that pages of the mapped file do not pile up.
    _, tensor = next(iter(checkpoint.shards[shard].tensors({stored}, torch.device("cpu"))))
    return tensor


def _scales(checkpoint: Checkpoint, shard: int, stored: str) -> Tensor:
    tensor = _read(checkpoint, shard, stored)
    return torch.cat([quantise_int8(rows)[1] for rows in tensor.split(_ROWS_AT_ONCE)])


def _blocks(
    tensor: Tensor, name: str, dtype: torch.dtype, scales: list[Tensor]
) -> Iterator[Tensor]:
    for rows in tensor.split(_ROWS_AT_ONCE):
        if not torch.isfinite(rows).all():
            raise WeightsError(
                "The tensor {name} holds numbers that are not finite.",
                "Download the text encoder's files again.",
                name=name,
            )
        if dtype is torch.int8:
            rounded, scale = quantise_int8(rows)
            scales.append(scale)
            yield rounded
        else:
            yield rows.to(dtype)


def _polled(blocks: Iterator[Tensor], poll: Poll) -> Iterator[Tensor]:
    for block in blocks:
        poll()
        yield block


def _copy_side_files(source: Path, target: Path) -> None:
    with writing(target):
        for name in SIDE_FILES:
            if (source / name).is_file():
                shutil.copyfile(source / name, target / name)
