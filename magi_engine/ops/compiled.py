"""Kernels for NVIDIA cards, written in CUDA C++ (the files in ``cuda/``).

They are compiled for the card at hand when they are first asked for, by NVRTC, and kept on the
disk, by card, compiler and source. That takes nothing but the driver and two packages: NVRTC comes
with PyTorch or as a package of its own, and ``cuda-core`` is NVIDIA's way to it from Python.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from magi_engine.ops.gelu import GELU_TAIL, GELU_TAIL_END

logger = logging.getLogger(__name__)

_SOURCES = Path(__file__).parent / "cuda"
_MOST_KEPT_BYTES = 64 << 20
_NUMBERS = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 2}
"""What ``numbers.cuh`` calls them."""

Capability = tuple[int, int]


class Kernel:
    """A function of a source file, ready to run on one card.

    Args:
        shared_bytes: of dynamic shared memory that each block gets.
    """

    def __init__(self, loaded: Any, device: torch.device, shared_bytes: int) -> None:
        from cuda.bindings import driver
        from cuda.core import launch

        self._launch = launch
        self._kernel = loaded
        self._device = device
        self._shared_bytes = shared_bytes
        if shared_bytes:
            what = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            index = device.index or 0
            code = driver.cuKernelSetAttribute(what, shared_bytes, loaded.handle, index)[0]
            if code != driver.CUresult.CUDA_SUCCESS:
                raise RuntimeError(f"{shared_bytes} bytes of shared memory: {code.name}")

    def __call__(self, grid: tuple[int, ...], threads: int, *arguments: int | float) -> None:
        """Start it on PyTorch's current stream.

        Args:
            arguments: addresses and integers (64 bits in the source), and floats (double there).
        """
        _enter()
        stream = _stream(torch.cuda.current_stream(self._device).cuda_stream)
        shape = _shape(grid, threads, self._shared_bytes)
        if self._device.index in (None, torch.cuda.current_device()):
            self._launch(stream, shape, self._kernel, *arguments)
            return
        with torch.cuda.device(self._device):
            self._launch(stream, shape, self._kernel, *arguments)


class Kernels:
    """The compiled kernels of one card.

    Args:
        folder: where they are kept; None: nowhere.
        target: the compute capability to compile for, if not the card's own: the driver translates
            that for a later card.

    Raises:
        ImportError: there is no ``cuda-core`` or nothing it needs.
        OSError: there is no NVRTC.
    """

    def __init__(
        self, device: torch.device, folder: Path | None, target: Capability | None = None
    ) -> None:
        import cuda.core  # noqa: F401  # that it is missing is to be known at once

        self.device = device
        self.capability = target or torch.cuda.get_device_capability(device)
        self._translated = self.capability != torch.cuda.get_device_capability(device)
        self._folder = folder
        self._modules: dict[tuple[Any, ...], Any] = {}
        self._kernels: dict[tuple[Any, ...], Kernel] = {}

    def get(
        self, file: str, name: str, dtype: torch.dtype, shared_bytes: int = 0, **macros: int
    ) -> Kernel:
        """The kernel ``name`` of ``cuda/<file>``.

        Args:
            dtype: of the numbers in tensors; float32, float16 or bfloat16.
            macros: to define in the source.

        Raises:
            RuntimeError: it cannot be compiled or loaded.
        """
        key = (file, name, dtype, *macros.items())
        if key not in self._kernels:
            loaded = self._module(file, dtype, macros).get_kernel(name)
            self._kernels[key] = Kernel(loaded, self.device, shared_bytes)
        return self._kernels[key]

    def _module(self, file: str, dtype: torch.dtype, macros: dict[str, int]) -> Any:
        key = (file, dtype, *macros.items())
        if key not in self._modules:
            kind = "ptx" if self._translated else "cubin"
            cache = None if self._folder is None else _kept_in(self._folder)
            self._modules[key] = compile_source(file, dtype, self.capability, kind, macros, cache)
        return self._modules[key]


@functools.cache
def kernels_of(device: torch.device, folder: Path | None) -> Kernels:
    """The one :class:`Kernels` of a card."""
    return Kernels(device, folder)


def compile_source(
    file: str,
    dtype: torch.dtype,
    capability: Capability,
    kind: str = "cubin",
    macros: Mapping[str, int] | None = None,
    cache: Any = None,
    log: Any = None,
) -> Any:
    """A file of kernels as ``cuda.core.ObjectCode``; needs no card.

    Args:
        kind: "cubin" or "ptx".
        macros: to define in the source.
        cache: of ``cuda.core.utils``; may have it already.
        log: something to write what the assembler says into, such as how many registers.
    """
    from cuda.core import Program, ProgramOptions

    source = "".join(
        (_SOURCES / part).read_text(encoding="utf-8") for part in ("numbers.cuh", file)
    )
    tail: dict[str, Any] = {f"C{i}": f"{c!r}f" for i, c in enumerate(GELU_TAIL)}
    values = {
        "NUMBER": _NUMBERS[dtype],
        "TAIL_END": f"{GELU_TAIL_END!r}f",
        **tail,
        **(macros or {}),
    }
    # What only one generation of cards has is compiled for that generation alone.
    own = "a" if capability == (9, 0) and kind == "cubin" else ""
    target = "sm" if kind == "cubin" else "compute"
    options = ProgramOptions(
        name=file,
        arch=f"{target}_{capability[0]}{capability[1]}{own}",
        std="c++17",
        define_macro=[(name, str(value)) for name, value in values.items()],
        ptxas_options=["-v"] if log is not None else None,
    )
    return Program(source, "c++", options).compile(kind, logs=log, cache=cache)


@functools.cache
def _kept_in(folder: Path) -> Any:
    """A place for compiled programs that several processes may use; None if it cannot be."""
    from cuda.core.utils import FileStreamProgramCache

    try:
        return FileStreamProgramCache(folder, max_size_bytes=_MOST_KEPT_BYTES)
    except OSError as error:
        logger.info("compiled kernels are not kept: %s", error)
        return None


@functools.lru_cache(maxsize=4096)
def _shape(grid: tuple[int, ...], threads: int, shared_bytes: int) -> Any:
    from cuda.core import LaunchConfig

    return LaunchConfig(grid=grid, block=threads, shmem_size=shared_bytes)


@functools.cache
def _stream(handle: int) -> Any:
    from cuda.core import Stream

    return Stream.from_handle(handle)


_entered = threading.local()


def _enter() -> None:
    """Have this thread work with the card's context, as after PyTorch's first call in it."""
    if not getattr(_entered, "before", False):
        from cuda.core import Device

        Device(torch.cuda.current_device()).set_current()
        _entered.before = True
