"""Pace, averages, the optimiser and checkpoints of the training stages."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest
import torch
from torch import nn

from magi_engine.training import loop
from magi_engine.training.loop import (
    Average,
    Log,
    Optimiser,
    Pace,
    load_checkpoint,
    orthogonal,
    save_checkpoint,
)


class Stack(nn.Module):
    """A module whose inner matrices are named like the transformer's."""

    def __init__(self) -> None:
        super().__init__()
        self.enter = nn.Linear(3, 8)
        self.inner = nn.ModuleDict({"layers": nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 1)])})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, second = self.inner["layers"]  # type: ignore[misc]
        return second(torch.tanh(first(torch.tanh(self.enter(x)))))


NEVER_MIND_THE_TIME = 1e6


def test_pace_warms_up_stays_and_cools_down() -> None:
    saves: list[int] = []
    pace = Pace(
        NEVER_MIND_THE_TIME,
        max_steps=100,
        save=lambda: saves.append(pace.step),
        warmup_steps=10,
        cooldown=0.25,
    )
    rates = []
    for step in pace:
        assert step == pace.step == len(rates)
        rates.append(pace.rate)
    assert len(rates) == 100
    assert rates[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert rates[20:70] == pytest.approx([1.0] * 50, abs=1e-3)
    assert rates[75:] == pytest.approx([(100 - i) / 25 for i in range(75, 100)], abs=1e-3)
    assert pace.rate == 0
    assert saves == [100]


def test_pace_counts_the_time_since_the_process_began(monkeypatch: pytest.MonkeyPatch) -> None:
    began = psutil.Process().create_time()
    now = began + 50.0
    monkeypatch.setattr(loop.time, "time", lambda: now)
    monkeypatch.setattr(loop.time, "monotonic", lambda: now)
    saves: list[int] = []
    pace = Pace(1.0, max_steps=10**9, save=lambda: saves.append(pace.step))
    for _ in pace:
        now += 2.5
    assert pace.step == 4, "50 of the 60 seconds were gone before the first step"
    assert pace.progress == 1
    assert saves == [4]
    with pytest.raises(SystemExit, match="Preparing alone"):
        Pace(0.5, max_steps=1, save=lambda: None)


def test_pace_saves_along_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    saves: list[int] = []
    pace = Pace(NEVER_MIND_THE_TIME, max_steps=3, save=lambda: saves.append(pace.step))
    now = pace.start
    monkeypatch.setattr(loop.time, "monotonic", lambda: now)
    for _ in pace:
        now += 0.5
    assert saves == [1, 2, 3, 3]


def test_an_average_follows_from_the_first_step() -> None:
    torch.manual_seed(0)
    module = nn.Linear(4, 4)
    average = Average(module, decay=0.9)
    assert torch.equal(average.module.weight, module.weight)  # type: ignore[arg-type]
    start = module.weight.detach().clone()
    with torch.no_grad():
        module.weight += 1
    average.update(step=0)  # decay 1/10
    torch.testing.assert_close(average.module.weight.data, start + 0.9)  # type: ignore[operator]
    average.update(step=10**6)  # decay 0.9
    torch.testing.assert_close(average.module.weight.data, start + 0.91)  # type: ignore[operator]
    assert not any(p.requires_grad for p in average.module.parameters())


def test_the_optimiser_learns_with_every_parameter() -> None:
    torch.manual_seed(1)
    module = Stack()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimiser = Optimiser([module], rate=0.02, weight_decay=0.0)
    x = torch.randn(64, 3)
    wanted = x[:, :1] * x[:, 1:2]
    losses = []
    for _ in range(150):
        loss = (module(x) - wanted).square().mean()
        optimiser.step(loss, factor=1.0)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
    for name, parameter in module.named_parameters():
        assert not torch.equal(parameter, before[name]), name


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 16, 5), (2, 5, 16)])
def test_orthogonal_evens_out_all_directions(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(6))
    made = orthogonal(matrices)
    assert made.shape == shape
    values = torch.linalg.svdvals(made)
    assert 0.4 < float(values.min()) <= float(values.max()) < 1.4
    # The directions themselves stay: it is the matrix's own polar factor, nearly.
    u, _, v = torch.linalg.svd(matrices, full_matrices=False)
    likeness = torch.nn.functional.cosine_similarity(made.flatten(1), (u @ v).flatten(1))
    assert float(likeness.min()) > 0.95


def test_a_factor_of_zero_changes_nothing() -> None:
    module = Stack()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimiser = Optimiser([module], rate=0.1, weight_decay=0.1)
    optimiser.step(module(torch.ones(2, 3)).square().mean(), factor=0.0)
    for name, parameter in module.named_parameters():
        assert torch.equal(parameter, before[name]), name


def test_checkpoints_come_back_as_they_were(tmp_path: Path) -> None:
    first, second = Stack(), nn.Linear(2, 2)
    path = tmp_path / "deep" / "both.safetensors"
    save_checkpoint(path, one=first, two=second)
    fresh, other = Stack(), nn.Linear(2, 2)
    load_checkpoint(path, one=fresh, two=other)
    for a, b in ((first, fresh), (second, other)):
        for name, tensor in a.state_dict().items():
            assert torch.equal(tensor, b.state_dict()[name])
    with pytest.raises(RuntimeError, match="size mismatch"):
        load_checkpoint(path, two=nn.Linear(2, 3))


def test_the_log_keeps_averages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.jsonl"
    log = Log(path, every=3)
    for step in (pace := Pace(NEVER_MIND_THE_TIME, 7, save=lambda: None)):
        log.add(pace, loss=torch.tensor(float(step)))
    log.close()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(row["step"], row["loss"]) for row in rows] == [(0, 0.0), (3, 2.0), (6, 5.0)]
    assert len(capsys.readouterr().out.splitlines()) == 3
