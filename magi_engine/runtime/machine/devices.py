"""Which device and number format a job runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from magi_engine.errors import DeviceError, InvalidRequestError
from magi_engine.messages import Message

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16")
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


def choose_device(name: str) -> torch.device:
    """The device called ``name`` (``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``).

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
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
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
    if torch.cuda.is_available():
        devices.insert(0, torch.device("cuda"))
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
