"""Which device and number format a job runs in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from magi_engine.errors import DeviceError, InvalidRequestError
from magi_engine.messages import Message

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
ITEM_BYTES = {"float32": 4, "bfloat16": 2}
"""Of the number formats that a model computes in."""
DTYPES = ("auto", *ITEM_BYTES)
ATTENTIONS = (
    "auto",
    "exact",
    "cuDNN",
    "FlashAttention",
    "memory-efficient",
    "fp8, Hopper",
    "int8",
)
"""What can be asked for: the fastest, the fastest that is not quantised, or one by its name, as
:mod:`magi_engine.ops.backends` has them."""


@dataclass(frozen=True)
class Card:
    """An NVIDIA graphics card.

    Attributes:
        device: as PyTorch numbers it, such as ``cuda:0``.
        name: what its maker calls it.
        total_bytes: of its memory.
        capability: compute capability.
        multiprocessors: how many it has.
    """

    device: str
    name: str
    total_bytes: int
    capability: tuple[int, int]
    multiprocessors: int


_PER_MULTIPROCESSOR = {(7, 0): 1, (7, 5): 1, (8, 0): 4, (8, 6): 2, (8, 7): 2, (8, 9): 4, (9, 0): 16}
"""Products of a clock in the fastest format that models use here, relative to each other."""
_LATER = 16, 4
"""The same of later cards: for servers, and for desktops (12.x)."""


def cards() -> list[Card]:
    """The graphics cards that PyTorch can use; takes none of their memory."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = []
    for index in range(count):
        about = torch.cuda.get_device_properties(index)
        kind = about.major, about.minor
        device = f"cuda:{index}"
        found.append(
            Card(device, about.name, about.total_memory, kind, about.multi_processor_count)
        )
    return found


def best_card(cards: Sequence[Card]) -> Card:
    """The card that multiplies most, and of equals the one with most memory, then the first."""

    def worth(card: Card) -> tuple[float, int]:
        later = _LATER[int(card.capability[0] >= 12)]
        return card.multiprocessors * _PER_MULTIPROCESSOR.get(
            card.capability, 0.5 if card.capability < (7, 0) else later
        ), card.total_bytes

    return max(cards, key=worth)


def choose_device(name: str) -> torch.device:
    """The device called ``name`` (``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``); of several
    graphics cards, the best one unless it has a number.

    Raises:
        DeviceError: it is absent or does not work.
        InvalidRequestError: there is no such kind of device.
    """
    import torch

    kind, _, index = name.partition(":")
    if kind not in DEVICES or (index and not index.isdigit()):
        raise InvalidRequestError(
            "There is no device called {name!r}.",
            "Choose one of {choices}.",
            name=name,
            choices=DEVICES,
        )
    if kind == "auto":
        return usable_devices()[0]
    device = torch.device(name)
    if kind == "cuda":
        there = cards()
        count = len(there)
        if count and not index:
            return torch.device(best_card(there).device)
        if int(index or 0) >= count:
            found = Message("PyTorch finds no usable NVIDIA GPU")
            if count:
                found = Message("only {count} found", count=count)
            raise DeviceError(
                "The device {name} was asked for, but {found}.",
                "Use --device cpu, or install the GPU's driver and a CUDA build of PyTorch.",
                name=name,
                found=found,
            )
    if kind == "mps" and not _mps_works():
        raise DeviceError(
            "The device mps was asked for, but it does not work here.", "Use --device cpu."
        )
    return device


def usable_devices() -> list[torch.device]:
    """The devices that work here, the fastest first; the CPU is always the last."""
    import torch

    devices = [torch.device("cpu")]
    if _mps_works():
        devices.insert(0, torch.device("mps"))
    if there := cards():
        devices.insert(0, torch.device(best_card(there).device))
    return devices


def _mps_works() -> bool:
    """Whether the Apple GPU computes what a generation needs (a convolution in three axes)."""
    import torch

    if not torch.backends.mps.is_available():
        return False
    try:
        video = torch.zeros(1, 1, 1, 2, 2, device="mps")
        torch.nn.functional.conv3d(video, video)
    except (RuntimeError, NotImplementedError):
        return False
    return True


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The number format of the transformer blocks.

    ``auto`` is bfloat16 on a GPU and on a processor that multiplies it in hardware, and float32
    on others, where bfloat16 is many times slower.
    """
    import torch

    from magi_engine.ops.backends import has_bfloat16_products

    on_processor = has_bfloat16_products(torch.device("cpu"))
    return getattr(torch, job_dtype(name, device.type, on_processor))


def check_attention(name: str) -> None:
    """Refuse an attention that there is not; it need not work on every device.

    Raises:
        InvalidRequestError: it is none of :data:`ATTENTIONS`.
    """
    if name not in ATTENTIONS:
        raise InvalidRequestError(
            "There is no attention called {name!r}.",
            "Choose one of {choices}.",
            name=name,
            choices="; ".join(ATTENTIONS),
        )


def job_dtype(name: str, device: str, bfloat16_on_processor: bool) -> str:
    """The same as a name; ``device`` as :func:`choose_device` takes it. Needs no PyTorch."""
    if name not in DTYPES:
        raise InvalidRequestError(
            "There is no number format {name!r}.",
            "Choose one of {choices}.",
            name=name,
            choices=DTYPES,
        )
    if name != "auto":
        return name
    if device.startswith("cuda") or (device == "cpu" and bfloat16_on_processor):
        return "bfloat16"
    return "float32"
