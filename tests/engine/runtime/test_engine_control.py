"""Stopping, pausing, changing and breaking a generation, with a tiny random model."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from magi_engine.errors import (
    DeviceError,
    DiskFullError,
    InvalidRequestError,
    MediaReadError,
    ModelNotFoundError,
    OutputError,
)
from magi_engine.errors import OutOfMemoryError as DeviceMemoryError
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
    Stage,
    StageStarted,
)
from magi_engine.runtime.machine.kernels import DeviceKernels
from magi_engine.runtime.models import prompts
from magi_engine.runtime.process.control import Cancel, ChangePrompt, Pause, Resume
from magi_engine.runtime.process.errors import UnexpectedError
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import Mode, PromptChange
from tests.engine.runtime.outcomes import (
    MakeRequest,
    checked,
    finished,
    frame_count,
    frames_of,
    of_kind,
    run,
    stages_of,
)

WIDTH, HEIGHT = 48, 32


def part_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if ".part-" in path.name]


def test_a_prompt_changed_in_time_is_followed(engine: Engine, make_request: MakeRequest) -> None:
    """Changing it while chunk 0 is in work is the same as having asked for it before."""
    planned = make_request(
        output=None,
        num_frames=96,
        prompts=(PromptChange(0, "a red circle"), PromptChange(2, "a blue square moves up")),
    )
    expected = frames_of(run(engine, planned))
    request = make_request(num_frames=96, prompts=planned.prompts[:1])
    events: list[Event] = []
    for event in engine.generate(request):
        if isinstance(event, Progress) and not of_kind(events, Progress):
            engine.control(ChangePrompt(2, "a blue square moves up"))
        events.append(event)
    end = finished(checked(events))
    np.testing.assert_array_equal(frames_of(events), expected)
    assert of_kind(events, PromptChanged) == [PromptChanged(2, "a blue square moves up")]
    assert end.path is not None
    assert read_request(end.path).prompts == planned.prompts


def test_a_prompt_changed_before_the_first_step_is_that_of_the_first_chunk(
    engine: Engine, make_request: MakeRequest
) -> None:
    expected = frames_of(
        run(engine, make_request(output=None, prompts=(PromptChange(0, "a blue square"),)))
    )
    events: list[Event] = []
    for event in engine.generate(make_request(output=None)):
        if isinstance(event, StageStarted) and event.stage is not Stage.SAMPLING:
            engine.control(ChangePrompt(0, "a blue square"))
        events.append(event)
    assert {c.chunk for c in of_kind(events, PromptChanged)} == {0}
    assert of_kind(events, Notice) == []
    np.testing.assert_array_equal(frames_of(events), expected)


def test_a_prompt_changed_too_late_applies_to_the_next_chunk(
    engine: Engine, make_request: MakeRequest
) -> None:
    events: list[Event] = []
    for event in engine.generate(make_request(num_frames=96, output=None)):
        if isinstance(event, ChunkReady) and event.index == 0:
            engine.control(ChangePrompt(0, "a blue square"))
        events.append(event)
    (changed,) = of_kind(events, PromptChanged)
    assert changed.chunk == 2  # chunk 1 was in the window already
    assert any(
        "the new prompt applies from 2 s on" in str(n.message) for n in of_kind(events, Notice)
    )


def test_a_prompt_changed_after_all_chunks_started_changes_nothing(
    engine: Engine, make_request: MakeRequest
) -> None:
    events: list[Event] = []
    for event in engine.generate(make_request(output=None)):
        if isinstance(event, ChunkReady) and event.index == 0:
            engine.control(ChangePrompt(1, "a blue square"))
        events.append(event)
    assert of_kind(events, PromptChanged) == []
    assert any("has already started" in str(n.message) for n in of_kind(events, Notice))


@pytest.mark.parametrize("trouble", ["letters", "memory"])
def test_a_prompt_that_cannot_be_read_ends_no_video(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    def no_memory(*_args: object, **_options: object) -> None:
        raise DeviceMemoryError("Too little memory.", "Close other programs.")

    engine = Engine()
    text = {"letters": "a blue \ud83d", "memory": "words that nobody has encoded"}[trouble]
    said = {"letters": "not UTF-8", "memory": "Too little memory"}[trouble]
    request = make_request(num_frames=72)
    events: list[Event] = []
    for event in engine.generate(request):
        if isinstance(event, ChunkReady) and event.index == 0:
            assert engine._models._model is not None
            engine._models._model.text.release()
            monkeypatch.setattr(prompts, "load_text_encoder", no_memory)
            engine.control(ChangePrompt(0, text, at_once=True))
        events.append(event)
    end = finished(checked(events))
    assert [said in str(notice.message) for notice in of_kind(events, Notice)] == [True]
    assert of_kind(events, PromptChanged) == []
    assert end.path is not None
    assert read_request(end.path).prompts == request.prompts


def test_an_open_ended_video_goes_on_until_it_is_cancelled(
    engine: Engine, make_request: MakeRequest
) -> None:
    request = make_request(num_frames=None)
    events: list[Event] = []
    for event in engine.generate(request):
        if isinstance(event, ChunkReady) and event.index == 4:
            engine.control(Cancel())
        events.append(event)
    end = checked(events)[-1]
    assert isinstance(end, Cancelled)
    assert end.frames == 120
    assert frame_count(end.path) == 120
    assert all(p.eta_s is None and p.fraction is None for p in of_kind(events, Progress))
    assert end.path is not None
    assert read_request(end.path).as_wished() == request


def test_cancel_before_the_first_event_loads_nothing(make_request: MakeRequest) -> None:
    engine = Engine()
    events = engine.generate(make_request())
    engine.control(Cancel())
    assert list(events) == [Cancelled(path=None, frames=0)]
    assert engine._models._model is None


@pytest.mark.parametrize("stage", [s for s in Stage if s not in (Stage.CONNECTING, Stage.WAITING)])
def test_cancel_is_obeyed_at_every_stage(
    make_request: MakeRequest,
    clip: Path,
    tmp_path: Path,
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(DeviceKernels, "compiles", True)  # so that there is every stage
    engine = Engine()
    request = make_request(mode=Mode.V2V, reference=str(clip))
    events: list[Event] = []
    for event in engine.generate(request):
        if event == StageStarted(stage):
            engine.control(Cancel())
        events.append(event)
    assert events[-1] == Cancelled(path=None, frames=0)
    assert stages_of(events)[-1] is stage
    assert len(of_kind(events, Progress)) <= 1
    assert sorted(tmp_path.iterdir()) == [clip]  # no empty video, no part file


def test_cancel_from_another_thread_ends_a_pause(engine: Engine, make_request: MakeRequest) -> None:
    events: list[Event] = []
    timer = threading.Timer(0.1, lambda: engine.control(Cancel()))
    for event in engine.generate(make_request(num_frames=96)):
        if isinstance(event, ChunkReady):
            engine.control(Pause())
        elif isinstance(event, Paused):
            timer.start()
        events.append(event)
    timer.join()
    end = checked(events)[-1]
    assert isinstance(end, Cancelled)
    assert frame_count(end.path) == 24
    assert of_kind(events, Resumed) == []


def test_pause_and_resume_change_nothing_but_the_time(
    engine: Engine, make_request: MakeRequest
) -> None:
    expected = frames_of(run(engine, make_request(output=None)))
    events: list[Event] = []
    timer = threading.Timer(0.3, lambda: engine.control(Resume()))
    for event in engine.generate(make_request()):
        if isinstance(event, Progress) and not of_kind(events, Progress):
            engine.control(Pause())
        elif isinstance(event, Paused):
            timer.start()
        events.append(event)
    timer.join()
    finished(checked(events))
    np.testing.assert_array_equal(frames_of(events), expected)
    kinds = [type(event) for event in events]
    assert kinds.index(Resumed) == kinds.index(Paused) + 1


def _pull(events: Iterator[Event], kind: type[Event]) -> Event:
    return next(event for event in events if isinstance(event, kind))


@pytest.mark.parametrize("kind", [StageStarted, Progress, ChunkReady])
def test_closing_the_generator_keeps_the_video_so_far(
    engine: Engine, make_request: MakeRequest, tmp_path: Path, kind: type[Event]
) -> None:
    request = make_request(num_frames=96)
    events = engine.generate(request)
    _pull(events, kind)
    events.close()  # type: ignore[attr-defined]
    assert part_files(tmp_path) == []
    out = Path(request.output or "")
    assert out.exists() == (kind is ChunkReady)
    if out.exists():
        assert frame_count(out) == 24
    finished(run(engine, make_request(output=None, num_frames=1)))  # and the engine is free again


def test_a_second_job_at_the_same_time_is_refused(
    engine: Engine, make_request: MakeRequest
) -> None:
    first = engine.generate(make_request())
    _pull(first, Progress)
    (refused,) = engine.generate(make_request(output=None))
    assert isinstance(refused, Failed)
    assert "Another video" in str(refused.error.message)
    first.close()  # type: ignore[attr-defined]


def _failure(events: list[Event]) -> Failed:
    assert isinstance(events[-1], Failed), events[-1]
    return events[-1]


def test_bad_requests_fail_before_anything_is_loaded(
    make_request: MakeRequest, tmp_path: Path
) -> None:
    engine = Engine()
    (tmp_path / "broken.png").write_bytes(b"no image")
    image = str(tmp_path / "broken.png")
    for changes, kind in (
        ({"width": 50}, InvalidRequestError),
        ({"device": "cuda:99"}, DeviceError),
        ({"device": "abacus"}, InvalidRequestError),
        ({"config_path": None, "model": "nope"}, ModelNotFoundError),
        ({"output": str(tmp_path / "no" / "x.mp4")}, OutputError),
        ({"output": image, "width": 48}, InvalidRequestError),
        ({"mode": Mode.I2V, "reference": image}, MediaReadError),
        ({"mode": Mode.V2V, "reference": image}, MediaReadError),
        ({"mode": Mode.I2V, "reference": str(tmp_path / "absent.png")}, MediaReadError),
    ):
        failure = _failure(run(engine, make_request(**changes)))
        assert type(failure.error) is kind, failure.error
        assert str(failure.error.hint)
        assert failure.path is None
    assert part_files(tmp_path) == []


def test_an_image_is_no_clip(engine: Engine, make_request: MakeRequest, image: Path) -> None:
    failure = _failure(run(engine, make_request(mode=Mode.V2V, reference=str(image))))
    assert isinstance(failure.error, MediaReadError)
    assert str(failure.error.hint) == "Give it as an image."


class _Interrupted:
    """A model whose decoder fails with ``error`` at the second chunk."""

    def __init__(self, engine: Engine, error: Exception) -> None:
        model = engine._models._model
        assert model is not None
        self.model, self.error, self.calls = model, error, 0
        self.original = model.decode

    def __enter__(self) -> None:
        self.model.decode = self._decode  # type: ignore[method-assign]

    def __exit__(self, *exc_info: object) -> None:
        del self.model.decode  # the class's own comes back

    def _decode(self, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls += 1
        if self.calls == 2:
            raise self.error
        return self.original(latents)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), DeviceMemoryError),
        (MemoryError(), DeviceMemoryError),
        (OSError(28, "No space left on device"), DiskFullError),
        (ZeroDivisionError("oops"), UnexpectedError),
    ],
)
def test_a_failure_keeps_the_chunks_before(
    engine: Engine,
    make_request: MakeRequest,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    kind: type[Exception],
) -> None:
    caplog.set_level("INFO", logger="magi_engine")
    run(engine, make_request(output=None, num_frames=1))
    with _Interrupted(engine, error):
        failure = _failure(run(engine, make_request(num_frames=96)))
    assert type(failure.error) is kind
    assert "oops" not in str(failure.error)
    assert failure.frames == 24
    assert frame_count(failure.path) == 24
    logged = [record for record in caplog.records if record.exc_info]
    assert len(logged) == 1  # the traceback, once


def test_a_failure_holds_on_to_no_tensors(engine: Engine, make_request: MakeRequest) -> None:
    """Whoever keeps the event must not keep the memory that the next try needs."""
    run(engine, make_request(output=None, num_frames=1))
    with _Interrupted(engine, InvalidRequestError("no", "do")):
        failure = _failure(run(engine, make_request(num_frames=96)))
    assert failure.error.__traceback__ is None
    assert failure.error.__cause__ is None
    assert failure.error.__context__ is None


def test_damaged_weights_are_named(
    make_request: MakeRequest, tiny_model_config: Path, tmp_path: Path
) -> None:
    import shutil

    root = Path(shutil.copytree(tiny_model_config.parent, tmp_path / "model"))
    weights = root / "dit" / "inference_weight.distill" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    request = make_request(config_path=str(root / "tiny_config.json"))
    failure = _failure(run(Engine(), request))
    assert type(failure.error).__name__ == "WeightsError"


def test_a_model_that_does_not_fit_is_not_even_begun(
    make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("magi_engine.runtime.models.memory.free_bytes", lambda device: 200_000)
    events = run(Engine(), make_request())
    failure = _failure(events)
    assert isinstance(failure.error, DeviceMemoryError)
    assert "0.2 MB are free" in str(failure.error.message)
    assert "smaller model" in str(failure.error.hint)


@pytest.mark.skipif(os.name == "nt", reason="an open file's folder cannot be removed there")
def test_a_folder_that_vanishes_is_one_clear_failure(
    engine: Engine, make_request: MakeRequest, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    events: list[Event] = []
    for event in engine.generate(make_request(output=str(folder / "out.mp4"))):
        if isinstance(event, ChunkReady) and event.index == 0:
            shutil.rmtree(folder)
        events.append(event)
    failure = _failure(checked(events))
    assert isinstance(failure.error, OutputError)
    assert failure.path is None
