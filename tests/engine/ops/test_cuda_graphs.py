"""Computations as CUDA graphs; on the CPU, as a recording of operations that stands for one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from magi_engine.ops.cuda_graphs import GraphRunner, Pause, capture_on
from tests.engine.ops.cpu_graph import CpuCapture

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=needs_cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def runner(device: torch.device) -> GraphRunner[Tensor]:
    return GraphRunner(capture_on(device) or CpuCapture())


class Sums:
    """``2 * x + now`` and what was before, counting how often the host has run it."""

    def __init__(self, device: torch.device) -> None:
        self.calls = 0
        self.sum = torch.zeros(4, device=device)

    def run(self, runner: GraphRunner[Tensor], x: Tensor, now: Tensor) -> Tensor:
        def compute(pause: Pause[Tensor] | None, x: Tensor) -> Tensor:
            self.calls += 1
            doubled = 2 * x
            added = doubled + now if pause is None else pause(doubled, lambda now: doubled + now)
            return self.sum.add_(added).clone()

        return runner.run("sums", compute, [x], now)


@torch.inference_mode()
def test_from_the_second_time_on_the_graph_runs(
    runner: GraphRunner[Tensor], device: torch.device
) -> None:
    sums, expected = Sums(device), 0.0
    for i in range(6):
        now = torch.full((4,), 10.0**i, device=device)
        result = sums.run(runner, torch.full((4,), float(i), device=device), now)
        expected += 2.0 * i + 10.0**i
        assert result.tolist() == [expected] * 4
    assert sums.calls == 2, "once as it is, once to record it"


@torch.inference_mode()
def test_results_outlive_the_next_run(runner: GraphRunner[Tensor], device: torch.device) -> None:
    sums, nothing = Sums(device), torch.zeros(4, device=device)
    inputs = [torch.full((4,), float(i), device=device) for i in range(4)]
    results = [sums.run(runner, x, nothing) for x in inputs]
    assert [r[0].item() for r in results] == [0.0, 2.0, 6.0, 12.0]


@torch.inference_mode()
def test_computations_of_other_shapes_and_kinds_are_other_graphs(
    runner: GraphRunner[None], device: torch.device
) -> None:
    for _ in range(3):
        for factor in (2, 3):
            for size in (5, 7):
                x = torch.full((size,), float(size), device=device)
                result = runner.run(factor, lambda _pause, x, f=factor: f * x, [x], None)
                assert result.tolist() == [float(factor * size)] * size
    assert runner.nbytes == 2 * 2 * (5 + 7) * 4


@torch.inference_mode()
def test_small_recordings_make_room_for_large_ones() -> None:
    """What they took could not hold a large one, which can hold them."""
    capture = CpuCapture()
    runner = GraphRunner[None](capture)
    made: list[int] = []

    def double(_pause: object, x: Tensor) -> Tensor:
        made.append(len(x))
        return 2 * x

    for size in (2, 2, 2, 3, 3, 3, 2, 2, 1, 1, 3, 2, 1):
        result = runner.run("double", double, [torch.ones(size)], None)
        assert result.tolist() == [2.0] * size
    assert made == [2, 2, 3, 3, 2, 1, 1]
    assert capture.renewed == 1


@torch.inference_mode()
def test_what_cannot_be_recorded_is_computed(
    runner: GraphRunner[None], device: torch.device
) -> None:
    x = torch.ones(4, device=device)

    def looks(_pause: object, x: Tensor) -> Tensor:
        return x * x.sum().item()

    results = [runner.run("looks", looks, [x], None)[0].item() for _ in range(3)]
    assert results == [4.0] * 3
    assert not runner.forget(), "there is nothing left"


@torch.inference_mode()
def test_too_little_memory_to_record_is_no_error(device: torch.device) -> None:
    class Full(CpuCapture):
        def begin(self) -> None:
            raise torch.OutOfMemoryError("full")

    runner = GraphRunner[None](Full())
    x = torch.ones(4, device=device)
    results = [runner.run("x", lambda _pause, x: x + 1, [x], None)[0].item() for _ in range(3)]
    assert results == [2.0] * 3
    assert runner.nbytes == 0


@needs_cuda
@torch.inference_mode()
def test_memory_comes_back() -> None:
    runner = GraphRunner[None](capture_on(torch.device("cuda")))
    x = torch.ones(1 << 24, device="cuda")
    for _ in range(2):
        runner.run("large", lambda _pause, x: (x + 1) * 2, [x], None)
    assert runner.forget()
    assert not runner.forget()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() - torch.cuda.memory_allocated() < 4 << 20
