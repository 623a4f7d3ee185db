"""Whole generations with a tiny random model: from the request to the file."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from magi_engine.config.official import MagiConfig
from magi_engine.errors import (
    DeviceError,
    DiskFullError,
    InvalidRequestError,
    MediaReadError,
    ModelNotFoundError,
    OutputError,
)
from magi_engine.errors import OutOfMemoryError as DeviceMemoryError
from magi_engine.media.clips import ClipPart
from magi_engine.media.frames import decode_frames
from magi_engine.media.images import read_image
from magi_engine.media.output import open_writer
from magi_engine.media.writer import WriteOptions
from magi_engine.runtime.control import Cancel, ChangePrompt, Pause, Resume
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.events import (
    Cancelled,
    ChunkReady,
    ChunkState,
    Event,
    Failed,
    Finished,
    Notice,
    Paused,
    Progress,
    PromptChanged,
    Resumed,
    Stage,
    StageStarted,
)
from magi_engine.runtime.failures import UnexpectedError
from magi_engine.runtime.request import GenerationRequest, Mode, PromptChange, SamplingOverrides
from magi_engine.runtime.saved import read_request

WIDTH, HEIGHT = 48, 32
ENDS = Finished | Cancelled | Failed
MakeRequest = Callable[..., GenerationRequest]


@pytest.fixture(scope="module")
def engine() -> Engine:
    """One engine for most tests: its models stay loaded, which saves their time."""
    return Engine()


@pytest.fixture
def make_request(tiny_model_config: Path, tmp_path: Path) -> MakeRequest:
    def make(**changes: Any) -> GenerationRequest:
        request = GenerationRequest(
            mode=Mode.T2V,
            model="tiny_config",
            width=WIDTH,
            height=HEIGHT,
            num_frames=48,
            prompts=(PromptChange(0, "a red circle moves left"),),
            seed=1,
            config_path=str(tiny_model_config),
            output=str(tmp_path / "out.mp4"),
            device="cpu",
        )
        return dataclasses.replace(request, **changes)

    return make


@pytest.fixture
def image(tmp_path: Path) -> Path:
    random = np.random.RandomState(0)
    path = tmp_path / "image.png"
    Image.fromarray(random.randint(0, 255, (40, 60, 3), dtype=np.uint8)).save(path)
    return path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two seconds, brighter from frame to frame."""
    frames = np.empty((48, HEIGHT, WIDTH, 3), np.uint8)
    frames[:] = np.linspace(0, 255, 48).astype(np.uint8)[:, None, None, None]
    with open_writer(tmp_path / "clip.mp4", WIDTH, HEIGHT, 24) as writer:
        writer.write(frames)
    return tmp_path / "clip.mp4"


def run(engine: Engine, request: GenerationRequest) -> list[Event]:
    """All events, which end as they must."""
    return checked(list(engine.generate(request)))


def checked(events: list[Event]) -> list[Event]:
    assert isinstance(events[-1], ENDS)
    assert not any(isinstance(event, ENDS) for event in events[:-1])
    return events


def finished(events: list[Event]) -> Finished:
    assert isinstance(events[-1], Finished), events[-1]
    return events[-1]


def of_kind(events: list[Event], kind: type[Any]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def frames_of(events: list[Event]) -> np.ndarray:
    return np.concatenate([event.frames for event in of_kind(events, ChunkReady)])


def frame_count(path: Path | None) -> int:
    assert path is not None
    return sum(1 for _ in decode_frames(path))


def pictures_of(path: Path | None) -> list[np.ndarray]:
    assert path is not None
    return [frame.picture.to_ndarray(format="rgb24") for frame in decode_frames(path)]


def stages_of(events: list[Event]) -> list[Stage]:
    return [event.stage for event in of_kind(events, StageStarted)]


def part_files(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if ".part-" in path.name]


def test_text_to_video(make_request: MakeRequest) -> None:
    request = make_request()
    events = run(Engine(), request)
    end = finished(events)
    assert (end.path, end.frames) == (Path(request.output or ""), 48)
    assert frame_count(end.path) == 48
    assert stages_of(events) == [
        Stage.LOADING_TEXT_ENCODER,
        Stage.ENCODING_PROMPT,
        Stage.LOADING_VAE,
        Stage.LOADING_MODEL,
        Stage.SAMPLING,
    ]
    chunks = of_kind(events, ChunkReady)
    assert [(c.index, c.first_frame, c.frames.shape) for c in chunks] == [
        (0, 0, (24, HEIGHT, WIDTH, 3)),
        (1, 24, (24, HEIGHT, WIDTH, 3)),
    ]
    assert chunks[0].latents.shape == (1, 16, 6, HEIGHT // 8, WIDTH // 8)
    assert chunks[0].frames.std() > 1  # a picture, not a constant


def test_progress_counts_up_to_the_end(engine: Engine, make_request: MakeRequest) -> None:
    events = run(engine, make_request(num_frames=60))
    steps: list[Progress] = of_kind(events, Progress)
    # Three chunks, four steps each, a new one every two steps: 4 + 2 + 2 steps of the window.
    assert len(steps) == 8
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)  # type: ignore[type-var]
    assert fractions[-1] == 1
    assert [step.chunks_done for step in steps] == [0, 0, 0, 0, 1, 1, 2, 2]
    fourth = steps[3].chunks
    assert [(c.state, c.step) for c in fourth] == [
        (ChunkState.DENOISING, 4),
        (ChunkState.DENOISING, 2),
        (ChunkState.WAITING, 0),
    ]
    assert [c.state for c in steps[-1].chunks] == [ChunkState.DONE] * 2 + [ChunkState.DENOISING]
    assert all(step.eta_s is not None and step.eta_s >= 0 for step in steps)
    assert steps[-1].frames_per_second > 0
    assert steps[2].latents().shape[1:] == (16, 6, HEIGHT // 8, WIDTH // 8)


def test_the_result_is_cut_to_the_frames_asked_for(
    engine: Engine, make_request: MakeRequest
) -> None:
    events = run(engine, make_request(num_frames=31))
    assert [len(c.frames) for c in of_kind(events, ChunkReady)] == [24, 7]
    assert frame_count(finished(events).path) == 31


def test_the_same_seed_makes_the_same_video(engine: Engine, make_request: MakeRequest) -> None:
    first = frames_of(run(engine, make_request(output=None)))
    again = frames_of(run(Engine(), make_request(output=None)))
    other = frames_of(run(engine, make_request(output=None, seed=2)))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.5


def test_a_second_generation_loads_nothing(make_request: MakeRequest, tmp_path: Path) -> None:
    engine = Engine()
    run(engine, make_request(output=None))
    assert stages_of(run(engine, make_request(output=None, seed=3))) == [Stage.SAMPLING]
    new_prompt = make_request(output=None, prompts=(PromptChange(0, "a blue square"),))
    assert stages_of(run(engine, new_prompt)) == [Stage.ENCODING_PROMPT, Stage.SAMPLING]
    engine.unload()
    assert Stage.LOADING_MODEL in stages_of(run(engine, make_request(output=None)))


def test_another_model_replaces_the_first(
    make_request: MakeRequest, tiny_model_config: Path
) -> None:
    engine = Engine()
    run(engine, make_request(output=None, num_frames=1))
    shelf = engine._shelf
    before = shelf._model
    run(engine, make_request(output=None, num_frames=1, dtype="bfloat16"))
    assert before is not None
    assert not before.dit_loaded
    assert not before.text.loaded


def test_image_to_video(engine: Engine, make_request: MakeRequest, image: Path) -> None:
    request = make_request(mode=Mode.I2V, reference=str(image))
    events = run(engine, request)
    assert frame_count(finished(events).path) == 48
    assert stages_of(events) == [
        Stage.READING_REFERENCE,
        Stage.ENCODING_REFERENCE,
        Stage.SAMPLING,
    ]
    chunks = of_kind(events, ChunkReady)
    assert [c.index for c in chunks] == [0, 1]
    # The image is the first latent frame of the result, untouched by the sampling.
    model = engine._shelf._model
    assert model is not None
    expected = model.encode(read_image(image, WIDTH, HEIGHT)[None])
    torch.testing.assert_close(chunks[0].latents[:, :, :1], expected)


def test_the_image_decides_the_video(
    engine: Engine, make_request: MakeRequest, image: Path
) -> None:
    request = make_request(mode=Mode.I2V, reference=str(image), output=None)
    first = frames_of(run(engine, request))
    Image.new("RGB", (60, 40), "blue").save(image)
    assert (first != frames_of(run(engine, request))).mean() > 0.3


@pytest.mark.parametrize(
    ("part", "sizes"),
    [
        (ClipPart.end(), [16, 24, 8]),  # 32 frames are a chunk and a third
        (ClipPart.end(1.0), [24, 24]),
        (ClipPart.start(4 / 24), [20, 24, 4]),
    ],
)
def test_video_to_video(
    engine: Engine, make_request: MakeRequest, clip: Path, part: ClipPart, sizes: list[int]
) -> None:
    request = make_request(mode=Mode.V2V, reference=str(clip), clip=part)
    events = run(engine, request)
    chunks = of_kind(events, ChunkReady)
    assert [len(c.frames) for c in chunks] == sizes
    assert [c.index for c in chunks] == list(range(len(sizes)))
    assert [c.first_frame for c in chunks] == list(np.cumsum([0, *sizes[:-1]]))
    assert frame_count(finished(events).path) == 48
    for step in of_kind(events, Progress):
        assert step.num_chunks == len(sizes)
        assert all(0 <= c.index < len(sizes) for c in step.active)


def test_the_source_is_put_in_front(engine: Engine, make_request: MakeRequest, clip: Path) -> None:
    lossless = WriteOptions(crf=0, preset="ultrafast", overwrite=True)
    alone = make_request(mode=Mode.V2V, reference=str(clip), num_frames=24, writing=lossless)
    result = pictures_of(finished(run(engine, alone)).path)
    end = finished(run(engine, dataclasses.replace(alone, prepend_source=True)))
    assert end.frames == 24  # generated ones
    both = pictures_of(end.path)
    assert len(both) == 48 + 24
    brightness = [float(picture.mean()) for picture in both[:48]]
    np.testing.assert_allclose(brightness, np.linspace(0, 255, 48), atol=6)
    np.testing.assert_array_equal(both[48:], result)


def test_a_part_before_the_end_puts_only_what_came_before_in_front(
    engine: Engine, make_request: MakeRequest, clip: Path
) -> None:
    request = make_request(
        mode=Mode.V2V,
        reference=str(clip),
        clip=ClipPart.range(0.0, 1.0),
        prepend_source=True,
        num_frames=24,
    )
    assert frame_count(finished(run(engine, request)).path) == 24 + 24


def test_without_an_output_nothing_is_written(
    engine: Engine, make_request: MakeRequest, tmp_path: Path
) -> None:
    assert finished(run(engine, make_request(output=None))).path is None
    assert list(tmp_path.iterdir()) == []


def test_the_settings_come_back_from_the_file(engine: Engine, make_request: MakeRequest) -> None:
    request = make_request(
        prompts=(PromptChange(0, "a “red” circle ü"), PromptChange(1, "a blue square")),
        sampling=SamplingOverrides(num_steps=8),
        num_frames=25,
    )
    path = finished(run(engine, request)).path
    assert path is not None
    assert read_request(path) == request


def test_prompts_per_chunk_change_only_what_comes_after(
    engine: Engine, make_request: MakeRequest
) -> None:
    one = make_request(output=None, num_frames=72)
    two = dataclasses.replace(one, prompts=(*one.prompts, PromptChange(2, "two green stars spin")))
    before, after = frames_of(run(engine, one)), frames_of(run(engine, two))
    np.testing.assert_array_equal(before[:48], after[:48])
    assert (before[48:] != after[48:]).mean() > 0.05


def test_an_empty_prompt_needs_no_text_encoder(make_request: MakeRequest) -> None:
    events = run(Engine(), make_request(prompts=(PromptChange(0, "  "),), num_frames=1))
    finished(events)
    assert Stage.LOADING_TEXT_ENCODER not in stages_of(events)


def test_a_prompt_of_ten_thousand_words_is_cut_and_said_so(
    engine: Engine, make_request: MakeRequest
) -> None:
    prompt = "a red circle moves left " * 2000
    events = run(engine, make_request(prompts=(PromptChange(0, prompt),), num_frames=1))
    finished(events)
    assert any("first 800" in notice.message for notice in of_kind(events, Notice))


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
    assert any("Chunk 0 has already started" in n.message for n in of_kind(events, Notice))


def test_a_prompt_changed_after_all_chunks_started_changes_nothing(
    engine: Engine, make_request: MakeRequest
) -> None:
    events: list[Event] = []
    for event in engine.generate(make_request(output=None)):
        if isinstance(event, ChunkReady) and event.index == 0:
            engine.control(ChangePrompt(1, "a blue square"))
        events.append(event)
    assert of_kind(events, PromptChanged) == []
    assert any("no chunk is left" in n.message for n in of_kind(events, Notice))


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
    assert read_request(end.path) == request


def test_cancel_before_the_first_event_loads_nothing(make_request: MakeRequest) -> None:
    engine = Engine()
    events = engine.generate(make_request())
    engine.control(Cancel())
    assert list(events) == [Cancelled(path=None, frames=0)]
    assert engine._shelf._model is None


@pytest.mark.parametrize("stage", list(Stage))
def test_cancel_is_obeyed_at_every_stage(
    make_request: MakeRequest, clip: Path, tmp_path: Path, stage: Stage
) -> None:
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
    assert "Another video" in refused.error.message
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
        assert failure.error.hint
        assert failure.path is None
    assert part_files(tmp_path) == []


def test_an_image_is_no_clip(engine: Engine, make_request: MakeRequest, image: Path) -> None:
    failure = _failure(run(engine, make_request(mode=Mode.V2V, reference=str(image))))
    assert isinstance(failure.error, MediaReadError)
    assert "i2v" in failure.error.hint


class _Interrupted:
    """A model whose decoder fails with ``error`` at the second chunk."""

    def __init__(self, engine: Engine, error: Exception) -> None:
        model = engine._shelf._model
        assert model is not None
        self.model, self.error, self.calls = model, error, 0
        self.original = model.decode

    def __enter__(self) -> None:
        self.model.decode = self._decode  # type: ignore[method-assign]

    def __exit__(self, *exc_info: object) -> None:
        del self.model.decode  # the class's own comes back

    def _decode(self, latents: torch.Tensor) -> np.ndarray:
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


def test_events_are_json(engine: Engine, make_request: MakeRequest) -> None:
    import json

    for event in run(engine, make_request(num_frames=30)):
        data = json.loads(json.dumps(event.to_dict()))
        assert data["event"] == event.kind


def test_the_base_model_runs_too(
    make_request: MakeRequest, tiny_model_config: Path, tmp_path: Path
) -> None:
    """Guidance with three forwards, from a configuration that differs in nothing else."""
    config = MagiConfig.from_json(tiny_model_config).to_dict()
    config["runtime_config"]["cfg_number"] = 3
    config["engine_config"]["distill"] = False
    root = tiny_model_config.parent
    for field in ("load", "t5_pretrained", "vae_pretrained"):
        config["runtime_config"][field] = str(root / config["runtime_config"][field])
    config["runtime_config"]["load"] += "/inference_weight.distill"
    path = tmp_path / "base.json"
    import json
    import shutil

    path.write_text(json.dumps(config))
    shutil.copy(root / "special_tokens.npz", tmp_path)
    events = run(Engine(), make_request(config_path=str(path)))
    assert finished(events).frames == 48
