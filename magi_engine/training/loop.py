"""What every training stage shares: a time budget, learning-rate pace, averages, checkpoints."""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import psutil
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from magi_engine.training.team import ALONE, Team

_Module = TypeVar("_Module", bound=nn.Module)
_Result = TypeVar("_Result")

_SECONDS_BETWEEN_CHECKPOINTS = 60


class Pace:
    """Counts steps against a budget of minutes or steps, whichever ends first.

    The learning rate warms up, stays constant, and falls to zero over the last ``cooldown``
    share of the budget.

    Args:
        minutes: budget of the whole process, counted from its start: rendering the clips and
            compiling come out of it, so that a lease of so many minutes is never overrun.
        save: called every minute and at the end, so that a killed run loses little.
        team: whose leading process's clock counts, and which alone saves.

    Attributes:
        step: steps done.
        progress: share of the budget that is spent, 0..1.
    """

    def __init__(
        self,
        minutes: float,
        max_steps: int,
        save: Callable[[], None],
        warmup_steps: int = 200,
        cooldown: float = 0.3,
        team: Team = ALONE,
    ) -> None:
        self.max_steps, self.warmup_steps, self.cooldown = max_steps, warmup_steps, cooldown
        self.start = time.monotonic()
        self.seconds = minutes * 60 - (time.time() - psutil.Process().create_time())
        self.step, self.progress = 0, 0.0
        self._save, self._team = save, team
        self._next_save = self.start + _SECONDS_BETWEEN_CHECKPOINTS
        if self.seconds <= 0:
            raise SystemExit(f"Preparing alone took more than {minutes} minutes.")

    @property
    def rate(self) -> float:
        """Factor on the learning rate now."""
        warm = min(1.0, (self.step + 1) / self.warmup_steps)
        return warm * min(1.0, (1 - self.progress) / self.cooldown)

    def __iter__(self) -> Iterator[int]:
        while self.progress < 1:
            yield self.step
            self.step += 1
            by_time = (time.monotonic() - self.start) / self.seconds
            spent = min(1.0, max(by_time, self.step / self.max_steps))
            self.progress = self._team.agree(spent)
            if self._team.leads and time.monotonic() > self._next_save:
                self._save()
                self._next_save = time.monotonic() + _SECONDS_BETWEEN_CHECKPOINTS
        if self._team.leads:
            self._save()


def stage_parser(about: str | None, **usual: float) -> argparse.ArgumentParser:
    """The options of a stage: ``--out``, and a number for each of ``usual``, its default."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--out", type=Path, default=Path("runs/pocket"))
    for name, value in usual.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    return parser


def set_up_device(seed: int) -> torch.device:
    """The device to train on, with its fast float32 mode and seeded."""
    torch.backends.cuda.matmul.allow_tf32 = True
    # Of the attention kernels only flash ran backwards reliably on these shapes.
    torch.backends.cuda.enable_cudnn_sdp(False)
    torch.backends.cuda.enable_mem_efficient_sdp(False)
    torch.manual_seed(seed)
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.cuda.set_stream(torch.cuda.Stream())  # the default one cannot be recorded
    return torch.device("cuda")


class Average(Generic[_Module]):
    """Exponential moving average of a module's parameters, itself a module of the same kind."""

    def __init__(self, module: _Module, decay: float) -> None:
        self.decay = decay
        self.module = copy.deepcopy(module)
        self.module.requires_grad_(False).eval()
        self._averages: list[Tensor] = list(self.module.parameters())
        self._current: list[Tensor] = list(module.parameters())

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the module; faster while ``step`` is small."""
        decay = min(self.decay, (1 + step) / (10 + step))
        get_ema_multi_avg_fn(decay)(self._averages, self._current, step)


class Replayed(Generic[_Result]):
    """A function of tensors that stay where they are, which costs the processor next to nothing.

    On a GPU it is recorded as a CUDA graph at the first call, which the later ones replay. So the
    function must not look at the content of tensors, nor copy any from the CPU, and what it
    returns is overwritten by the next call. On the CPU it is simply called.
    """

    _pool: ClassVar[Any] = None
    """Memory that all graphs share: they never run at once."""

    def __init__(self, function: Callable[[], _Result], device: torch.device) -> None:
        self._function, self._on_gpu = function, device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None

    def __call__(self) -> _Result:
        if not self._on_gpu:
            return self._function()
        if self._graph is None:
            # As it is: this compiles what is to be compiled, and makes what is made once.
            result = self._function()
            Replayed._pool = Replayed._pool or torch.cuda.graph_pool_handle()
            torch.cuda.synchronize()
            self._graph = torch.cuda.CUDAGraph()
            # Other threads, such as those of a team, may go on using the GPU meanwhile.
            self._graph.capture_begin(Replayed._pool, capture_error_mode="thread_local")
            self._result = self._function()
            self._graph.capture_end()
            return result
        self._graph.replay()
        return self._result


class Optimiser:
    """Muon for the matrices inside the transformer's layers, AdamW for everything else.

    Muon gives all directions of a matrix the same share of each update, instead of most of it to
    the few that are learned already. Both kinds of update have about the same size, so one rate
    serves both. Gradients are averaged over the team and clipped; matrices decay, vectors do not.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        rate: float,
        weight_decay: float,
        team: Team = ALONE,
    ) -> None:
        self._team = team
        named = [(n, p) for m in modules for n, p in m.named_parameters() if p.requires_grad]
        self.parameters = [p for _, p in named]
        for parameter in self.parameters:
            parameter.grad = torch.zeros_like(parameter)  # stays, for graphs that add to it
        device = self.parameters[0].device
        on_gpu = device.type == "cuda"
        self.rate, self._rate_now = rate, torch.zeros((), device=device)
        inner = [p for n, p in named if ".layers." in n and p.dim() == 2]
        self._muon = _Muon(inner, weight_decay)
        others = [p for p in self.parameters if all(p is not q for q in inner)]
        self._adam = torch.optim.AdamW(
            [
                {"params": [p for p in others if p.dim() > 1], "weight_decay": weight_decay},
                {"params": [p for p in others if p.dim() <= 1], "weight_decay": 0.0},
            ],
            lr=self._rate_now,
            betas=(0.9, 0.98),
            fused=on_gpu,
            capturable=on_gpu,
        )
        self._apply = Replayed(self._apply_gradients, device)

    def backward(self, loss: Tensor) -> None:
        """Find the gradients."""
        for parameter in self.parameters:
            assert parameter.grad is not None
            parameter.grad.zero_()
        loss.backward()

    def update(self, factor: float) -> None:
        """Apply the gradients, with the learning rate times ``factor``."""
        self._rate_now.fill_(self.rate * factor)
        self._team.average([p.grad for p in self.parameters if p.grad is not None])
        self._apply()

    def step(self, loss: Tensor, factor: float) -> None:
        """Both."""
        self.backward(loss)
        self.update(factor)

    def _apply_gradients(self) -> None:
        nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self._adam.step()
        self._muon.step(self._rate_now)


class _Muon:
    """Momentum whose updates are made orthogonal, many matrices of one shape at a time."""

    _MOMENTUM = 0.95
    _ADAM_SIZE = 0.2
    """Root mean square of an element of AdamW's updates, which these are scaled to."""

    def __init__(self, matrices: Iterable[nn.Parameter], weight_decay: float) -> None:
        self.weight_decay = weight_decay
        by_shape: dict[torch.Size, list[nn.Parameter]] = {}
        for matrix in matrices:
            by_shape.setdefault(matrix.shape, []).append(matrix)
        self.groups = [
            (group, torch.zeros((len(group), *shape), device=group[0].device))
            for shape, group in by_shape.items()
        ]

    @torch.no_grad()
    def step(self, rate: Tensor) -> None:
        """One update of all matrices from their gradients, at a rate () on their device."""
        keep = 1 - rate * self.weight_decay
        for group, momentum in self.groups:
            gradients = torch.stack([p.grad for p in group if p.grad is not None])
            momentum.lerp_(gradients, 1 - self._MOMENTUM)
            update = orthogonal(gradients.lerp_(momentum, self._MOMENTUM))
            size = self._ADAM_SIZE * max(momentum.shape[1:]) ** 0.5
            for matrix, change in zip(group, update * (rate * size), strict=True):
                matrix.mul_(keep).sub_(change)


def orthogonal(matrices: Tensor) -> Tensor:
    """Nearly the nearest matrices (n, rows, columns) whose singular values are all 1.

    Five steps of a Newton-Schulz iteration with the usual coefficients, which bring singular
    values to 0.7 to 1.2 and no closer: that is all it takes.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(5):
        square = x @ x.mT
        polynomial = torch.baddbmm(square, square, square, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    x = x.to(matrices.dtype)
    return x.mT if tall else x


class Log:
    """Prints averages of some numbers now and then, and keeps them in a JSON-lines file."""

    def __init__(self, path: Path, every: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a", encoding="utf-8")
        self._every = every
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def add(self, pace: Pace, **values: Tensor) -> None:
        """Note values on the device, without waiting for it."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, torch.zeros(())) + value.detach()
            self._counts[name] = self._counts.get(name, 0) + 1
        if pace.step % self._every == 0:
            row = {name: round(float(s) / self._counts[name], 5) for name, s in self._sums.items()}
            row = {"step": pace.step, "seconds": round(time.monotonic() - pace.start, 1)} | row
            print(row, flush=True)
            print(json.dumps(row), file=self._file, flush=True)
            self._sums, self._counts = {}, {}

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def save_checkpoint(path: Path, **modules: nn.Module) -> None:
    """Save several modules into one file in bf16-exact or float32 form as they are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{name}.{key}": value.detach().cpu().contiguous()
        for name, module in modules.items()
        for key, value in module.state_dict().items()
        if key != "encoder.embed_tokens.weight"  # a T5's second name for shared.weight
    }
    unfinished = path.with_suffix(".part")
    save_file(tensors, unfinished)
    unfinished.replace(path)


def load_checkpoint(path: Path, **modules: nn.Module) -> None:
    """Load what :func:`save_checkpoint` wrote."""
    tensors = load_file(path)
    for name, module in modules.items():
        prefix = f"{name}."
        state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
        own = module.state_dict()
        if "encoder.embed_tokens.weight" in own:
            state["encoder.embed_tokens.weight"] = state["shared.weight"]
        module.load_state_dict({k: v.to(own[k].dtype) for k, v in state.items()})
