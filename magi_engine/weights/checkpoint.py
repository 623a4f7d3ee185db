"""Checkpoints of one or many files, and loading them into a module strictly (spec section 8)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from magi_engine.errors import ModelNotFoundError, WeightsError
from magi_engine.weights.shards import Shard, TensorInfo, open_shard

_MISFIT_HINT = "Use the weights that belong to this model's configuration."
_GET_HINT = "Download the model's files, or give the folder that holds them."

# Names of an unsharded checkpoint, best first.
_SINGLE_NAMES = ("model.safetensors", "diffusion_pytorch_model.safetensors", "pytorch_model.bin")
_INDEX_PATTERNS = ("*.safetensors.index.json", "*.bin.index.json")
# Types between which values are converted; anything else (fp8, integers) must match exactly,
# since fp8 numbers mean nothing without their scales.
_CONVERTIBLE = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})


@dataclass(frozen=True)
class Checkpoint:
    """The files of one checkpoint, which are known to exist, and what is in them."""

    path: Path
    """What was asked for: a folder, an index or a file."""
    shards: tuple[Shard, ...]

    @classmethod
    def open(cls, path: str | Path) -> Checkpoint:
        """Find the files of a checkpoint; nothing is read but an index.

        Args:
            path: a file of weights, an index file, or a folder that holds either; of each
                safetensors file the folder may hold ``NAME.zst`` instead.

        Raises:
            ModelNotFoundError: no weights there, or a file that the index names is missing.
            WeightsError: the index is damaged or names files outside its folder.
        """
        path = Path(path)
        if path.is_dir():
            files = _files_of_folder(path)
        elif path.name.endswith(".index.json"):
            files = _files_of_index(path)
        else:
            files = [_present(path)]
        return cls(path, tuple(open_shard(file) for file in files))

    def locate(self) -> dict[str, tuple[Shard, TensorInfo]]:
        """For every tensor the file it is in and its shape and type.

        Raises:
            WeightsError: a file is damaged or unsafe, or two files hold the same tensor.
        """
        located: dict[str, tuple[Shard, TensorInfo]] = {}
        for shard in self.shards:
            for name, info in shard.infos().items():
                if name in located:
                    raise WeightsError(
                        f"The tensor {name} is in both {located[name][0].path} and {shard.path}.",
                        "Remove the file that does not belong to the checkpoint.",
                    )
                located[name] = (shard, info)
        return located


def read_state_dict(
    path: str | Path, device: torch.device | str = "cpu"
) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint as they are stored. For errors see :class:`Checkpoint`."""
    checkpoint = Checkpoint.open(path)
    located = checkpoint.locate()
    return {
        name: tensor
        for shard in checkpoint.shards
        for name, tensor in shard.tensors(located, torch.device(device))
    }


def load_weights(
    module: nn.Module,
    path: str | Path,
    *,
    device: torch.device | str = "cpu",
    dtype_of: Callable[[str], torch.dtype] | None = None,
    tied: Sequence[Sequence[str]] = (),
) -> None:
    """Fill ``module``, normally built on the meta device, with a checkpoint, strictly.

    Every tensor is checked by name, shape and type before the first one is read. They are then
    read one at a time to ``device``, so that memory never holds much more than the module itself.

    Args:
        dtype_of: the type each parameter is to have, by name; by default the type it already
            has in ``module``.
        tied: groups of names that share one tensor, of which a checkpoint may hold any.

    Raises:
        ModelNotFoundError: the files are not there.
        WeightsError: a file is damaged or unsafe, or does not fit; names the first such tensor.
    """
    checkpoint = Checkpoint.open(path)
    located = checkpoint.locate()
    wanted = {
        name: TensorInfo(tuple(target.shape), dtype_of(name) if dtype_of else target.dtype)
        for name, target in module.state_dict().items()
    }
    stored_name = _resolve_tied(wanted, located, tied)
    _check(checkpoint, wanted, located, stored_name, tied)

    state: dict[str, torch.Tensor] = {}
    targets: dict[str, list[str]] = {}
    for name, stored in stored_name.items():
        targets.setdefault(stored, []).append(name)
    for stored, tensor in _read(checkpoint, targets, torch.device(device)):
        # Names that share a tensor share its type.
        converted = tensor.to(wanted[targets[stored][0]].dtype)
        state.update(dict.fromkeys(targets[stored], converted))
    module.load_state_dict(state, strict=True, assign=True)


def _read(
    checkpoint: Checkpoint, names: Iterable[str], device: torch.device
) -> Iterator[tuple[str, torch.Tensor]]:
    chosen = frozenset(names)
    for shard in checkpoint.shards:
        yield from shard.tensors(chosen, device)


def _resolve_tied(
    wanted: dict[str, TensorInfo],
    located: dict[str, tuple[Shard, TensorInfo]],
    tied: Sequence[Sequence[str]],
) -> dict[str, str]:
    """For every wanted name the name under which the checkpoint holds it."""
    stored = {name: name for name in wanted}
    for group in tied:
        present = next((name for name in group if name in located), None)
        if present is not None:
            stored.update({name: present for name in group if name in wanted})
    return stored


def _check(
    checkpoint: Checkpoint,
    wanted: dict[str, TensorInfo],
    located: dict[str, tuple[Shard, TensorInfo]],
    stored_name: dict[str, str],
    tied: Sequence[Sequence[str]],
) -> None:
    for name, stored in stored_name.items():
        if stored not in located:
            raise WeightsError(f"{checkpoint.path} lacks the tensor {name}.", _MISFIT_HINT)
        shard, found = located[stored]
        if found.shape != wanted[name].shape:
            raise WeightsError(
                f"The tensor {stored} in {shard.path} has the shape {_shape(found.shape)} "
                f"where the model needs {_shape(wanted[name].shape)}.",
                _MISFIT_HINT,
            )
        if found.dtype is not wanted[name].dtype and not (
            {found.dtype, wanted[name].dtype} <= _CONVERTIBLE
        ):
            raise WeightsError(
                f"The tensor {stored} in {shard.path} is of type {found.dtype} "
                f"where the model needs {wanted[name].dtype}.",
                _MISFIT_HINT,
            )
    known = {*wanted, *(name for group in tied for name in group)}
    for name, (shard, _) in located.items():
        if name not in known:
            raise WeightsError(
                f"{shard.path} holds the tensor {name}, which this model does not have.",
                _MISFIT_HINT,
            )


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "of a single number"


def _files_of_folder(folder: Path) -> list[Path]:
    for pattern in _INDEX_PATTERNS:
        indices = sorted(folder.glob(pattern))
        if len(indices) > 1:
            names = " and ".join(index.name for index in indices)
            raise WeightsError(
                f"{folder} holds more than one checkpoint ({names}).", "Give the index to use."
            )
        if indices:
            return _files_of_index(indices[0])
    for name in _SINGLE_NAMES:
        for candidate in (folder / name, folder / f"{name}.zst"):
            if candidate.is_file():
                return [candidate]
    raise ModelNotFoundError(
        f"The folder {folder} holds no weights (looked for an index file and for "
        f"{', '.join(_SINGLE_NAMES)}).",
        _GET_HINT,
    )


def _files_of_index(index: Path) -> list[Path]:
    try:
        weight_map = json.loads(_present(index).read_text(encoding="utf-8"))["weight_map"]
        names = list(dict.fromkeys(weight_map.values()))  # each once, in order
    except OSError as error:
        raise WeightsError(f"The index {index} cannot be read.", _GET_HINT) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"The index {index} is damaged.", "Download that file again.") from error
    for name in names:
        # A file beside the index and nothing else: neither "../x" nor "/x" nor "C:x".
        if not isinstance(name, str) or name in ("", ".", "..") or set(name) & set("/\\:"):
            raise WeightsError(
                f"The index {index} names the file {name!r}, which is not in its folder.",
                "Use weights from the official release.",
            )
    return [_present(index.parent / name) for name in names]


def _present(path: Path) -> Path:
    """``path``, or ``path.zst`` if only that exists."""
    compressed = path.with_name(f"{path.name}.zst")
    for candidate in (path, compressed):
        if candidate.is_file():
            return candidate
    raise ModelNotFoundError(f"The file {path} is missing.", _GET_HINT)
