from __future__ import annotations

import pytest
import torch
from torch import Tensor

from magi_engine.ops.cuda_graphs import GraphRunner

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


class Doubling:
    """A computation that counts how often the host has run it, and notes what it saw."""

    def __init__(self) -> None:
        self.calls = 0
        self.seen = torch.zeros(4, device="cuda")

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen.copy_(x)
        return 2 * x


@torch.inference_mode()
def test_from_the_second_time_on_the_recording_runs() -> None:
    recorder, double = GraphRunner(active=True), Doubling()
    for i in range(5):
        x = torch.full((4,), float(i), device="cuda")
        result = recorder.run("double", double, [x])
        assert result.tolist() == [2.0 * i] * 4
        assert double.seen.tolist() == [float(i)] * 4
    assert double.calls == 2, "once as it is, once to record it"


@torch.inference_mode()
def test_results_outlive_the_next_run() -> None:
    recorder, double = GraphRunner(active=True), Doubling()
    results = [
        recorder.run("double", double, [torch.full((4,), float(i), device="cuda")])
        for i in range(4)
    ]
    assert [r[0].item() for r in results] == [0.0, 2.0, 4.0, 6.0]


@torch.inference_mode()
def test_memory_comes_back() -> None:
    recorder = GraphRunner(active=True)
    x = torch.ones(1 << 24, device="cuda")
    for _ in range(2):
        recorder.run("large", lambda x: (x + 1) * 2, [x])
    assert recorder.forget()
    assert not recorder.forget()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() - torch.cuda.memory_allocated() < 4 << 20


@torch.inference_mode()
def test_what_cannot_be_recorded_is_computed() -> None:
    recorder = GraphRunner(active=True)
    x = torch.ones(4, device="cuda")

    def looks(x: Tensor) -> Tensor:
        return x * x.sum().item()

    assert [recorder.run("looks", looks, [x])[0].item() for _ in range(2)] == [4.0, 4.0]
    assert not recorder.active
