"""Layers offloaded to pinned host memory, copied to the device one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from magi_engine.ops.copies import CopyEvent, CopyStream, host_buffer

_ALIGNMENT = 256
_SLOTS = 2
"""One layer computes while the next one comes."""


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

    def unbind(self) -> None:
        """Give the module a tensor of its own again, with what the bytes hold."""
        self._put(self.current.detach().clone())

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
    """Offloads some layers and copies each to the device before it runs.

    Every layer has one of two slots on the device for good, so nothing is allocated while it runs.

    Args:
        layers: of the model, in the order they run.
        offloaded: indices of those to offload, ascending.
        device: where they compute.

    Raises:
        torch.OutOfMemoryError, MemoryError: out of memory; then the layers are as they were.
    """

    def __init__(
        self, layers: Sequence[nn.Module], offloaded: Sequence[int], device: torch.device
    ) -> None:
        self.layers = tuple(offloaded)
        self._device = device
        self._stream = CopyStream(device)
        self._entries = {index: _entries(layers[index]) for index in self.layers}
        self._host: dict[int, Tensor] = {}
        try:
            for index in self.layers:
                self._host[index] = _packed(self._entries[index], device)
            self._slots = [self._slot_memory(number) for number in range(_SLOTS)]
        except (torch.OutOfMemoryError, MemoryError):
            self._forget()
            raise
        self._place = {index: i % _SLOTS for i, index in enumerate(self.layers)}
        for index in self.layers:
            for entry in self._entries[index]:
                entry.bind(self._slots[self._place[index]])
        self._holds: list[int | None] = [None] * _SLOTS
        self._arrived: list[CopyEvent] = [None] * _SLOTS
        self._used: list[CopyEvent] = [self._stream.computed()] * _SLOTS

    @property
    def host_bytes(self) -> int:
        """What waits in the host's memory."""
        return sum(memory.nbytes for memory in self._host.values())

    def fetch(self, index: int) -> None:
        """Before layer ``index`` runs: have its weights there, and let the next ones come."""
        if index not in self._place:
            return
        slot = self._place[index]
        if self._holds[slot] != index:
            self._load(index)
        self._stream.wait(self._arrived[slot])
        after = self._next(index)
        if self._place[after] != slot:
            self._load_unless_there(after)

    def release(self, index: int) -> None:
        """After layer ``index`` has run: its place is free."""
        if index not in self._place:
            return
        slot = self._place[index]
        self._used[slot] = self._stream.computed()
        after = self._next(index)
        if self._place[after] == slot:
            self._load_unless_there(after)

    def end(self) -> None:
        """Give all layers memory of their own on the host; then this is of no use any more."""
        self._stream.wait(self._arrived[0])
        self._stream.wait(self._arrived[1])
        self._forget()

    def _forget(self) -> None:
        for index, memory in self._host.items():
            for entry in self._entries[index]:
                entry.bind(memory)
                entry.unbind()
        self._host.clear()
        self._slots = []

    def _next(self, index: int) -> int:
        position = self.layers.index(index) + 1
        return self.layers[position % len(self.layers)]

    def _load_unless_there(self, index: int) -> None:
        if self._holds[self._place[index]] != index:
            self._load(index)

    def _load(self, index: int) -> None:
        slot, source = self._place[index], self._host[index]
        target = self._slots[slot][: len(source)]
        self._arrived[slot] = self._stream.copy([(target, source)], after=self._used[slot])
        self._holds[slot] = index

    def _slot_memory(self, number: int) -> Tensor:
        sizes = [len(self._host[index]) for index in self.layers[number::_SLOTS]]
        return torch.empty(max(sizes, default=0), dtype=torch.uint8, device=self._device)


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
