"""T5's layers, one at a time from disk through the device: for cards too small for all of them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from magi_engine.weights.checkpoint import Checkpoint, fit_checkpoint

if TYPE_CHECKING:
    from transformers import T5EncoderModel

_BLOCKS = "encoder.block."
_EMBEDDING = "shared.weight"


class BlockStream:
    """Lends each block of ``model`` its weights while it computes.

    A thread reads the next block meanwhile, so ``device`` holds two at most. The token embedding
    is mapped on the CPU, of which a prompt only touches a few rows.

    Args:
        model: on the meta device; blocks go back there when they are done.
        directory, tied: of its checkpoint, see ``load_weights``, also for what is raised.
    """

    def __init__(
        self,
        model: T5EncoderModel,
        directory: Path,
        device: torch.device,
        tied: Sequence[Sequence[str]],
    ) -> None:
        model.requires_grad_(False)
        self._checkpoint = Checkpoint.open(directory)
        self._fit = fit_checkpoint(model, self._checkpoint, tied=tied)
        self._device = device
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="text-encoder")
        self._ahead: dict[int, Future[dict[str, Tensor]]] = {}
        self._stored: dict[int, list[str]] = {}
        rest: list[str] = []
        for stored, names in self._fit.items():
            name = next(iter(names))
            if name.startswith(_BLOCKS):
                self._stored.setdefault(int(name.split(".")[2]), []).append(stored)
            else:
                rest.append(stored)
        embedding = [stored for stored in rest if _EMBEDDING in self._fit[stored]]
        state = self._read(embedding, torch.device("cpu"))
        state |= self._read([s for s in rest if s not in embedding], device)
        model.load_state_dict(state, strict=False, assign=True)
        for index, block in enumerate(model.encoder.block):
            self._serve(index, block)

    def close(self) -> None:
        """Wait for the thread and forget what it has read."""
        self._reader.shutdown(cancel_futures=True)
        self._ahead.clear()

    def _serve(self, index: int, block: nn.Module) -> None:
        empty = block.state_dict()

        def before(_module: nn.Module, _args: tuple[object, ...]) -> None:
            self._want(index)
            block.load_state_dict(self._ahead.pop(index).result(), assign=True)
            if index + 1 in self._stored:
                self._want(index + 1)

        def after(_module: nn.Module, _args: tuple[object, ...], _output: object) -> None:
            block.load_state_dict(empty, assign=True)

        block.register_forward_pre_hook(before)
        block.register_forward_hook(after, always_call=True)

    def _want(self, index: int) -> None:
        if index not in self._ahead:
            self._ahead[index] = self._reader.submit(self._read_block, index)

    def _read_block(self, index: int) -> dict[str, Tensor]:
        prefix = f"{_BLOCKS}{index}."
        state = self._read(self._stored[index], self._device)
        return {name.removeprefix(prefix): tensor for name, tensor in state.items()}

    def _read(self, stored: Sequence[str], device: torch.device) -> dict[str, Tensor]:
        state: dict[str, Tensor] = {}
        for shard in self._checkpoint.shards:
            for name, tensor in shard.tensors(stored, device):
                for target, info in self._fit[name].items():
                    state[target] = tensor.to(info.dtype)
        return state
