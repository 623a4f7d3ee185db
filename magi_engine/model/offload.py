"""Layers offloaded to pinned host memory, copied to the device one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from magi_engine.config.sizes import OFFLOAD_SLOTS
from magi_engine.ops.copies import CopyEvent, CopyStream, host_buffer

_ALIGNMENT = 256


@dataclass(frozen=True)
class _Entry:
    """A tensor of a layer and its place in the layer's bytes."""

    owner: nn.Module
    name: str
    is_buffer: bool
    first_byte: int
    shape: torch.Size
    dtype: torch.dtype

    def bind(self, layer_bytes: Tensor) -> None:
        """Let the module use these bytes, wherever they are."""
        count = self.shape.numel() * self.dtype.itemsize
        view = layer_bytes[self.first_byte : self.first_byte + count].view(self.dtype)
        self._put(view.view(self.shape))

    def move(self, device: torch.device) -> None:
        """Give the module a tensor of its own on ``device``, with what the bytes hold."""
        self._put(self.current.detach().to(device, copy=True))

    @property
    def current(self) -> Tensor:
        """What the module uses now."""
        tensor = getattr(self.owner, self.name)
        assert isinstance(tensor, Tensor)
        return tensor

    def _put(self, tensor: Tensor) -> None:
        if self.is_buffer:
            self.owner.register_buffer(self.name, tensor)
        else:
            self.owner.register_parameter(self.name, nn.Parameter(tensor, requires_grad=False))


class OffloadedLayers:
    """Those of a model's layers that are offloaded, each copied to the device before it runs.

    Every offloaded layer has one of two slots on the device, so nothing is allocated while it runs.

    Args:
        layers: of the model, in the order they run.

    Attributes:
        indices: the layers that are offloaded.
    """

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        self.indices: tuple[int, ...] = ()
        self._layers = layers
        self._entries: dict[int, list[_Entry]] = {}
        self._host: dict[int, Tensor] = {}
        self._hooks: list[RemovableHandle] = []

    @property
    def host_bytes(self) -> int:
        """Pinned host memory of the offloaded layers."""
        return sum(memory.nbytes for memory in self._host.values())

    def choose(self, indices: Sequence[int], device: torch.device) -> None:
        """Offload these layers, and no others; layer by layer, so one at most is in memory twice.

        Args:
            indices: ascending.
            device: computes.

        Raises:
            torch.OutOfMemoryError, MemoryError: all weights are still there, some layers perhaps on
                the host; another choice may be made.
        """
        if self.indices == tuple(indices) and self._host.keys() == set(indices):
            return
        self._stop()
        for index in self._host.keys() - set(indices):
            for entry in self._entries[index]:
                entry.move(device)
            del self._host[index]
        for index in indices:
            if index not in self._host:
                self._entries[index] = _entries(self._layers[index])
                self._host[index] = _packed(self._entries[index], device)
        if indices:
            self._start(tuple(indices), device)

    def _start(self, indices: tuple[int, ...], device: torch.device) -> None:
        sizes = [
            [self._host[i].nbytes for i in indices[n::OFFLOAD_SLOTS]] for n in range(OFFLOAD_SLOTS)
        ]
        self._slots = [
            torch.empty(max(size, default=0), dtype=torch.uint8, device=device) for size in sizes
        ]
        self._stream = CopyStream(device)
        self._slot_of = {index: i % OFFLOAD_SLOTS for i, index in enumerate(indices)}
        self._next = dict(zip(indices, (*indices[1:], indices[0]), strict=True))
        self._holds: list[int | None] = [None] * OFFLOAD_SLOTS
        self._arrived: list[CopyEvent] = [None] * OFFLOAD_SLOTS
        self._used: list[CopyEvent] = [self._stream.computed()] * OFFLOAD_SLOTS
        for index in indices:
            for entry in self._entries[index]:
                entry.bind(self._slots[self._slot_of[index]])
            self._attach(index)
        self.indices = indices

    def _attach(self, index: int) -> None:
        def before(_layer: nn.Module, _args: object) -> None:
            self._fetch(index)

        def after(_layer: nn.Module, _args: object, _output: object) -> None:
            self._release(index)

        layer = self._layers[index]
        self._hooks.append(layer.register_forward_pre_hook(before))
        self._hooks.append(layer.register_forward_hook(after))

    def _stop(self) -> None:
        """Have the layers use their memory on the host."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        if self.indices:
            for event in self._arrived:
                self._stream.wait(event)
            self._slots = []
        self.indices = ()
        for index, memory in self._host.items():
            for entry in self._entries[index]:
                entry.bind(memory)

    def _fetch(self, index: int) -> None:
        """Before layer ``index`` runs: have its weights there, and let the next ones come."""
        slot = self._slot_of[index]
        if self._holds[slot] != index:
            self._load(index)
        self._stream.wait(self._arrived[slot])
        after = self._next[index]
        if self._slot_of[after] != slot:
            self._load_unless_there(after)

    def _release(self, index: int) -> None:
        """After layer ``index`` has run: its slot is free."""
        slot = self._slot_of[index]
        self._used[slot] = self._stream.computed()
        after = self._next[index]
        if self._slot_of[after] == slot:
            self._load_unless_there(after)

    def _load_unless_there(self, index: int) -> None:
        if self._holds[self._slot_of[index]] != index:
            self._load(index)

    def _load(self, index: int) -> None:
        slot, source = self._slot_of[index], self._host[index]
        target = self._slots[slot][: len(source)]
        self._arrived[slot] = self._stream.copy([(target, source)], after=self._used[slot])
        self._holds[slot] = index


def _entries(layer: nn.Module) -> list[_Entry]:
    found = []
    first = 0
    for owner in layer.modules():
        own = [(n, t, False) for n, t in owner.named_parameters(recurse=False)]
        own += [(n, t, True) for n, t in owner.named_buffers(recurse=False)]
        for name, tensor, is_buffer in own:
            found.append(_Entry(owner, name, is_buffer, first, tensor.shape, tensor.dtype))
            first += -(-tensor.nbytes // _ALIGNMENT) * _ALIGNMENT
    return found


def _packed(entries: list[_Entry], device: torch.device) -> Tensor:
    """The tensors of a layer in one piece of the host's memory, where the layer uses them now."""
    last = entries[-1]
    size = last.first_byte + last.current.nbytes
    memory = host_buffer((size,), torch.uint8, device)
    for entry in entries:
        source = entry.current.detach()
        entry.bind(memory)
        entry.current.copy_(source)
    return memory
