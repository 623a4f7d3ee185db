"""Which build of torch this computer wants, and why."""

from __future__ import annotations

import ctypes
import re
import sys
from dataclasses import dataclass
from enum import Enum

_NVML = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"
CPU = "cpu"


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


class Reason(Enum):
    """Why a build was chosen."""

    NO_DRIVER = "no driver"
    NO_GPU = "no GPU"
    DRIVER_TOO_OLD = "driver too old"
    GPU_TOO_OLD = "GPU too old"
    GPU = "GPU"


@dataclass(frozen=True)
class Choice:
    """A build of torch and the reason for it."""

    flavor: str
    reason: Reason


def probe_driver() -> Driver | None:
    """Ask the driver's own library; None where there is no NVIDIA driver."""
    try:
        nvml = ctypes.CDLL(_NVML)
    except OSError:
        return None
    if nvml.nvmlInit_v2() != 0:
        return None
    try:
        cuda, count = ctypes.c_int(), ctypes.c_uint()
        version = ctypes.create_string_buffer(96)
        nvml.nvmlSystemGetDriverVersion(version, len(version))
        nvml.nvmlSystemGetCudaDriverVersion_v2(ctypes.byref(cuda))
        nvml.nvmlDeviceGetCount_v2(ctypes.byref(count))
        gpus = tuple(_gpu(nvml, index) for index in range(count.value))
    finally:
        nvml.nvmlShutdown()
    return Driver(version.value.decode(), (cuda.value // 1000, cuda.value % 1000 // 10), gpus)


def choose_flavor(driver: Driver | None, offered: tuple[str, ...]) -> Choice:
    """The newest offered build that driver and GPU both run; the CPU's where none does.

    A driver runs every build of its own CUDA major version. CUDA 13 has no kernels for GPUs before
    Turing (7.5), and nothing before 12.8 has any for Blackwell (10.0 and later).
    """
    if driver is None:
        return Choice(CPU, Reason.NO_DRIVER)
    if not driver.gpus:
        return Choice(CPU, Reason.NO_GPU)
    capability = max(gpu.capability for gpu in driver.gpus)
    builds = [f for f in offered if f != CPU]
    fitting = [f for f in builds if _has_kernels(cuda_of(f), capability)]
    if not fitting:
        return Choice(CPU, Reason.GPU_TOO_OLD)
    running = [f for f in fitting if cuda_of(f)[0] <= driver.cuda[0]]
    if not running:
        return Choice(CPU, Reason.DRIVER_TOO_OLD)
    return Choice(max(running, key=cuda_of), Reason.GPU)


def cuda_of(flavor: str) -> tuple[int, int]:
    """CUDA version of a build: (12, 6) for "cu126"."""
    digits = re.fullmatch(r"cu(\d+)(\d)", flavor)
    if digits is None:
        raise ValueError(f"{flavor} is not a CUDA build")
    return int(digits[1]), int(digits[2])


def _has_kernels(cuda: tuple[int, int], capability: tuple[int, int]) -> bool:
    if capability >= (10, 0):
        return cuda >= (12, 8)
    return capability >= ((7, 5) if cuda[0] >= 13 else (5, 0))


def _gpu(nvml: ctypes.CDLL, index: int) -> Gpu:
    device, name = ctypes.c_void_p(), ctypes.create_string_buffer(96)
    major, minor = ctypes.c_int(), ctypes.c_int()
    nvml.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device))
    nvml.nvmlDeviceGetName(device, name, len(name))
    nvml.nvmlDeviceGetCudaComputeCapability(device, ctypes.byref(major), ctypes.byref(minor))
    return Gpu(name.value.decode(errors="replace"), (major.value, minor.value))
