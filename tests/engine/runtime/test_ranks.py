"""A video that two processes make together: the same one, and a clear end if one is lost."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch

from magi_engine.errors import DeviceError
from magi_engine.model.vae import ViTVAE
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import (
    Cancelled,
    ChunkReady,
    Event,
    Failed,
    Notice,
    Paused,
    Progress,
    PromptChanged,
    Resumed,
)
from magi_engine.runtime.models import ranks
from magi_engine.runtime.models.loaded import LoadedModel
from magi_engine.runtime.planning.plan import JobPlan
from magi_engine.runtime.process.control import Cancel, ChangePrompt, Pause, Resume
from magi_engine.runtime.process.worker import Run
from magi_engine.runtime.request.request import GenerationRequest, Mode, PromptChange
from magi_engine.sampling.cache import WindowAttention
from tests.engine.runtime.outcomes import (
    MakeRequest,
    checked,
    finished,
    frame_count,
    frames_of,
    of_kind,
    run,
)

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="several cards make a video only where there is NCCL"
)


class TwoProcesses(Engine):
    """Takes the processor for two cards, which the plan never does."""

    def plan(self, request: GenerationRequest) -> JobPlan:
        alone = super().plan(request)
        return dataclasses.replace(alone, devices=("cpu", "cpu"), ways=2 * alone.ways)


@pytest.fixture(scope="module")
def together(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoProcesses]:
    """One engine for all tests: after whatever has gone wrong, it works again."""
    others = set(psutil.Process().children())
    folder = tmp_path_factory.mktemp("together")
    engine = TwoProcesses(cache_dir=folder / "cache", takes_dir=folder / "takes")
    with pytest.MonkeyPatch.context() as patience:  # a busy machine is not a lost process
        for name in ("_SILENT_S", "_STUCK_S", "_REASON_S", "JOIN_S"):
            patience.setattr(ranks, name, 600.0)
        patience.setattr(ranks.RankProcess, "patience_s", 600.0)
        yield engine
        engine.unload()
    psutil.wait_procs(set(psutil.Process().children()) - others, timeout=60)
    assert set(psutil.Process().children()) <= others
    assert not torch.distributed.is_initialized()


def the_other(before: set[psutil.Process]) -> psutil.Process:
    """The process that computes along."""
    (process,) = set(psutil.Process().children()) - before
    return process


def events_with(
    engine: Engine, request: GenerationRequest, after_first: Callable[[], None]
) -> list[Event]:
    """All events; something happens after the first chunk."""
    events: list[Event] = []
    for event in engine.generate(request):
        events.append(event)
        if isinstance(event, ChunkReady) and len(of_kind(events, ChunkReady)) == 1:
            after_first()
    return checked(events)


@pytest.mark.parametrize("mode", [Mode.T2V, Mode.I2V])
def test_it_is_the_same_video(
    engine: Engine,
    together: TwoProcesses,
    make_request: MakeRequest,
    image: Path,
    mode: Mode,
) -> None:
    request = make_request(
        mode=mode, reference=str(image) if mode is Mode.I2V else None, num_frames=72
    )
    alone = frames_of(run(engine, dataclasses.replace(request, output=None)))
    events = run(together, request)
    difference = np.abs(alone.astype(int) - frames_of(events))
    assert difference.max() <= 1
    assert frame_count(finished(events).path) == 72


def test_commands_are_followed_by_both(
    engine: Engine, together: TwoProcesses, make_request: MakeRequest
) -> None:
    change = ChangePrompt(3, "a blue square moves up")
    planned = make_request(
        output=None,
        num_frames=96,
        prompts=(PromptChange(0, "a red circle"), PromptChange(3, change.text)),
    )
    expected = frames_of(run(engine, planned))
    request = dataclasses.replace(planned, prompts=planned.prompts[:1])
    events: list[Event] = []
    for event in together.generate(request):
        if isinstance(event, Progress) and not of_kind(events, Progress):
            together.control(change)
            together.control(Pause())
        if isinstance(event, Paused):
            together.control(Resume())
        events.append(event)
    finished(checked(events))
    assert of_kind(events, Resumed)
    assert [e.chunk for e in of_kind(events, PromptChanged)] == [3]
    assert np.abs(expected.astype(int) - frames_of(events)).max() <= 1


def test_where_one_has_too_little_memory_all_go_on_with_less(
    engine: Engine,
    together: TwoProcesses,
    make_request: MakeRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    request = make_request(num_frames=72, output=None)
    alone = frames_of(run(engine, request))
    attend, full = WindowAttention.__call__, [False] * 9 + [True]

    def attend_or_fail(*args: Any) -> torch.Tensor:
        if full and full.pop(0):
            raise torch.OutOfMemoryError("full")
        return attend(*args)

    monkeypatch.setattr(WindowAttention, "__call__", attend_or_fail)
    events = run(together, request)
    assert not full
    (notice,) = of_kind(events, Notice)
    assert "too little graphics memory" in str(notice.message)
    assert np.abs(alone.astype(int) - frames_of(events)).max() <= 1


def test_a_stopped_video_is_kept_and_so_are_the_processes(
    together: TwoProcesses, make_request: MakeRequest
) -> None:
    before = set(psutil.Process().children())
    events = events_with(
        together, make_request(num_frames=None), lambda: together.control(Cancel())
    )
    assert isinstance(events[-1], Cancelled)
    assert frame_count(events[-1].path) == events[-1].frames >= 24
    assert set(psutil.Process().children()) >= before


def test_a_closed_generator_ends_it(together: TwoProcesses, make_request: MakeRequest) -> None:
    events = together.generate(make_request(num_frames=None))
    next(event for event in events if isinstance(event, ChunkReady))
    events.close()  # type: ignore[attr-defined]
    assert not torch.distributed.is_initialized()
    finished(run(together, make_request(num_frames=24, output=None)))


LOST = [signal.SIGTERM] if sys.platform == "win32" else [signal.SIGKILL, signal.SIGSTOP]


@pytest.mark.parametrize("how", LOST)
def test_a_lost_process_ends_the_video_and_nothing_else(
    together: TwoProcesses,
    make_request: MakeRequest,
    how: signal.Signals,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together.unload()
    others = set(psutil.Process().children())
    request = make_request(num_frames=None)
    say = Run.control

    def say_more(run: Run, value: Any) -> None:
        """What is said of a chunk of usual size is more than a pipe holds."""
        more: Any = value if isinstance(value, Cancel) else (value, bytes(4 << 20))
        say(run, more)

    def lose() -> None:
        os.kill(the_other(others).pid, how)
        monkeypatch.setattr(Run, "control", say_more)
        monkeypatch.setattr(ranks, "_SILENT_S", 4.0)  # no other process has to be patient

    events = events_with(together, request, lose)
    monkeypatch.undo()
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DeviceError), failed.error
    assert failed.error.hint
    assert frame_count(failed.path) == failed.frames >= 24
    assert not torch.distributed.is_initialized()
    finished(run(together, make_request(num_frames=24, output=None)))


def test_a_chunk_that_is_being_decoded_when_a_process_is_lost_is_kept(
    together: TwoProcesses, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    together.unload()
    others = set(psutil.Process().children())
    decode, lost = LoadedModel._video_of, []

    def lose_then_decode(model: LoadedModel, latents: torch.Tensor, vae: ViTVAE) -> torch.Tensor:
        if not lost:
            lost.append(the_other(others))
            lost[0].kill()
        return decode(model, latents, vae)

    monkeypatch.setattr(LoadedModel, "_video_of", lose_then_decode)
    events = run(together, make_request(num_frames=None))
    failed = events[-1]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, DeviceError), failed.error
    assert frame_count(failed.path) == failed.frames == 24
    assert len(of_kind(events, ChunkReady)) == 1
