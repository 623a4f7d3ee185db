"""Two processes that train one network agree with one that sees the clips of both."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from magi_engine.training.loop import Optimiser, Pace, save_checkpoint
from magi_engine.training.team import ALONE, join_team

STEPS = 3


def train(folder: Path) -> None:
    """A few steps on this process's half of the data, or on all of it."""
    team = join_team()
    torch.manual_seed(team.rank)  # so that only sharing makes the networks equal
    module = nn.Linear(4, 4)
    if team is ALONE:
        torch.manual_seed(0)
        module.reset_parameters()
    team.share(list(module.parameters()))
    data = torch.arange(32.0).view(2, 4, 4) / 32
    mine = data if team is ALONE else data[team.rank : team.rank + 1]
    optimiser = Optimiser([module], rate=0.01, weight_decay=0.0, team=team)

    def save() -> None:
        save_checkpoint(folder / f"leader-{team.size}.safetensors", linear=module)

    pace = Pace(1e6 * (1 + team.rank), STEPS + 100 * team.rank, save, team=team)
    for _ in pace:
        optimiser.step((module(mine) - mine.flip(1)).square().mean(), factor=1.0)
    save_checkpoint(folder / f"{team.rank}-{team.size}.safetensors", linear=module)
    assert pace.step == STEPS, "the leading process ends it"
    team.leave()


def test_two_processes_learn_as_one(tmp_path: Path) -> None:
    train(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # As torch.distributed.run sets them, but for the name of this computer, which need not resolve.
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    if sys.platform == "linux":
        common["GLOO_SOCKET_IFNAME"] = "lo"
    done = subprocess.run(
        [sys.executable, __file__, str(tmp_path)],
        env={**os.environ, **common},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    alone = load_file(tmp_path / "0-1.safetensors")
    first, second, led = (
        load_file(tmp_path / name)
        for name in ("0-2.safetensors", "1-2.safetensors", "leader-2.safetensors")
    )
    for name, tensor in alone.items():
        assert torch.equal(first[name], second[name])
        assert torch.equal(first[name], led[name])
        torch.testing.assert_close(first[name], tensor)


def test_a_process_started_as_usual_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert join_team() is ALONE
    assert ALONE.leads


def member(folder: Path, rank: int) -> None:
    """One of the team, in a process of its own."""
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank))
    train(folder)


if __name__ == "__main__":
    # Forked where that can be: PyTorch is imported once, not once for each.
    multiprocessing.set_start_method("fork" if hasattr(os, "fork") else "spawn")
    given = Path(sys.argv[1])
    team = [multiprocessing.Process(target=member, args=(given, rank)) for rank in range(2)]
    for process in team:
        process.start()
    for process in team:
        process.join()
    sys.exit(any(process.exitcode for process in team))
