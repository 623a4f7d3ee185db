"""Which attention kernel: those PyTorch has for this device, timed and checked on real inputs."""

from __future__ import annotations

import dataclasses
import functools
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from magi_engine.messages import Message
from magi_engine.ops.attention import (
    Attention,
    Prepared,
    attention,
    attention_by_products,
    prepare,
)
from magi_engine.ops.compiled import kernels_of
from magi_engine.ops.fused_kernels import FusedKernels
from magi_engine.ops.kernels import Kernels
from magi_engine.ops.mesh import ALONE, Mesh
from magi_engine.ops.quantised_kernels import HOPPER, INT8, QuantisedAttention

logger = logging.getLogger(__name__)

_CHECKED_QUERIES = 32
_TIMED_CALLS = 2
_WORST_ERROR = 0.02
"""Relative L2 error against float32 above which a kernel is not used. In bf16, exact ones have
0.002 to 0.005."""

_WORST_QUANTISED_ERROR = 0.08
"""The same for quantised ones, which have 0.05 to 0.06 on random inputs. In the model's latents
this is less than twice what bf16 costs (``tests/engine/sampling/test_goldens.py``)."""

_SHORT_KEYS = 1024
"""Captions have fewer keys than this, chunks of a usual size more."""

FASTEST = "auto"
"""A choice of attention: what is fastest, quantised or not."""
EXACT = "exact"
"""A choice of attention: the fastest that is not quantised."""


@dataclass(frozen=True)
class Backend:
    """A way to compute attention.

    Attributes:
        attend: an :data:`Attention`.
        exact: False if it rounds to 8 bits what it multiplies.
        plans: whether it makes a plan for each new shape of input, which takes longer (cuDNN: a
            tenth of a second) than attention to a caption can gain.
    """

    name: str
    attend: Attention
    exact: bool = True
    plans: bool = False


@dataclass(frozen=True)
class Timing:
    """What one backend did on one kind of input.

    Attributes:
        kind: of input, see :class:`ChosenAttention`; ``inputs`` are those it was tried on.
        inputs: "queries x keys, heads/groups x head_dim".
        operations: of one call, floating-point.
        seconds: of one call, or None if it refused these inputs.
        error: relative L2 distance from float32.
    """

    backend: str
    exact: bool
    kind: str
    inputs: str
    operations: int
    seconds: float | None
    error: float | None
    chosen: bool


def fused_kernels(
    device: torch.device, folder: Path | None = None
) -> tuple[Kernels, Message | None]:
    """The fused kernels if they work on this device, else the plain ones, and why an NVIDIA card
    has only those, or no quantised attention.

    Args:
        folder: where compiled kernels are kept.
    """
    if device.type != "cuda":
        return Kernels(), None
    try:
        kernels = FusedKernels(kernels_of(device, folder))
        x = torch.randn(4, 64, device=device, dtype=torch.bfloat16)
        norm = nn.LayerNorm(64, device=device, dtype=torch.bfloat16)
        with torch.inference_mode():
            torch.testing.assert_close(kernels.layer_norm(x, norm), norm(x), rtol=0.02, atol=0.02)
    except Exception as error:  # whatever a driver or a missing library comes up with
        logger.info("fused kernels are not used: %s", error)
        return Kernels(), why_not(error)
    faults = (fault_of(backend, device) for backend in _quantised_backends(device, folder))
    return kernels, next((fault for fault in faults if fault is not None), None)


def fault_of(backend: Backend, device: torch.device) -> Message | None:
    """Why a backend is of no use on this device, whatever the input; None if it is."""
    try:
        with torch.inference_mode():
            q, k, v = torch.randn(3, 1, 128, 2, 128, device=device).bfloat16().unbind()
            reference = _in_float32(q, k, v)
            out = backend.attend(q, k, v)[:, :_CHECKED_QUERIES].float()
            error = ((out - reference).norm() / reference.norm()).item()
            if not error < _worst_error(backend):  # nor with NaN
                raise ArithmeticError(f"the error of {backend.name} attention is {error:.2f}")
    except torch.OutOfMemoryError:
        return None
    except Exception as error:  # as above
        logger.info("%s attention is not used: %s", backend.name, error)
        return why_not(error)
    return None


def _worst_error(backend: Backend) -> float:
    return _WORST_ERROR if backend.exact else _WORST_QUANTISED_ERROR


def why_not(error: Exception) -> Message:
    """What keeps compiled kernels from being used, and what to do about it."""
    if isinstance(error, ModuleNotFoundError):
        return Message("{name} is missing: set the program up again", name=error.name or "a module")
    why = _first_line(error)
    if "nvrtc" in str(error).lower():
        return Message("NVRTC does not work ({why}): set the program up again", why=why)
    return Message("{why}: a newer NVIDIA driver may help", why=why)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def has_bfloat16_products(device: torch.device) -> bool:
    """Whether ``device`` multiplies bfloat16 matrices faster than float32 ones."""
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return device.type == "cuda"


def attention_for(
    device: torch.device,
    choice: str = FASTEST,
    known: Iterable[Timing] = (),
    folder: Path | None = None,
) -> Attention:
    """The attention to use on this device.

    Args:
        choice: :data:`FASTEST`, :data:`EXACT` or the name of a backend; the fastest exact one
            stands in where that cannot do what is asked.
        known: see :class:`ChosenAttention`.
        folder: where compiled kernels are kept.
    """
    if device.type == "cuda":
        backends = available_backends(device, folder)
        if choice != FASTEST:
            backends = [b for b in backends if b.exact or b.name == choice]
        return ChosenAttention(backends, preferred=choice, known=known)
    # Not timed: a seed is to give the same video whatever else the processor does just now.
    if device.type == "cpu" and has_bfloat16_products(device):
        return _on_processor
    return attention


def _on_processor(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return (attention_by_products if q.dtype is torch.bfloat16 else attention)(q, k, v)


def available_backends(device: torch.device, folder: Path | None = None) -> list[Backend]:
    """What can be tried on an NVIDIA GPU; each may still refuse.

    Args:
        folder: where compiled kernels are kept.
    """
    return [
        Backend("cuDNN", functools.partial(_through, SDPBackend.CUDNN_ATTENTION), plans=True),
        Backend("FlashAttention", functools.partial(_through, SDPBackend.FLASH_ATTENTION)),
        Backend("memory-efficient", functools.partial(_through, SDPBackend.EFFICIENT_ATTENTION)),
        *_quantised_backends(device, folder),
    ]


def _quantised_backends(device: torch.device, folder: Path | None) -> list[Backend]:
    if device.type != "cuda":
        return []
    capability = torch.cuda.get_device_capability(device)
    try:
        kernels = kernels_of(device, folder)
    except (ImportError, OSError, RuntimeError) as error:
        logger.info("not every attention can be tried: %s", error)
        return []
    if capability == (9, 0):
        return [Backend("fp8, Hopper", QuantisedAttention(kernels, HOPPER), exact=False)]
    return [Backend("int8", QuantisedAttention(kernels, INT8), exact=False)]


def _through(kind: SDPBackend, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    with sdpa_kernel(kind):
        return attention(q, k, v)


class ChosenAttention(Prepared):
    """An :data:`Attention` that tries its backends at the first input of each kind.

    Kinds differ in how many heads share keys, in their width, in dtype, and in whether there are
    few keys or many: the order of the kernels does not depend on more than that. Few keys are never
    quantised: there is nothing to gain, and those of a caption are looked at in every step. Nor are
    they given to a backend that plans: every prompt has another shape.

    Args:
        backends: what to choose from; what none can do is left to PyTorch.
        clock: measures the seconds of a call.
        preferred: name of the backend that is used wherever it can be, however fast others are.
        known: what was measured before on this device; kinds of input that all backends were
            tried on are not tried again.

    Attributes:
        timings: all that is known of the kinds of input there have been.
    """

    def __init__(
        self,
        backends: list[Backend],
        clock: Callable[[Callable[[], Tensor]], float] | None = None,
        preferred: str | None = None,
        known: Iterable[Timing] = (),
    ) -> None:
        self._backends = backends
        self._known = {(timing.kind, timing.backend): timing for timing in known}
        self._preferred = preferred
        self._clock = clock or seconds_on_device
        self._chosen: dict[tuple[object, ...], Backend | None] = {}
        self._mesh: Mesh = ALONE
        self.timings: list[Timing] = []

    @property
    def quantised(self) -> str | None:
        """Name of the quantised backend that is in use; None while all are exact."""
        used = (b for b in self._chosen.values() if b is not None)
        return next((b.name for b in used if not b.exact), None)

    def __call__(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self._choice_for(q, k, v)(q, k, v)

    def prepare(
        self, queries: Sequence[Tensor], k: Tensor, v: Tensor, counts: Sequence[int]
    ) -> list[Callable[[], Tensor]]:
        """See :func:`.prepare`."""
        pairs = list(zip(queries, counts, strict=True))
        chosen = [self._choice_for(q, k[:, :count], v[:, :count]) for q, count in pairs]
        if all(attend is chosen[0] for attend in chosen):
            return prepare(chosen[0], queries, k, v, counts)
        return [
            prepare(attend, [q], k[:, :count], v[:, :count], [count])[0]
            for attend, (q, count) in zip(chosen, pairs, strict=True)
        ]

    def _choice_for(self, q: Tensor, k: Tensor, v: Tensor) -> Attention:
        # Not how many heads: a card that has a share of them is to do what one with all does.
        sharing = q.shape[2] // k.shape[2]
        kind = (q.dtype, sharing, q.shape[3], len(q) > 1, k.shape[1] < _SHORT_KEYS)
        if kind not in self._chosen:
            name = self._mesh.agree(lambda: self._choose(", ".join(map(str, kind)), q, k, v))
            self._chosen[kind] = self._named(name)
        backend = self._chosen[kind]
        return attention if backend is None else backend.attend

    def share(self, mesh: Mesh) -> None:
        """From now on use what the leading process of ``mesh`` does, which alone tries anything:
        else a video would depend on which kernel was the fastest where."""
        self._mesh = mesh
        if mesh.size > 1:
            chosen = {kind: backend and backend.name for kind, backend in self._chosen.items()}
            names = mesh.agree(lambda: chosen)
            self._chosen = {kind: self._named(name) for kind, name in names.items()}

    def _named(self, name: str | None) -> Backend | None:
        return next((backend for backend in self._backends if backend.name == name), None)

    def _choose(self, kind: str, q: Tensor, k: Tensor, v: Tensor) -> str | None:
        few = k.shape[1] < _SHORT_KEYS
        candidates = [b for b in self._backends if not few or (b.exact and not b.plans)]
        tried = [self._known.get((kind, backend.name)) for backend in candidates]
        found = [timing for timing in tried if timing is not None]
        if len(found) < len(candidates):
            found = [self._tried(backend, kind, q, k, v) for backend in candidates]
        # Comparisons with NaN are false: a kernel that gives one is out.
        usable = [
            (backend.name != self._preferred, timing.seconds, backend)
            for backend, timing in zip(candidates, found, strict=True)
            if timing.seconds is not None
            and timing.error is not None
            and timing.error < _worst_error(backend)
        ]
        best = min(usable, key=lambda found: found[:2])[2] if usable else None
        self.timings += [
            dataclasses.replace(timing, chosen=backend is best)
            for backend, timing in zip(candidates, found, strict=True)
        ]
        return best and best.name

    def _tried(self, backend: Backend, kind: str, q: Tensor, k: Tensor, v: Tensor) -> Timing:
        seconds = error = None
        try:
            with warnings.catch_warnings():  # PyTorch explains at length why a kernel refuses
                warnings.simplefilter("ignore")
                out = backend.attend(q, k, v)[:1, :_CHECKED_QUERIES].float()
            reference = _in_float32(q, k, v)
            error = ((out - reference).norm() / reference.norm()).item()
            seconds = self._clock(functools.partial(backend.attend, q, k, v))
        except torch.OutOfMemoryError:
            raise
        except Exception as problem:  # it does not take these inputs, or does not work here
            logger.info("%s attention is not used: %s", backend.name, problem)
        return Timing(
            backend.name,
            backend.exact,
            kind,
            f"{q.shape[1]} x {k.shape[1]}, {q.shape[2]}/{k.shape[2]} x {q.shape[3]}",
            4 * len(q) * q.shape[1] * k.shape[1] * q.shape[2] * q.shape[3],
            seconds,
            error,
            chosen=False,
        )


def _in_float32(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The first queries of the first row, spelled out. (1, queries, heads, head_dim)."""
    repeats = q.shape[2] // k.shape[2]
    q = q[:1, :_CHECKED_QUERIES].float().transpose(1, 2)
    k, v = (x[:1].float().transpose(1, 2).repeat_interleave(repeats, dim=1) for x in (k, v))
    scores = q @ k.transpose(2, 3) * q.shape[3] ** -0.5
    return (F.softmax(scores, dim=-1) @ v).transpose(1, 2)


def seconds_on_device(call: Callable[[], Tensor]) -> float:
    """The quickest of some calls, waiting for the device."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    best = float("inf")
    for _ in range(_TIMED_CALLS):
        wait()
        begin = time.perf_counter()
        call()
        wait()
        best = min(best, time.perf_counter() - begin)
    return best
