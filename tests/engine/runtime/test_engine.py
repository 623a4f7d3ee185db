"""Videos made with a tiny random model: from the request to the file."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from magi_engine.config.official import MagiConfig
from magi_engine.errors import OutOfMemoryError
from magi_engine.media.clips import ClipPart
from magi_engine.media.frames import decode_frames
from magi_engine.media.images import read_image
from magi_engine.media.info import probe
from magi_engine.media.writer import WriteOptions
from magi_engine.runtime.engine import Engine
from magi_engine.runtime.job.events import (
    ChunkReady,
    ChunkState,
    DecodingStarted,
    Failed,
    Notice,
    Progress,
    Stage,
    StageStarted,
)
from magi_engine.runtime.request.metadata import read_request
from magi_engine.runtime.request.request import Mode, PromptChange, SamplingOverrides
from tests.engine.runtime.outcomes import (
    MakeRequest,
    finished,
    frame_count,
    frames_of,
    of_kind,
    run,
    stages_of,
)

WIDTH, HEIGHT = 48, 32


def pictures_of(path: Path | None) -> list[np.ndarray]:
    assert path is not None
    return [frame.picture.to_ndarray(format="rgb24") for frame in decode_frames(path)]


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
    assert steps[2].latents is not None
    assert steps[2].latents().shape[1:] == (16, 6, HEIGHT // 8, WIDTH // 8)


def test_a_chunk_is_announced_before_it_is_decoded(
    engine: Engine, make_request: MakeRequest
) -> None:
    events = run(engine, make_request(output=None))
    kinds = [type(event) for event in events if not isinstance(event, StageStarted)]
    first = kinds.index(DecodingStarted)
    assert kinds[first - 1 : first + 2] == [Progress, DecodingStarted, ChunkReady]
    assert [event.index for event in of_kind(events, DecodingStarted)] == [0, 1]
    progress: Progress = events[events.index(DecodingStarted(0)) - 1]  # type: ignore[assignment]
    assert [c.state for c in progress.decoding(0).chunks] == [
        ChunkState.DECODING,
        ChunkState.DENOISING,
    ]


def test_events_cross_to_another_process_without_their_latents(
    engine: Engine, make_request: MakeRequest
) -> None:
    for event in run(engine, make_request(output=None)):
        crossed = pickle.loads(pickle.dumps(event))
        assert crossed == event
        if isinstance(event, Progress | ChunkReady):
            assert event.latents is not None
            assert crossed.latents is None
        if isinstance(event, ChunkReady):
            np.testing.assert_array_equal(crossed.frames, event.frames)


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
    run(engine, make_request(output=None, num_frames=1, dtype="float32"))
    models = engine._models
    before = models._model
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
    model = engine._models._model
    assert model is not None
    expected = model.encode(read_image(image, WIDTH, HEIGHT)[None, None])
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


def test_the_frame_rate_is_that_of_the_clip_and_of_the_file(
    engine: Engine, make_request: MakeRequest, clip: Path
) -> None:
    request = make_request(
        mode=Mode.V2V,
        reference=str(clip),
        clip=ClipPart.end(1.0),
        prepend_source=True,
        num_frames=24,
        sampling=SamplingOverrides(fps=12),
    )
    events = run(engine, request)
    path = finished(events).path
    # One second of the clip is half a chunk now, and all of its two seconds are 24 frames.
    assert [len(chunk.frames) for chunk in of_kind(events, ChunkReady)] == [12, 12]
    assert path is not None
    assert probe(path).fps == 12
    assert frame_count(path) == 24 + 24
    assert read_request(path).parts_of(48) == [range(24), range(24, 36), range(36, 48)]


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
    assert read_request(path).as_wished() == request


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


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("a red ball <script> rolls", "only in part: “<script> rolls”."),
        ("jc6640vc", "Nothing of this prompt is read by the model: “jc6640vc”."),
    ],
)
def test_what_is_not_read_of_a_prompt_is_said(
    engine: Engine, make_request: MakeRequest, prompt: str, said: str
) -> None:
    events = run(engine, make_request(prompts=(PromptChange(0, prompt),), num_frames=1))
    finished(events)
    assert any(said in str(notice.message) for notice in of_kind(events, Notice))


def test_a_prompt_of_ten_thousand_words_is_cut_and_said_so(
    engine: Engine, make_request: MakeRequest
) -> None:
    prompt = "a red circle moves left " * 2000
    events = run(engine, make_request(prompts=(PromptChange(0, prompt),), num_frames=1))
    finished(events)
    assert any("first 800" in str(notice.message) for notice in of_kind(events, Notice))


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


def test_a_video_begins_while_the_machine_is_looked_at(
    engine: Engine, make_request: MakeRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window asks for an estimate with every change, also just before Generate."""
    look = Engine._look_around
    taken: list[bool] = []

    def watched(self: Engine):
        taken.append(self._running.locked())
        return look(self)

    monkeypatch.setattr(Engine, "_look_around", watched)
    engine.plan(make_request())
    assert taken == [False], "as if a video were being made"
    finished(list(engine.generate(make_request(num_frames=1))))


def test_more_memory_than_the_machine_has_is_refused_before_anything_is_loaded(
    make_request: MakeRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine(cache_dir=tmp_path / "cache")
    small = dataclasses.replace(engine.machine(), ram_total_bytes=1 << 20, ram_free_bytes=1 << 20)
    monkeypatch.setattr(engine, "_look_around", lambda: small)
    events = run(engine, make_request())
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, OutOfMemoryError)
    assert "This needs" in str(events[-1].error)
    assert stages_of(events) == []
