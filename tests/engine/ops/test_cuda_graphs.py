"""Computations as CUDA graphs; on the CPU, as a recording of operations that stands for one."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from torch import Tensor

from magi_engine.ops.cuda_graphs import GraphRunner, capture_on
from tests.engine.ops.cpu_graph import capture

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=needs_cuda)])
def device(request: pytest.FixtureRequest) -> torch.device:
    return torch.device(request.param)


@pytest.fixture
def runner(device: torch.device) -> GraphRunner:
    return GraphRunner(capture_on(device) or capture)


class Caption:
    """Something a computation reads."""

    def __init__(self, values: Tensor) -> None:
        self.values = values


class Doubling:
    """A computation that counts how often the host has run it, and notes what it saw."""

    def __init__(self, device: torch.device) -> None:
        self.calls = 0
        self.seen = torch.zeros(4, device=device)

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.seen.copy_(x)
        return 2 * x


@torch.inference_mode()
def test_from_the_second_time_on_the_graph_runs(runner: GraphRunner, device: torch.device) -> None:
    double = Doubling(device)
    for i in range(5):
        x = torch.full((4,), float(i), device=device)
        result = runner.run("double", (), double, [x])
        assert result.tolist() == [2.0 * i] * 4
        assert double.seen.tolist() == [float(i)] * 4
    assert double.calls == 2, "once as it is, once to capture it"


@torch.inference_mode()
def test_results_outlive_the_next_run(runner: GraphRunner, device: torch.device) -> None:
    double = Doubling(device)
    results = [
        runner.run("double", (), double, [torch.full((4,), float(i), device=device)])
        for i in range(4)
    ]
    assert [r[0].item() for r in results] == [0.0, 2.0, 4.0, 6.0]


@torch.inference_mode()
def test_graphs_of_one_shape_share_their_memory(runner: GraphRunner, device: torch.device) -> None:
    for factor in (2, 3, 4):
        for i in range(3):
            x = torch.full((1000,), float(i), device=device)
            assert runner.run(factor, (), lambda x, f=factor: f * x, [x])[7] == factor * i
    assert runner.nbytes == 2 * 4000


@torch.inference_mode()
def test_a_graph_keeps_nothing_alive(runner: GraphRunner, device: torch.device) -> None:
    def add(caption: Caption, x: Tensor) -> Tensor:
        values = caption.values
        return runner.run("add", (caption,), lambda x: x + values, [x])

    x = torch.ones(4, device=device)
    captions = [Caption(torch.full((4,), float(i), device=device)) for i in range(70)]
    gone = [weakref.ref(caption) for caption in captions]
    while captions:
        expected = 70 - len(captions) + 1.0
        assert [add(captions[0], x)[0].item() for _ in range(3)] == [expected] * 3
        assert len(runner._graphs) <= 2
        del captions[0]
    gc.collect()
    assert all(ref() is None for ref in gone)


@torch.inference_mode()
def test_no_more_than_a_number_of_graphs_is_kept(runner: GraphRunner, device: torch.device) -> None:
    x = torch.ones(4, device=device)
    for i in range(200):
        assert runner.run(i, (), lambda x, i=i: x * i, [x])[0] == i
    assert len(runner._graphs) == 64


@torch.inference_mode()
def test_what_cannot_be_captured_is_computed(runner: GraphRunner, device: torch.device) -> None:
    x = torch.ones(4, device=device)

    def looks(x: Tensor) -> Tensor:
        return x * x.sum().item()

    assert [runner.run("looks", (), looks, [x])[0].item() for _ in range(2)] == [4.0, 4.0]
    assert not runner.forget(), "there is nothing left"


@torch.inference_mode()
def test_too_little_memory_to_capture_is_no_error(device: torch.device) -> None:
    def full(work: object) -> None:
        raise torch.OutOfMemoryError("full")

    runner = GraphRunner(full)  # type: ignore[arg-type]
    x = torch.ones(4, device=device)
    assert [runner.run("x", (), lambda x: x + 1, [x])[0].item() for _ in range(3)] == [2.0] * 3
    assert runner.nbytes == 0


@needs_cuda
@torch.inference_mode()
def test_memory_comes_back() -> None:
    runner = GraphRunner(capture_on(torch.device("cuda")))
    x = torch.ones(1 << 24, device="cuda")
    for _ in range(2):
        runner.run("large", (), lambda x: (x + 1) * 2, [x])
    assert runner.forget()
    assert not runner.forget()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() - torch.cuda.memory_allocated() < 4 << 20
