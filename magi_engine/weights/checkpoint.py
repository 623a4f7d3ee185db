"""Checkpoints of one or many files, and loading them into a module strictly (spec section 8)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from magi_engine.errors import WeightsError
from magi_engine.messages import Message
from magi_engine.weights.files import refuse_stacked, weight_files
from magi_engine.weights.shards import Shard, TensorInfo, open_shard

_MISFIT_HINT = Message("Use the weights that belong to this model's configuration.")

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
        """Find the files of a checkpoint; for arguments and errors see :func:`weight_files`."""
        path = Path(path)
        return cls(path, tuple(open_shard(file) for file in weight_files(path)))

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
                        "The tensor {name} is in both {path} and {other}.",
                        "Remove the file that does not belong to the checkpoint.",
                        name=name,
                        path=located[name][0].path,
                        other=shard.path,
                    )
                located[name] = (shard, info)
        return located


def read_state_dict(path: str | Path) -> dict[str, torch.Tensor]:
    """All tensors of a checkpoint as they are stored. For errors see :class:`Checkpoint`."""
    checkpoint = Checkpoint.open(path)
    located = checkpoint.locate()
    return {
        name: tensor
        for shard in checkpoint.shards
        for name, tensor in shard.tensors(located, torch.device("cpu"))
    }


def load_weights(
    module: nn.Module,
    path: str | Path,
    *,
    device: torch.device | str = "cpu",
    on_host: Callable[[str], bool] = lambda _name: False,
    tied: Sequence[Sequence[str]] = (),
) -> None:
    """Fill ``module``, normally built on the meta device, with a checkpoint, strictly.

    Every tensor is checked by name, shape and type before the first one is read. They are then
    read one at a time to where they are to be, so that memory never holds much more than the
    module itself; plain safetensors files are mapped on the host, not copied.

    Args:
        device: where the tensors go.
        on_host: names of those that stay in the host's memory.
        tied: groups of names that share one tensor, of which a checkpoint may hold any.

    Raises:
        ModelNotFoundError: the files are not there.
        WeightsError: a file is damaged or unsafe, or does not fit; names the first such tensor.
    """
    checkpoint = Checkpoint.open(path)
    fit = fit_checkpoint(module, checkpoint, tied)
    state: dict[str, torch.Tensor] = {}
    places: dict[torch.device, set[str]] = {}
    for stored, names in fit.items():
        place = torch.device("cpu" if all(map(on_host, names)) else device)
        places.setdefault(place, set()).add(stored)
    for shard, (place, names) in itertools.product(checkpoint.shards, places.items()):
        for stored, tensor in shard.tensors(names, place):
            # Names that share a tensor share its type.
            converted = tensor.to(next(iter(fit[stored].values())).dtype)
            state.update(dict.fromkeys(fit[stored], converted))
    module.load_state_dict(state, strict=True, assign=True)


def fit_checkpoint(
    module: nn.Module,
    checkpoint: Checkpoint,
    tied: Sequence[Sequence[str]] = (),
) -> dict[str, dict[str, TensorInfo]]:
    """What is made of every tensor of ``checkpoint``, which must fit ``module`` strictly.

    Arguments and errors as of :func:`load_weights`; nothing is read but the names, shapes and
    types.

    Returns:
        For each stored name that is needed, the names it has in ``module``, with the shape and
        type it is to have there.
    """
    located = checkpoint.locate()
    refuse_stacked(located, checkpoint.path)
    wanted = {
        name: TensorInfo(tuple(target.shape), target.dtype)
        for name, target in module.state_dict().items()
    }
    stored_name = _resolve_tied(wanted, located, tied)
    _check(checkpoint, wanted, located, stored_name, tied)
    fit: dict[str, dict[str, TensorInfo]] = {}
    for name, stored in stored_name.items():
        fit.setdefault(stored, {})[name] = wanted[name]
    return fit


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
            raise WeightsError(
                "{path} lacks the tensor {name}.", _MISFIT_HINT, path=checkpoint.path, name=name
            )
        shard, found = located[stored]
        if found.shape != wanted[name].shape:
            raise WeightsError(
                "The tensor {stored} in {path} has the shape {shape} "
                "where the model needs {needed}.",
                _MISFIT_HINT,
                stored=stored,
                path=shard.path,
                shape=_shape(found.shape),
                needed=_shape(wanted[name].shape),
            )
        if found.dtype is not wanted[name].dtype and not (
            {found.dtype, wanted[name].dtype} <= _CONVERTIBLE
        ):
            raise WeightsError(
                "The tensor {stored} in {path} is of type {dtype} where the model needs {needed}.",
                _MISFIT_HINT,
                stored=stored,
                path=shard.path,
                dtype=found.dtype,
                needed=wanted[name].dtype,
            )
    known = {*wanted, *(name for group in tied for name in group)}
    for name, (shard, _) in located.items():
        if name not in known:
            raise WeightsError(
                "{path} holds the tensor {name}, which this model does not have.",
                _MISFIT_HINT,
                path=shard.path,
                name=name,
            )


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "of a single number"
