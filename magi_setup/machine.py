"""Which build of torch this computer wants, and why."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from magi_engine.messages import NOTHING, Message, in_sequence

_NVML = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
_DRM = Path("/sys/class/drm")
_DISPLAY_CLASS = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
CPU = "cpu"


class Vendor(Enum):
    """Who made a graphics card, by its PCI number."""

    NVIDIA = 0x10DE
    AMD = 0x1002
    INTEL = 0x8086


@dataclass(frozen=True)
class Gpu:
    """One NVIDIA GPU, as its driver describes it."""

    name: str
    capability: tuple[int, int]


@dataclass(frozen=True)
class Driver:
    """The NVIDIA driver and what it drives."""

    version: str
    cuda: tuple[int, int]
    """The newest CUDA it runs."""
    gpus: tuple[Gpu, ...]


@dataclass(frozen=True)
class Machine:
    """What there is to compute with."""

    driver: Driver | None
    """None: no NVIDIA driver answers."""
    cards: frozenset[Vendor] = frozenset()
    """Makers of the graphics cards the system lists, whether a driver runs them or not."""


class Reason(Enum):
    """Why a build was chosen, said of the GPUs that a choice names."""

    NO_GPU = Message("No NVIDIA GPU was found: videos are made on the CPU.")
    NO_DRIVER = Message(
        "There is an NVIDIA GPU, but not NVIDIA's driver: install it and come back, or go on with "
        "the CPU."
    )
    OTHER_GPU = Message(
        "This computer's GPU is not one of NVIDIA's, which alone are supported: videos are made on "
        "the CPU."
    )
    DRIVER_TOO_OLD = Message(
        "The driver of {gpus} is too old: update it and come back, or go on with the CPU."
    )
    GPU_TOO_OLD = Message("{gpus} is too old: videos are made on the CPU.")
    GPU = Message("{gpus} was found, and its driver fits.")


@dataclass(frozen=True)
class Choice:
    """A build of torch and the reason for it."""

    flavor: str
    reason: Reason
    gpus: tuple[str, ...] = ()
    """Names of the GPUs the reason is about."""
    left_out: tuple[str, ...] = ()
    """Names of GPUs that the build does not run on while it runs on others."""

    @property
    def sentences(self) -> Message:
        """The reason, for a person."""
        why, rest = self.reason.value.filled(gpus=self.gpus), NOTHING
        if self.left_out:
            rest = Message(
                "{gpus} is not used: too old, or too new for the driver.", gpus=self.left_out
            )
        return in_sequence(why, rest)


def probe() -> Machine:
    """Look at the computer; quick, and never fails."""
    try:
        cards = frozenset(_cards())
    except OSError:
        cards = frozenset()
    return Machine(_probe_driver(), cards)


def choose_flavor(machine: Machine, offered: tuple[str, ...]) -> Choice:
    """The newest offered build that the driver and a GPU both run; the CPU's where none does.

    A driver runs every build of its own CUDA major version and of older ones. Of torch's builds,
    those for CUDA 13 have no kernels for GPUs before Turing (7.5), those before 12.8 none for
    Blackwell (10.0 and later), and none has any for what is older than Maxwell (5.0).
    """
    driver = machine.driver
    if driver is None or not driver.gpus:
        return Choice(CPU, _reason_without(machine))
    builds = sorted((f for f in offered if f != CPU), key=cuda_of, reverse=True)
    names = tuple(gpu.name for gpu in driver.gpus)
    for build in builds:
        if cuda_of(build)[0] <= driver.cuda[0]:
            runs = [g for g in driver.gpus if _has_kernels(cuda_of(build), g.capability)]
            if runs:
                rest = tuple(g.name for g in driver.gpus if g not in runs)
                return Choice(build, Reason.GPU, tuple(g.name for g in runs), rest)
    known = any(_has_kernels(cuda_of(b), g.capability) for b in builds for g in driver.gpus)
    return Choice(CPU, Reason.DRIVER_TOO_OLD if known else Reason.GPU_TOO_OLD, names)


def cuda_of(flavor: str) -> tuple[int, int]:
    """CUDA version of a build: (12, 6) for "cu126"."""
    digits = re.fullmatch(r"cu(\d+)(\d)", flavor)
    if digits is None:
        raise ValueError(f"{flavor} is not a CUDA build")
    return int(digits[1]), int(digits[2])


def _reason_without(machine: Machine) -> Reason:
    if machine.driver is None and Vendor.NVIDIA in machine.cards:
        return Reason.NO_DRIVER
    return Reason.OTHER_GPU if machine.cards - {Vendor.NVIDIA} else Reason.NO_GPU


def _has_kernels(cuda: tuple[int, int], capability: tuple[int, int]) -> bool:
    if capability >= (10, 0):
        return cuda >= (12, 8)
    return capability >= ((7, 5) if cuda[0] >= 13 else (5, 0))


def _cards() -> Iterator[Vendor]:
    """Makers of the graphics cards; without names, which only a driver knows."""
    numbers = _windows_vendors() if sys.platform == "win32" else _linux_vendors(_DRM)
    known = {vendor.value for vendor in Vendor}
    return (Vendor(number) for number in numbers if number in known)


def _linux_vendors(folder: Path) -> Iterator[int]:
    for path in folder.glob("card[0-9]*/device/vendor"):
        yield int(path.read_text(encoding="ascii"), 16)


def _windows_vendors() -> Iterator[int]:
    if sys.platform != "win32":
        return
    import winreg

    with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, _DISPLAY_CLASS) as adapters:
        for index in range(winreg.QueryInfoKey(adapters)[0]):
            try:
                with winreg.OpenKey(adapters, winreg.EnumKey(adapters, index)) as adapter:
                    said, _ = winreg.QueryValueEx(adapter, "MatchingDeviceId")
            except OSError:  # "Properties", which only the system may read
                continue
            if vendor := re.search(r"(?i)ven_([0-9a-f]{4})", str(said)):
                yield int(vendor[1], 16)


def _probe_driver() -> Driver | None:
    """Ask the driver's own library; None where there is none or it does not answer."""
    try:
        nvml = ctypes.CDLL(_NVML)
    except OSError:
        return None
    if not _asked(nvml, "nvmlInit_v2"):
        return None
    cuda, count = ctypes.c_int(), ctypes.c_uint()
    version = ctypes.create_string_buffer(96)
    try:
        _asked(nvml, "nvmlSystemGetDriverVersion", version, len(version))
        _asked(nvml, "nvmlSystemGetCudaDriverVersion_v2", ctypes.byref(cuda))
        _asked(nvml, "nvmlDeviceGetCount_v2", ctypes.byref(count))
        gpus = [gpu for index in range(count.value) if (gpu := _gpu(nvml, index)) is not None]
    finally:
        _asked(nvml, "nvmlShutdown")
    newest = (cuda.value // 1000, cuda.value % 1000 // 10)
    return Driver(version.value.decode(errors="replace"), newest, tuple(gpus))


def _gpu(nvml: ctypes.CDLL, index: int) -> Gpu | None:
    """None: one that does not answer, such as one that has fallen off the bus."""
    device, name = ctypes.c_void_p(), ctypes.create_string_buffer(96)
    major, minor = ctypes.c_int(), ctypes.c_int()
    if not _asked(nvml, "nvmlDeviceGetHandleByIndex_v2", index, ctypes.byref(device)):
        return None
    _asked(nvml, "nvmlDeviceGetName", device, name, len(name))
    numbers = (ctypes.byref(major), ctypes.byref(minor))
    _asked(nvml, "nvmlDeviceGetCudaComputeCapability", device, *numbers)
    return Gpu(name.value.decode(errors="replace"), (major.value, minor.value))


def _asked(nvml: ctypes.CDLL, question: str, *arguments: Any) -> bool:
    """Whether it answered; drivers for very old GPUs do not know every question."""
    function = getattr(nvml, question, None)
    return function is not None and function(*arguments) == 0
